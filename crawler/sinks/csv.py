"""`Csv`: a table that gets a new column when an item brings a new field."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from io import FileIO
from typing import Any, BinaryIO, Final

import msgspec
import trio

from crawler.files import replace_file, sync_folder
from crawler.messages import Row
from crawler.sinks.base import FileSink, last_line

__all__ = ["Csv"]

EOL: Final = b"\r\n"
CHUNK: Final = 1024 * 1024
FIELD: Final = r'(?:"(?:[^"]|"")*"|[^",\r\n]*)'
RECORD: Final = re.compile(rf"{FIELD}(?:,{FIELD})*[\r\n]*")


class Csv(FileSink):
    """Items as CSV (RFC 4180), UTF-8, with a header line.

    The columns are the fields of the first batch, in order. A new field adds a column: a wider copy of the file is
    written beside it and replaces it. Strings are written as they are, `None` and missing fields are empty, and every
    other value is JSON.
    """

    name = "csv"
    _columns: dict[str, None] | None = None
    _rows: int

    def inspect(self, file: BinaryIO) -> None:
        """Check that the first record is a header and the last one is complete."""
        quotes = sum(chunk.count(b'"') for chunk in iter(lambda: file.read(CHUNK), b""))
        if quotes % 2:
            raise self.refuse("it ends inside a quoted field")
        file.seek(0)
        try:
            header = next(_records(file)).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise self.refuse("it is not UTF-8") from None
        if not RECORD.fullmatch(header):
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
        if end and not last_line(self.file).endswith(b"\n"):
            end = self.put(EOL, end)
        self._rows = -1
        if end:
            with self.path.open("rb", buffering=CHUNK) as file:
                self._rows = sum(1 for _ in _records(file)) - 1
        return end

    def cut(self, position: Any) -> int:
        """Truncate the file to `position` records. Columns that were added later stay."""
        self.file.seek(0)
        self._rows, end = -1, 0
        if position >= 0:
            with self.path.open("rb", buffering=CHUNK) as file:
                for record in _records(file):
                    end += len(record)
                    if self._rows < 0:
                        header = io.StringIO(record.decode("utf-8-sig"), newline="")
                        self._columns = dict.fromkeys(next(csv.reader(header)))
                    self._rows += 1
                    if self._rows == position:
                        break
        if self._rows < position:
            raise self.too_short(f"{max(self._rows, 0)} of {position} records")
        return self.cut_at(end)

    def here(self) -> int:
        """Return the number of records without the header; -1 means that the header is missing too."""
        return self._rows

    async def persist(self, batch: Sequence[Row]) -> int:
        """Write a record for each item, and return the number of records in the file."""
        items = [row.item for row in batch]
        columns = dict.fromkeys([*(self._columns or ()), *(name for item in items for name in item)])
        if self._columns is None:
            self.end = self.put(_record(columns), self.end)
            self._columns = columns
            self._rows = 0
        elif len(columns) > len(self._columns):
            await trio.to_thread.run_sync(self._widen, self._columns, columns)  # it takes as long as the file is large
        text = io.StringIO(newline="")
        write = csv.writer(text).writerow
        for item in items:
            write([_cell(item.get(name)) for name in columns])
        self.end = self.put(text.getvalue().encode(), self.end)
        self._rows += len(items)
        return self._rows

    def _widen(self, narrow: dict[str, None], wide: dict[str, None]) -> None:
        """Rewrite the file with more columns. The old file stays until the new one is complete."""
        padding = b"," * (len(wide) - max(len(narrow), 1)) + EOL
        with ExitStack() as undo:
            with (
                self.path.open("rb", buffering=CHUNK) as old,
                replace_file(self.path, sole_writer=True) as new,
            ):
                records = _records(old)
                next(records)
                new.write(_record(wide))
                new.writelines((record.rstrip(b"\r\n") or b'""') + padding for record in records)
                new.flush()
                if self._sync:  # the old file goes only when the new one is on the disk
                    os.fsync(new.fileno())
                file = undo.enter_context(FileIO(os.dup(new.fileno()), "r+"))
            undo.pop_all()
        self.file.close()
        self.file, self.end, self._columns = file, file.seek(0, os.SEEK_END), wide
        if self._sync:
            sync_folder(self.path.resolve().parent)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def _record(names: dict[str, None]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(names)
    return text.getvalue().encode()


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
