"""`ArrowStream`: an Arrow IPC stream, which other programs can read while it grows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final

import msgspec
import trio

from crawler import Row
from crawler.sinks import FileSink
from crawler_plugins.outputs.columns import RESCUED, learn, schema_of, table_of, types_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ArrowStream"]

END: Final = b"\xff\xff\xff\xff\0\0\0\0"
"""End-of-stream marker of other programs. A stream may also end without it."""

ROOM: Final = 64 * 1024 * 1024
"""Bytes that may be missing at the end of a record batch after a power failure."""


class ArrowStream(FileSink):
    """Items as an Arrow IPC stream: a record batch for each batch of items, valid after each of them.

    The schema is at the beginning of a stream, so the columns are the fields of the first batch. The column
    ``_rescued_data`` holds all other values, as a JSON object: new fields, and values of another type than the first
    one of their column. Lists and objects are text, as JSON. Use ``.parquet`` for items with varying fields.
    """

    name = "arrows"
    requires: ClassVar[Mapping[str, str]] = {"pyarrow": "trio-crawler[parquet]"}
    compressible = False
    _types: Mapping[str, str] | None = None

    def inspect(self, file: BinaryIO) -> None:
        """Check that the file is a stream with columns that items can fill."""
        import pyarrow as pa  # noqa: PLC0415 - an extra

        try:
            with pa.ipc.open_stream(file) as stream:
                types = types_of(stream.schema)
                for _ in stream:
                    pass
        except (ValueError, OSError) as error:  # ArrowInvalid is a ValueError
            raise self.refuse(str(error).partition("\n")[0]) from None
        if RESCUED not in types:
            raise self.refuse(f"it has no column {RESCUED}, which holds the values of other fields")

    def begin(self) -> int:
        """Return the end of the last record batch."""
        if not self.continues:
            return 0
        self._types = self._read_types()
        end = self.file.seek(0, os.SEEK_END)
        self.file.seek(max(0, end - len(END)))
        return end - len(END) if self.file.read() == END else end

    def cut(self, length: int) -> int:
        """Truncate the file after the last record batch of the job."""
        self._types = self._read_types() if length else None
        return self.cut_at(length)

    def _read_types(self) -> Mapping[str, str]:
        import pyarrow as pa  # noqa: PLC0415

        with self.path.open("rb") as file, pa.ipc.open_stream(file) as stream:
            return types_of(stream.schema)

    def encode(self, items: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Yield the schema, if `length` is 0, and a record batch for as many items as each of the file has."""
        import pyarrow as pa  # noqa: PLC0415

        with self.path.open("rb") as file:
            head = file.read(length)
            rest = file.read()
        types: Mapping[str, str] | None = None
        if length:
            with pa.ipc.open_stream(head) as stream:
                types = types_of(stream.schema)
        for count in _counts(rest, None if types is None else schema_of(types)):
            batch = [msgspec.json.decode(item) for item in islice(items, count)]
            data, types = _encoded(types, batch)
            yield data
        if not length and types is None:
            yield _encoded(None, [])[0]

    async def write(self, batch: Sequence[Row]) -> None:
        """Write a record batch, after the schema if it is the first."""
        data, types = await trio.to_thread.run_sync(_encoded, self._types, [row.item for row in batch])
        self.end = self.put(data, self.end)
        self._types = types

    def flush(self) -> Any:
        """Write an empty table if there were no items; the first item replaces it."""
        if self.end == 0:
            self.put(_encoded(None, [])[0], 0)
        return self.here()


def _encoded(types: Mapping[str, str] | None, items: Sequence[Mapping[str, Any]]) -> tuple[bytes, Mapping[str, str]]:
    """Return a record batch, after a schema if `types` is `None`, and the types of the columns."""
    is_first = types is None
    if types is None:
        learned = {name: "wide" if kind == "int64" else kind for name, kind in learn({}, items).items()}
        types = {**learned, RESCUED: "string"}
    parts = [schema_of(types).serialize().to_pybytes()] if is_first else []
    if items:
        parts += [batch.serialize().to_pybytes() for batch in table_of(types, items).combine_chunks().to_batches()]
    return b"".join(parts), types


def _counts(data: bytes, schema: pa.Schema | None) -> Iterator[int]:
    """Yield the number of rows of each record batch, also of one whose end is missing."""
    import pyarrow as pa  # noqa: PLC0415

    source = pa.BufferReader(data)
    try:
        if schema is None:
            schema = pa.ipc.read_schema(pa.ipc.read_message(source))
        while source.tell() < len(data):
            start = source.tell()
            try:
                message = pa.ipc.read_message(source)
            except (OSError, ValueError):  # blocks of the batch that were not written count as zeros
                message = pa.ipc.read_message(pa.BufferReader(data[start:] + bytes(ROOM)))
                yield pa.ipc.read_record_batch(message, schema).num_rows
                return
            yield pa.ipc.read_record_batch(message, schema).num_rows
    except (OSError, ValueError, EOFError):
        return  # not what a job writes
