"""`ItemLog`: the items of a job, in the order in which they were committed, and the position of each sink in them.

The items lie in `Spool`, an append-only file. Its committed length is kept in the database of the job.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler.messages import Row
from crawler.store.spool import Spool, read_ahead

__all__ = ["ItemLog"]

GATHERED: Final = 1000
"""Items of one transaction in memory before they are written to the spool."""


class ItemLog:
    """The spool of a job, and the table of its sinks. Changes are final once the transaction around is committed."""

    def __init__(self, database: sqlite3.Connection, path: Path, numbers: Mapping[str, Any], *, sync: bool) -> None:
        self.logged = int(numbers.get("logged", 0))
        """Number of committed items."""
        length = int(numbers.get("spool", 0))
        self._commits = int(numbers.get("commits", 0))
        self._database = database
        self._path = path
        self._spool = Spool(path, length)
        self._sync = sync
        self._sinks: dict[str, tuple[int, int, bytes | None]] = {}
        self._followed: set[str] = set()
        self._changed: set[str] = set()
        self._offsets: dict[int, int] = {0: 0}
        self._gathered: list[Row] = []
        self._new = 0
        self._end = length
        for name, cursor, offset, position in database.execute("SELECT * FROM sink"):
            self._sinks[name] = (cursor, offset, position)

    def close(self) -> None:
        """Close the spool."""
        self._spool.close()

    def sync(self) -> None:
        """Wait until all items are on the disk."""
        self._spool.sync()

    # Writing, inside a transaction

    def begin(self) -> None:
        """Start writing for a new transaction; items of one that was rolled back are discarded."""
        self._new, self._end = 0, self._spool.length
        self._gathered.clear()

    def append(self, rows: Iterable[Row]) -> None:
        """Add items after the committed ones. They are written together, since each write takes system calls."""
        before = len(self._gathered)
        self._gathered += rows
        self._new += len(self._gathered) - before
        if len(self._gathered) >= GATHERED:
            self._write()

    def _write(self) -> None:
        if self._gathered:
            self._end = self._spool.write(self._gathered, at=self._end, commit=self._commits + 1)
            self._gathered.clear()

    def save(self) -> dict[str, int]:
        """Write the items, save the sinks that advanced, and return what the transaction must store, by name."""
        self._write()
        for name in self._changed:
            self._database.execute("INSERT OR REPLACE INTO sink VALUES (?, ?, ?, ?)", (name, *self._sinks[name]))
        self._changed.clear()
        if not self._new:
            return {}
        if self._sync:
            self._spool.sync()
        return {"spool": self._end, "logged": self.logged + self._new, "commits": self._commits + 1}

    def committed(self) -> None:
        """Count what was written as committed. Call it after the commit."""
        self._spool.length = self._end
        self._commits += bool(self._new)
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

    def positions(self) -> dict[str, Any]:
        """Return the positions of all sinks by name; `None` before the first one."""
        return {name: _decode(position) for name, (_, _, position) in self._sinks.items()}

    def rename(self, names: Mapping[str, str]) -> None:
        """Give sinks other names, and forget those that have one of them. Call it inside a transaction."""
        moved = {new: self._sinks.pop(old) for old, new in names.items()}
        for name in (*names, *moved):
            self._database.execute("DELETE FROM sink WHERE name = ?", (name,))
        self._sinks |= moved
        for name, row in moved.items():
            self._database.execute("INSERT INTO sink VALUES (?, ?, ?, ?)", (name, *row))

    def written_behind(self, sink: str) -> Iterator[Row]:
        """Iterate over the items after the position of a sink, committed or not, as far as they are whole."""
        return (row for _, row in read_ahead(self._path, self._sinks[sink][1]))

    def written_before(self, sink: str) -> Iterator[Row]:
        """Iterate over the items before the position of a sink, from the first one on."""
        return (row for _, row in islice(read_ahead(self._path, 0), self._sinks[sink][0]))

    def position_of(self, sink: str) -> tuple[int, Any]:
        """Return the number of the next item of a sink, and the sink's own position. The sink reads on from there."""
        self._followed.add(sink)
        cursor, offset, position = self._sinks[sink]
        self._offsets[cursor] = offset
        return cursor, _decode(position)

    def read(self, after: int, n: int) -> list[Row]:
        """Return up to `n` items from number `after` on; fewer if they are long."""
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


def _decode(position: bytes | None) -> Any:
    return None if position is None else msgspec.json.decode(position)
