"""`Spool`: the file with the items of a job, one row a line, in the order of their commits.

Each line has the number of its commit and a checksum. The database knows the committed length of the file: bytes after
it belong to a transaction that was not committed. They stay until something is written, so that a job that is refused
keeps them.
"""

from __future__ import annotations

import itertools
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from crawler.errors import JobError
from crawler.files import create_private, error_reason, sync_data, write_all
from crawler.messages import Row

__all__ = ["DamagedSpool", "Spool", "check_rows", "read_ahead", "read_rows"]

MAX_READ: Final = 8 * 1024 * 1024
"""Bytes after which a read ends; the row that crosses the limit is still returned."""
MAX_CHECKED: Final = 64 * 1024 * 1024
"""Bytes of the end of a spool that are checked when the job is opened. Damage before them shows when it is read."""
SUM: Final = b',"sum":'


class DamagedSpool(JobError):
    """Raised when a spool does not hold what was committed."""

    def __init__(self, path: Path, at: int, why: str) -> None:
        super().__init__(f"{path} is damaged at byte {at}: {why}")
        self.at = at


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the file: one row."""

    key: str
    page: str
    item: msgspec.Raw
    commit: int
    sum: int
    type: str = ""

    def row(self) -> Row:
        """Return the row."""
        return Row(bytes(self.item), self.key, self.page, None, self.type)


_decode_line = msgspec.json.Decoder(_Line).decode


class Spool:
    """The file of a job's items, open for writing. It is created if nothing was committed (`length` is 0)."""

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        self._is_cut = False  # whether the file ends where the last write ended
        try:
            create_private(path)
            self._file = path.open("r+b", buffering=0)
            size = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise JobError(f"cannot open {path}: {error_reason(error)}") from error
        if size < length:
            self._file.close()
            raise DamagedSpool(path, size, f"it ends there, but {length} bytes were committed")
        self.length = length
        """Committed length in bytes."""

    def write(self, rows: Sequence[Row], *, at: int, commit: int) -> int:
        """Write rows at byte offset `at`, and return the offset after them."""
        encode = msgspec.json.encode
        data = bytearray()
        for row in rows:
            kind = b'"type":%b,' % encode(row.type) if row.type else b""
            line = b'{"commit":%d,"key":%b,"page":%b,%b"item":%b' % (
                commit, encode(row.key), encode(row.page), kind, row.data
            )  # fmt: skip
            data += line + b"%b%d}\n" % (SUM, zlib.crc32(line))
        if not self._is_cut:
            self._file.truncate(at)
            self._is_cut = True
        self._file.seek(at)
        write_all(self._file.write, bytes(data))
        return at + len(data)

    def sync(self) -> None:
        """Wait until everything written is on the disk."""
        sync_data(self._file.fileno())

    def read(self, offset: int, n: int) -> tuple[list[Row], list[int]]:
        """Return up to `n` committed rows from byte `offset` on, and the offset after each."""
        return read_rows(self._path, offset, n, self.length)

    def close(self) -> None:
        """Close the file. Rows that were written and not committed are cut off."""
        with self._file:
            if self._is_cut:
                self._file.truncate(self.length)


def read_rows(path: Path, offset: int, n: int, length: int) -> tuple[list[Row], list[int]]:
    """Read up to `n` rows of a spool file, fewer if they are long, and return them with the offset after each."""
    rows: list[Row] = []
    ends: list[int] = []
    with _open(path) as file:
        for line, end in itertools.islice(_lines(path, file, offset, min(length, offset + MAX_READ)), n):
            rows.append(line.row())
            ends.append(end)
    return rows, ends


def check_rows(path: Path, length: int) -> int | None:
    """Check the end of the committed rows, and return the number of rows; `None` if not the whole file was checked."""
    start, count = 0, 0
    with _open(path) as file:
        if length > MAX_CHECKED:
            file.seek(length - MAX_CHECKED)
            start = length - MAX_CHECKED + len(file.readline())
        end = start
        for _, after in _lines(path, file, start, length):
            end = after
            count += 1
    if end != length:
        raise DamagedSpool(path, length, "a row was committed up to there, but none ends there")
    return None if start else count


def read_ahead(path: Path, offset: int) -> Iterator[tuple[int, Row]]:
    """Iterate over the whole rows from byte `offset` on, committed or not, with the numbers of their commits."""
    try:
        with _open(path) as file:
            for line, _ in _lines(path, file, offset, os.fstat(file.fileno()).st_size):
                yield line.commit, line.row()
    except DamagedSpool:
        return


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise JobError(f"cannot open {path}: {error_reason(error)}") from error


def _lines(path: Path, file: BinaryIO, offset: int, stop: int) -> Iterator[tuple[_Line, int]]:
    """Yield the rows that begin before `stop`, each with the offset after it."""
    file.seek(offset)
    while offset < stop:
        data = file.readline()
        try:
            line = _decode_line(data) if data.endswith(b"\n") else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            line = None
        if line is None:
            raise DamagedSpool(path, offset, _what_is_wrong(data))
        if line.sum != zlib.crc32(data.rpartition(SUM)[0]):
            raise DamagedSpool(path, offset, "an item has changed since it was written (wrong checksum)")
        offset += len(data)
        yield line, offset


def _what_is_wrong(line: bytes) -> str:
    """Describe a line that is not a row."""
    if not line.strip(b"\0\n"):
        return "there are zeros in place of an item" if line else "it ends there"
    return "that line is not a row of the log" if line.endswith(b"\n") else "it ends within an item"
