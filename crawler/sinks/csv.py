"""`Csv`: a table that gets a new column when an item brings a new field."""

from __future__ import annotations

import csv
import io
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from io import FileIO
from itertools import islice
from typing import Any, BinaryIO, Final

import msgspec
import trio

from crawler.errors import JobError
from crawler.files import replace_file, sync_folder
from crawler.messages import Row
from crawler.sinks.compression import BrokenMember, Content
from crawler.sinks.file_sink import FileSink
from crawler.sinks.position import TAIL, Position, digest

__all__ = ["Csv"]

EOL: Final = b"\r\n"
EMPTY: Final = b'""'
"""A record with one field, which is empty."""
CHUNK: Final = 1024 * 1024
FIELD: Final = r'(?:"(?:[^"]|"")*"|[^",\r\n]*)'
RECORD: Final = re.compile(rf"{FIELD}(?:,{FIELD})*[\r\n]*")


class Csv(FileSink):
    """Items as CSV (RFC 4180), UTF-8, with a header line.

    The columns are the fields of the first batch, in order. A new field adds a column: a wider copy of the file is
    written in the same folder and replaces it. Strings are written as they are, `None` and missing fields are empty,
    and every other value is JSON.
    """

    name = "csv"
    _columns: dict[str, None] | None = None
    _rows: int
    _last: bytes
    """The last record."""
    _crc = 0
    """Checksum of the records after the header, each in the form of `_narrow`."""

    def inspect(self, file: BinaryIO) -> None:
        """Check that the first record is a header and the last one is complete."""
        first = next(_records(file), b"")
        quotes = sum(chunk.count(b'"') for chunk in iter(lambda: file.read(CHUNK), b""))
        if (first.count(b'"') + quotes) % 2:
            raise self.refuse("it ends inside a quoted field")
        try:
            header = first.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise self.refuse("it is not UTF-8") from None
        if not header or not RECORD.fullmatch(header):
            raise self.refuse("its first line is not CSV")
        names = next(csv.reader(io.StringIO(header, newline="")), [])
        if len(set(names)) < len(names) or "" in names:
            raise self.refuse("its first line is not a header: a name is empty or occurs twice")
        if len(names) == 1 and any(all(names[0].partition(mark)) for mark in ";\t"):
            raise self.refuse("its fields are not separated by commas")
        self._columns = dict.fromkeys(names)

    def begin(self) -> int:
        """Return the end of the file, and read the columns from its header."""
        end = self.file.seek(0, os.SEEK_END)
        self._rows, self._last = -1, b""
        self._columns = self._columns if end else None
        if end:
            with self.open_content() as file:
                for record in _records(file):
                    self._rows, self._last = self._rows + 1, record
            if not self._last.endswith(b"\n"):
                end = self.put(EOL if self.compression is None else self.compression.compress(EOL), end)
        return end

    def cut(self, length: int) -> int:
        """Truncate the file to `length` records. Columns that were added later stay."""
        end, self._last = self._find(length)
        self._columns = self._header() if length >= 0 else None
        self._rows = length
        return self.cut_at(end)

    def checksum(self) -> str:
        """Return the checksum of the records, and their columns: more of them may be added after this position."""
        return f"{self._crc:08x}.{_columns_id(self._columns or ())}"

    def continue_checksum(self, kept: str) -> None:
        """Let `checksum` continue from `end`. After a kill, the file may have columns that the job does not know."""
        crc, _, columns = kept.partition(".")
        if columns == _columns_id(self._columns or ()):
            self._crc = int(crc, 16)
        else:
            width = len(self._columns or ())
            self._crc = self._sum(self._rows, width, width)

    def is_unchanged(self, file: BinaryIO, position: Position) -> bool:
        """Return whether the records and the columns are those at a position, except columns that were added later."""
        crc, _, columns = position.checksum.partition(".")
        header = list(self._header())
        old = header[: int(columns.partition(".")[0])]
        return _columns_id(old) == columns and self._sum(position.end, len(header), len(old)) == int(crc, 16)

    def _sum(self, length: int, width: int, old_width: int) -> int:
        """Return the checksum of `length` records as they were when they had fewer columns."""
        crc = 0
        with self.open_content() as file:
            for record in islice(_records(file), 1, length + 1) if length > 0 else ():
                crc = zlib.crc32(_narrow(record, width, old_width), crc)
        return crc

    def locate(self, file: FileIO | BinaryIO, length: int) -> tuple[int, bytes]:
        """Return the byte offset after `length` records, and the last of them without empty fields at its end."""
        end, last = self._find(length)
        return end, _identity(last) if length > 0 else b""

    def written(self) -> tuple[int, bytes]:
        """Return the number of records without the header, -1 if the header is missing too, and the last record."""
        return self._rows, _identity(self._last) if self._rows > 0 else b""

    def _find(self, length: int) -> tuple[int, bytes]:
        """Return the byte offset after `length` records, and the last of them."""
        rows, end, last = -1, 0, b""
        with self.open_content() as file:
            try:
                for record in _records(file) if length >= 0 else ():
                    rows, end, last = rows + 1 if end else 0, end + len(record), record
                    if rows == length:
                        break
            except BrokenMember as error:
                raise self.too_short(str(error)) from None
            if rows < length:
                raise self.too_short(f"{max(rows, 0)} of {length} records")
            raw = getattr(file, "raw", None)
            offset = raw.end_at(end) if isinstance(raw, Content) else end
        if offset is None:
            raise JobError(f"{self.path} was compressed again since the job wrote it: {self.remedy}")
        return offset, last

    def _header(self) -> dict[str, None]:
        """Return the columns of the file."""
        try:
            with self.open_content() as file:
                header = next(_records(file), b"").decode("utf-8-sig", "replace")
        except BrokenMember:  # the file has lost what the job wrote after its first position
            header = ""
        return dict.fromkeys(next(csv.reader(io.StringIO(header, newline="")), []))

    def encode(self, items: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Yield a record for each item. An item with a new field would have added a column first."""
        columns = self._header()
        if length < 0:
            yield _record(columns)
        for data in items:
            item = msgspec.json.decode(data)
            if not item.keys() <= columns.keys():
                return
            yield _record(_cell(item.get(name)) for name in columns)

    def whole(self, items: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        """Yield the header, as wide as that of the file, and the records that it had before another column came."""
        found = list(self._header())
        if any("\0" in name for name in found):
            return  # the header was lost
        known = list(dict.fromkeys(name for data in items() for name in msgspec.json.decode(data)))
        columns = known[: len(found)] + found[len(known) :]  # items that the job has lost may have added some
        yield _record(columns)
        for data in items():
            item = msgspec.json.decode(data)
            if not item.keys() <= set(columns):
                yield b"\0"  # nothing may follow
                return
            yield _record(_cell(item.get(name)) for name in columns)

    async def write(self, batch: Sequence[Row]) -> None:
        """Write a record for each item."""
        items = [row.item for row in batch]
        columns = dict.fromkeys([*(self._columns or ()), *(name for item in items for name in item)])
        if self._columns is None:
            self.end = self.put(await self.compress(_record(columns)), self.end)
            self._columns = columns
            self._rows = 0
        elif len(columns) > len(self._columns):
            await trio.to_thread.run_sync(self._widen, self._columns, columns)  # it takes as long as the file is large
        rows = [[_cell(item.get(name)) for name in columns] for item in items]
        records = _records_of(rows)
        self.end = self.put(await self.compress(records), self.end)
        self._rows += len(items)
        self._last = _record(rows[-1])
        self._crc = zlib.crc32(records, self._crc)

    def _widen(self, narrow: dict[str, None], wide: dict[str, None]) -> None:
        """Rewrite the file with more columns. The old file stays until the new one is complete."""
        padding = b"," * (len(wide) - max(len(narrow), 1))
        crc = 0

        def wider(records: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
            nonlocal crc
            for record in records:
                widened = (_bare(record) + padding or EMPTY) + EOL
                crc = zlib.crc32(widened, crc)
                yield len(record), widened

        with ExitStack() as undo:
            with self.open_content() as old, replace_file(self.path, sole_writer=True) as new:
                records = _records(old)
                header = next(records)
                new.write(self._pack(_record(wide)))
                members = _by_member(wider(records), len(header), getattr(old, "raw", None))
                new.writelines(map(self._pack, members))
                new.flush()
                if self._sync:  # the old file goes only when the new one is on the disk
                    os.fsync(new.fileno())
                file = undo.enter_context(FileIO(os.dup(new.fileno()), "r+"))
            undo.pop_all()
        self.file.close()
        self.file, self.end, self._columns, self._crc = file, file.seek(0, os.SEEK_END), wide, crc
        if self._sync:
            sync_folder(self.path.resolve().parent)

    def _pack(self, data: bytes) -> bytes:
        return data if self.compression is None else self.compression.compress(data)


def _by_member(records: Iterator[tuple[int, bytes]], end: int, raw: object) -> Iterator[bytes]:
    """Join records so that members end at least where they ended before: a job may be resumed at each of them."""
    lines: list[bytes] = []
    size = 0
    for length, record in records:
        end += length
        size += len(record)
        lines.append(record)
        if not isinstance(raw, Content) or size > CHUNK or raw.end_at(end) is not None:
            yield b"".join(lines)
            lines.clear()
            size = 0
    if lines:
        yield b"".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def _record(cells: Iterable[str]) -> bytes:
    return _records_of([cells])


def _records_of(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _identity(record: bytes) -> bytes:
    """Return the end of a record, which does not depend on columns that were added later."""
    return _bare(record).rstrip(b",")[-TAIL:]


def _bare(record: bytes) -> bytes:
    """Return a record without its line break, and without quotes that only mark it as one empty field."""
    bare = record.rstrip(b"\r\n")
    return b"" if bare == EMPTY else bare


def _columns_id(columns: Iterable[str]) -> str:
    """Return the number of columns, and a hash of their names."""
    names = list(columns)
    return f"{len(names)}.{digest(msgspec.json.encode(names))}"


def _narrow(record: bytes, width: int, old_width: int) -> bytes:
    """Return a record as it was written when it had fewer columns."""
    bare = _bare(record).removesuffix(b"," * (max(width, 1) - max(old_width, 1)))
    return (bare or (EMPTY if old_width else b"")) + EOL


def _records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the records of a file as bytes. A line break between quotes does not end a record (RFC 4180 section 2.6).

    Unlike `csv.reader`, it does not limit the length of a field.
    """
    lines: list[bytes] = []
    quotes = 0
    for line in file:
        lines.append(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            yield b"".join(lines)
            lines.clear()
    if lines:
        yield b"".join(lines)
