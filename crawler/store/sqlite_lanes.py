"""`SqliteLanes`: the numbers of the lanes of a `SqliteStore`, which of them are leased, and which have requests."""

from __future__ import annotations

import itertools
import sqlite3
from typing import Final

__all__ = ["SqliteLanes"]

MAX_LANES: Final = 16_384
"""Lanes whose numbers are kept in memory, and lanes with requests that are remembered to be unleased."""


class SqliteLanes:
    """The lanes of a job for its only owner. Nothing here begins a transaction."""

    def __init__(self, database: sqlite3.Connection, opened: int) -> None:
        self._database = database
        self._opened = opened
        self._numbers: dict[str, int] = {}
        self._epochs: dict[int, int] = {}  # of the leased lanes
        self._leases = itertools.count()
        self._unleased: dict[int, None] = {}  # lanes with requests, in the order in which they got them
        self._scan = True  # whether there may be others in the database

    @property
    def has_unleased(self) -> bool:
        """Whether there may be lanes with requests that are not leased."""
        return bool(self._unleased) or self._scan

    def number(self, name: str) -> int:
        """Return the number of a lane or host, which gets one if it has none."""
        lane = self._numbers.get(name)
        if lane is None:
            self._database.execute("INSERT OR IGNORE INTO lane (name) VALUES (?)", (name,))
            lane = int(self._database.execute("SELECT id FROM lane WHERE name = ?", (name,)).fetchone()[0])
            if len(self._numbers) >= MAX_LANES + len(self._epochs):
                self._numbers = {leased: number for leased, number in self._numbers.items() if number in self._epochs}
            self._numbers[name] = lane
        return lane

    def held(self, name: str, epoch: int) -> int | None:
        """Return the number of a lane that is held under this lease; `None` if it is not."""
        lane = self._numbers.get(name)
        return None if lane is None or epoch != self._epochs.get(lane) else lane

    def note_requests(self, lane: int) -> bool:
        """Return whether a lane that has received requests is leased. If not, `find_unleased` will find it."""
        if lane in self._epochs:
            return True
        if len(self._unleased) < MAX_LANES:
            self._unleased[lane] = None
        else:
            self._scan = True
        return False

    def find_unleased(self, count: int) -> list[int]:
        """Return up to `count` lanes that have requests and are not leased."""
        found = [lane for lane in list(self._unleased)[:count] if lane not in self._epochs]
        for lane in found:
            self._unleased.pop(lane)
        if len(found) < count and self._scan:
            taken = set(found)
            last = -1
            while len(found) < count:
                row = self._database.execute(
                    "SELECT lane FROM pending WHERE lane > ? ORDER BY lane LIMIT 1", (last,)
                ).fetchone()
                if row is None:
                    self._scan = False
                    break
                last = row[0]
                if last not in self._epochs and last not in taken:
                    found.append(last)
        return found

    def lease(self, lane: int, name: str) -> int:
        """Lease a lane, and return the epoch of its lease."""
        self._epochs[lane] = (self._opened << 32) + next(self._leases)
        self._numbers[name] = lane
        return self._epochs[lane]

    def release(self, lane: int) -> None:
        """End the lease of a lane."""
        del self._epochs[lane]
        if self._database.execute("SELECT 1 FROM pending WHERE lane = ? LIMIT 1", (lane,)).fetchone():
            self._unleased[lane] = None
