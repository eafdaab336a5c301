"""The columns of a table, made from items, and rows as Arrow tables.

A column has the type of its first value and keeps it, so that the parts of a table can be read together. A column of
whole numbers becomes one of fractions when the first fraction arrives. Nothing is converted with a loss: a value that
does not fit its column is kept in the column `RESCUED`, as Databricks does it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RESCUED", "fitted", "learn", "parquet_bytes", "schema_of", "table_of", "types_of"]

RESCUED: Final = "_rescued_data"
"""Column of the values that do not fit their columns: a JSON object for each row, or null."""
Types = Mapping[str, str]
"""Column to type: ``bool``, ``int64``, ``wide`` (an ``int64`` beyond `EXACT`), ``double``, ``string`` or ``json``."""
EXACT: Final = 2**53
"""The largest whole number up to which a double holds all of them."""


def learn(types: Types, items: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the types of columns that hold these items too."""
    learned = dict(types)
    rescued = RESCUED in learned
    learned.pop(RESCUED, None)
    for item in items:
        for name, value in item.items():
            if value is None:
                continue
            if name != RESCUED:
                known, found = learned.get(name), _type(value)
                if known is None or (known == "int64" and found in ("double", "wide")):
                    learned[name] = found
            rescued = rescued or not _fits(learned.get(name), value)
    return {**learned, RESCUED: "string"} if rescued or not learned else learned


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64" if abs(value) <= EXACT else "wide" if -(2**63) <= value < 2**63 else "json"
    return {float: "double", str: "string"}.get(type(value), "json")


def _fits(kind: str | None, value: Any) -> bool:
    found = _type(value)
    return kind in (found, "json") or (kind in ("double", "wide") and found == "int64")


def table_of(types: Types, items: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return items as a table. `types` has been learned from them."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    columns: dict[str, list[Any]] = {name: [] for name in types}
    for item in items:
        rescued = {
            name: value
            for name, value in item.items()
            if value is not None and (name == RESCUED or not _fits(types.get(name), value))
        }
        for name, values in columns.items():
            value = item.get(name) if name not in rescued else None
            if name == RESCUED:
                value = _json(rescued) if rescued else None
            elif types[name] == "json" and value is not None:
                value = _json(value)
            values.append(value)
    schema = schema_of(types)
    return pa.Table.from_arrays([pa.array(columns[f.name], f.type) for f in schema], schema=schema)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def schema_of(types: Types) -> pa.Schema:
    """Return the Arrow schema of columns. Their types are kept in it, for crawls that append."""
    import pyarrow as pa  # noqa: PLC0415

    arrow = {"bool": pa.bool_(), "int64": pa.int64(), "wide": pa.int64(), "double": pa.float64()}
    fields = [pa.field(name, arrow.get(kind, pa.string()), metadata={"type": kind}) for name, kind in types.items()]
    return pa.schema(fields)


def types_of(schema: pa.Schema) -> dict[str, str]:
    """Return the types of the columns of a file.

    Raises:
        ValueError: A column has a type that no item has.
    """
    types = {}
    for field in schema:
        kind = (field.metadata or {}).get(b"type", b"").decode()
        arrow = {"bool": "bool", "int64": "wide", "double": "double", "string": "string"}.get(str(field.type))
        if arrow is None:
            raise ValueError(f"its column {field.name!r} has the type {field.type}")
        types[field.name] = kind or arrow
    return types


def fitted(table: pa.Table, types: Types) -> pa.Table:
    """Return a table with columns that were added or widened since."""
    import pyarrow as pa  # noqa: PLC0415

    schema, names = schema_of(types), set(table.column_names)
    columns = [table[f.name].cast(f.type) if f.name in names else pa.nulls(len(table), f.type) for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def parquet_bytes(table: pa.Table, compression: str) -> bytes:
    """Return a table as a Parquet file."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression=compression)
    return buffer.getvalue()
