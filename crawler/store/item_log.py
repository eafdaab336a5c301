"""`ItemLog`: the items of a job, in the order in which they were committed, and the position of each sink in them.

The items lie in `Spool`, an append-only file. Its committed length is kept in the database of the job: bytes behind
that length were never committed, and are cut off when the file is opened.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler.errors import JobError
from crawler.files import create_private, error_reason, write_all
from crawler.messages import Row

__all__ = ["ItemLog", "Spool", "read_rows"]

MAX_READ: Final = 8 * 1024 * 1024
"""Bytes after which a read ends; the row that crosses the limit is still returned."""


class ItemLog:
    """The spool of a job, and the table of its sinks. Changes are final once the surrounding transaction is committed.

    Parameters:
        database: The database of the job.
        path: The spool file.
        logged: Number of committed items.
        length: Committed length of the spool in bytes.
        sync: Whether each write must reach the disk before the commit.

    Raises:
        JobError: The spool is damaged.
    """

    def __init__(self, database: sqlite3.Connection, path: Path, logged: int, length: int, *, sync: bool) -> None:
        self.logged = logged
        """Number of committed items."""
        self._database = database
        self._spool = Spool(path, length)
        self._sync = sync
        self._sinks: dict[str, tuple[int, int, bytes | None]] = {}
        self._followed: set[str] = set()
        self._changed: set[str] = set()
        self._offsets: dict[int, int] = {0: 0}
        self._new = 0
        self._end = length
        for name, cursor, offset, position in database.execute("SELECT * FROM sink"):
            self._sinks[name] = (cursor, offset, position)

    def close(self) -> None:
        """Close the spool."""
        self._spool.close()

    # Writing, inside a transaction

    def begin(self) -> None:
        """Start writing for a new transaction; items of one that was rolled back are discarded."""
        self._new, self._end = 0, self._spool.length

    def append(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        """Write items, as (key, page, JSON), behind the committed ones."""
        rows = list(rows)
        if rows:
            self._end = self._spool.write(rows, at=self._end)
            self._new += len(rows)

    def save(self) -> dict[str, int]:
        """Save the sinks that advanced, and return the numbers that the transaction must keep, by name."""
        for name in self._changed:
            self._database.execute("INSERT OR REPLACE INTO sink VALUES (?, ?, ?, ?)", (name, *self._sinks[name]))
        self._changed.clear()
        if not self._new:
            return {}
        if self._sync:
            self._spool.sync()
        return {"spool": self._end, "logged": self.logged + self._new}

    def committed(self) -> None:
        """Count what was written as committed. Call it after the commit."""
        self._spool.length = self._end
        self.logged += self._new
        self._new = 0

    # Sinks

    def follows(self, sink: str) -> bool:
        """Return whether the job already has a sink of that name."""
        return sink in self._sinks

    def register(self, sink: str) -> None:
        """Add a sink, positioned at the beginning of the log. Call it inside a transaction."""
        self._database.execute("INSERT INTO sink VALUES (?, 0, 0, NULL)", (sink,))
        self._sinks[sink] = (0, 0, None)

    def position_of(self, sink: str) -> tuple[int, Any]:
        """Return the number of the next item of a sink, and the sink's own position. The sink reads on from there."""
        self._followed.add(sink)
        cursor, offset, position = self._sinks[sink]
        self._offsets[cursor] = offset
        return cursor, None if position is None else msgspec.json.decode(position)

    def read(self, after: int, n: int) -> list[Row]:
        """Return up to `n` items from number `after` on; fewer if they are long.

        Parameters:
            after: The position of a sink, or the end of what a sink has just read.
            n: Maximum number of items.
        """
        rows, ends = self._spool.read(self._offsets[after], min(n, self.logged - after))
        self._offsets.update(enumerate(ends, after + 1))
        return rows

    def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Set the position of a sink in memory; `save` writes it."""
        self._sinks[sink] = (cursor, self._offsets[cursor], msgspec.json.encode(position))
        self._changed.add(sink)
        first = min(self._sinks[name][0] for name in self._followed)
        for number in [number for number in self._offsets if number < first]:
            del self._offsets[number]


class _Line(msgspec.Struct):
    """One line of the file: one row."""

    key: str
    page: str
    item: msgspec.Raw


class Spool:
    """The file of a job's items.

    Parameters:
        path: The file. It is created if it does not exist and `length` is 0.
        length: Committed length in bytes.

    Raises:
        JobError: The file is shorter than `length`, or cannot be opened.
    """

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        try:
            create_private(path)
            self._file = path.open("r+b", buffering=0)
            size = self._file.seek(0, os.SEEK_END)
            if size < length:
                self._file.close()
                raise JobError(f"{path} is damaged: it has {size} bytes, but {length} were committed")
            self._file.truncate(length)
        except OSError as error:
            raise JobError(f"cannot open {path}: {error_reason(error)}") from error
        self.length = length
        """Committed length in bytes."""

    def write(self, rows: list[tuple[str, str, bytes]], *, at: int) -> int:
        """Write rows, as (key, page, item as JSON), at byte offset `at`, and return the offset behind them.

        Raises:
            OSError: The rows could not be written completely.
        """
        encode = msgspec.json.encode
        data = b"".join(
            b'{"key":%b,"page":%b,"item":%b}\n' % (encode(key), encode(page), item) for key, page, item in rows
        )
        self._file.seek(at)
        write_all(self._file.write, data)
        return at + len(data)

    def sync(self) -> None:
        """Wait until everything written is on the disk."""
        os.fdatasync(self._file.fileno())

    def read(self, offset: int, n: int) -> tuple[list[Row], list[int]]:
        """Return up to `n` committed rows from byte `offset` on, and the offset behind each."""
        return read_rows(self._path, offset, n, self.length)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_rows(path: Path, offset: int, n: int, length: int) -> tuple[list[Row], list[int]]:
    """Read up to `n` rows of a spool file; fewer if they are long.

    Parameters:
        path: The file.
        offset: Byte at which a row begins, or `length`.
        n: Maximum number of rows.
        length: Committed length in bytes.

    Returns:
        The rows, and for each the byte offset behind it.

    Raises:
        JobError: The file does not contain what was committed.
    """
    rows: list[Row] = []
    ends: list[int] = []
    try:
        with path.open("rb") as file:
            file.seek(offset)
            stop = min(length, offset + MAX_READ)
            while offset < stop and len(rows) < n:
                line = file.readline()
                found = msgspec.json.decode(line, type=_Line)
                rows.append(Row(bytes(found.item), found.key, found.page))
                offset += len(line)
                ends.append(offset)
    except (OSError, msgspec.DecodeError) as error:
        raise JobError(f"{path} is damaged: {error}") from error
    return rows, ends
