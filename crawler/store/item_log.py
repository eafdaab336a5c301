"""`ItemLog`: the items of a job, and where each sink stands in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from crawler.messages import Row
from crawler.store.spool import Spool

__all__ = ["ItemLog"]


class ItemLog:
    """A spool file and the table of sinks. What is written here is true once the transaction around it is.

    Parameters:
        database: of the job.
        path: of the spool file.
        logged: items that are committed.
        length: bytes of the spool that are committed.
        sync: whether each write has to reach the disk.

    Raises:
        JobError: the spool is damaged.
    """

    def __init__(self, database: sqlite3.Connection, path: Path, logged: int, length: int, *, sync: bool) -> None:
        self.logged = logged
        """Items that are committed."""
        self._database = database
        self._spool = Spool(path, length)
        self._sync = sync
        self._sinks: dict[str, tuple[int, int, bytes | None]] = {}
        self._followed: set[str] = set()
        self._changed: set[str] = set()
        self._places: dict[int, int] = {0: 0}
        self._new = 0
        self._end = length
        for name, cursor, place, position in database.execute("SELECT * FROM sink"):
            self._sinks[name] = (cursor, place, position)

    def close(self) -> None:
        """Closes the spool."""
        self._spool.close()

    # Writing, inside of a transaction

    def begin(self) -> None:
        """Forgets what was written for a transaction that was rolled back."""
        self._new, self._end = 0, self._spool.length

    def append(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        """Writes items of (key, page, JSON) behind what is committed."""
        rows = list(rows)
        if rows:
            self._end = self._spool.write(rows, at=self._end)
            self._new += len(rows)

    def save(self) -> dict[str, int]:
        """Saves the sinks that moved on; gives the numbers that the transaction has to keep of the log."""
        for name in self._changed:
            self._database.execute("INSERT OR REPLACE INTO sink VALUES (?, ?, ?, ?)", (name, *self._sinks[name]))
        self._changed.clear()
        if not self._new:
            return {}
        if self._sync:
            self._spool.sync()
        return {"spool": self._end, "logged": self.logged + self._new}

    def committed(self) -> None:
        """The transaction is true."""
        self._spool.length = self._end
        self.logged += self._new
        self._new = 0

    # Sinks

    def follows(self, sink: str) -> bool:
        """Whether a sink of that name belongs to the job already."""
        return sink in self._sinks

    def enter(self, sink: str) -> None:
        """Takes in a sink, at the beginning of the log; inside of a transaction."""
        self._database.execute("INSERT INTO sink VALUES (?, 0, 0, NULL)", (sink,))
        self._sinks[sink] = (0, 0, None)

    def stands(self, sink: str) -> tuple[int, Any]:
        """The number of the next item of a sink that will read on from there, and its position."""
        self._followed.add(sink)
        cursor, place, position = self._sinks[sink]
        self._places[cursor] = place
        return cursor, None if position is None else msgspec.json.decode(position)

    def read(self, after: int, n: int) -> list[Row]:
        """Up to `n` items from number `after` on, which a sink stands at or has just read up to; fewer long ones."""
        rows, places = self._spool.read(self._places[after], min(n, self.logged - after))
        self._places.update(enumerate(places, after + 1))
        return rows

    def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Notes where a sink stands; `save` keeps it."""
        self._sinks[sink] = (cursor, self._places[cursor], msgspec.json.encode(position))
        self._changed.add(sink)
        first = min(self._sinks[name][0] for name in self._followed)
        for number in [number for number in self._places if number < first]:
            del self._places[number]
