"""The formats of parts: JSON Lines and Parquet."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

from crawler import Row
from crawler_plugins.outputs.columns import fitted, learn, parquet_bytes, table_of, types_of

__all__ = ["COMPRESSIONS", "Compression", "JsonLinesParts", "ParquetParts"]

Compression: TypeAlias = Literal["zstd", "snappy", "gzip", "lz4", "brotli", "none"]
"""How the columns of a Parquet file are compressed."""
COMPRESSIONS: Final = ("zstd", "snappy", "gzip", "lz4", "brotli", "none")


class JsonLinesParts:
    """Parts of JSON Lines, with gzip if `suffix` ends in ``.gz``."""

    state: Any = None

    def __init__(self, suffix: Literal[".jsonl", ".jsonl.gz"]) -> None:
        self.suffix: str = suffix

    def encode(self, rows: Sequence[Row]) -> tuple[bytes, Any]:
        """Return a line for each row."""
        data = b"".join([row.data + b"\n" for row in rows])
        return gzip.compress(data, mtime=0) if self.suffix.endswith(".gz") else data, None

    def adapt(self, first: bytes, state: Any) -> bytes | None:
        """Return `None`: lines have no columns."""
        return None

    def learn(self, first: bytes) -> None:
        """Do nothing: lines have no columns."""


class ParquetParts:
    """Parquet parts. Each has all columns that are known; the first gets those that are found later."""

    def __init__(self, compression: Compression) -> None:
        self.suffix: str = ".parquet"
        self.compression = compression
        self.state: Any = {}

    def encode(self, rows: Sequence[Row]) -> tuple[bytes, Any]:
        """Return a file, and the types of all columns."""
        items = [row.item for row in rows]
        types = learn(self.state, items)
        return parquet_bytes(table_of(types, items), self.compression), types

    def adapt(self, first: bytes, state: Any) -> bytes | None:
        """Return the first part with the columns of `state`, and with those that it has from a run that was killed."""
        table = _read(first)
        before = types_of(table.schema)
        types = {**before, **state}
        return None if types == before else parquet_bytes(fitted(table, types), self.compression)

    def learn(self, first: bytes) -> None:
        """Set the columns to those of the first part."""
        self.state = types_of(_read(first).schema)


def _read(data: bytes) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415

    return pq.ParquetFile(pa.BufferReader(data)).read()
