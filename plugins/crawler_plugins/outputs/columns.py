"""The columns of a table, made from items, and rows as Arrow tables.

A column has the type of its first value and keeps it, so that the parts of a table can be read together. A column of
whole numbers becomes one of fractions when the first fraction arrives. Nothing is converted with a loss: a value that
does not fit its column is kept in the column `RESCUED`, as Databricks does it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RESCUED", "fitted", "learn", "parquet_bytes", "schema_of", "table_of", "types_of"]

RESCUED: Final = "_rescued_data"
"""Column of the values that do not fit their columns: a JSON object for each row, or null."""
Types = Mapping[str, str]
"""Column to type: ``bool``, ``int64``, ``wide`` (an ``int64`` beyond `EXACT`), ``double``, ``string`` or ``json``."""
EXACT: Final = 2**53
"""The largest whole number up to which a double holds all of them."""


PLAIN: Final[Mapping[type, str]] = {bool: "bool", float: "double", str: "string", list: "json", dict: "json"}
"""Type of a column by the type of its values. That of whole numbers depends on their size."""


def learn(types: Types, items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the types of columns that hold these items too."""
    learned = dict(types)
    rescued = RESCUED in learned
    learned.pop(RESCUED, None)
    for name in dict.fromkeys(chain.from_iterable(items)):
        found = _types(_values(items, name))
        if not found:
            continue
        if name == RESCUED:
            rescued = True
            continue
        known = learned.get(name)
        for kind in found:
            if known is None or (known == "int64" and kind in ("double", "wide")):
                known = kind
        assert known is not None
        learned[name] = known
        rescued = rescued or not all(_fits(known, kind) for kind in found)
    return {**learned, RESCUED: "string"} if rescued or not learned else learned


def _values(items: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    return [item.get(name) for item in items]


def _types(values: Sequence[Any]) -> list[str]:
    """Return the types of values, each once, in the order in which they occur. Most columns have one."""
    classes = set(map(type, values)) - {type(None)}
    if len(classes) == 1:
        [only] = classes
        if only in PLAIN:
            return [PLAIN[only]]
    return list(dict.fromkeys(_type(value) for value in values if value is not None))


def _type(value: Any) -> str:
    if type(value) is int:
        return "int64" if abs(value) <= EXACT else "wide" if -(2**63) <= value < 2**63 else "json"
    return PLAIN[type(value)]


def _fits(kind: str | None, found: str) -> bool:
    return kind in (found, "json") or (kind in ("double", "wide") and found == "int64")


def table_of(types: Types, items: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return items as a table. Values that do not fit `types` are rescued, if they have a column for that."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    rescued: dict[int, set[str]] = {}  # names by the index of the item
    arrays = {name: _column(kind, _values(items, name), name, rescued) for name, kind in types.items()}
    for name in set().union(*items) - types.keys():
        _column(None, _values(items, name), name, rescued)
    if RESCUED in types:
        _column(None, _values(items, RESCUED), RESCUED, rescued)
        arrays[RESCUED] = [None] * len(items)
        for index, names in rescued.items():
            arrays[RESCUED][index] = _json({name: value for name, value in items[index].items() if name in names})
    schema = schema_of(types)
    return pa.Table.from_arrays([pa.array(arrays[f.name], f.type) for f in schema], schema=schema)


def _column(kind: str | None, values: list[Any], name: str, rescued: dict[int, set[str]]) -> list[Any]:
    """Return the values of a column of a type. Those that do not fit are `None`, and noted in `rescued`."""
    if not all(_fits(kind, found) for found in _types(values)):
        for index, value in enumerate(values):
            if value is not None and not _fits(kind, _type(value)):
                rescued.setdefault(index, set()).add(name)
                values[index] = None
    if kind == "json":
        return [None if value is None else _json(value) for value in values]
    return values


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


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
