"""`MemoryJob`: a job in memory that several crawls in one event loop share, each as a separate worker.

It is the reference of what a shared store promises, in plain Python: other stores keep the same rows in a database.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs
from msgspec import Struct, field
from support.memory_groups import NOBODY, MemoryGroups

from crawler.clock import Clock
from crawler.frontier.wakeup import Wakeup
from crawler.messages import Request, Row
from crawler.stats import Stats
from crawler.store.outcome import CookieChange, ItemRow, RobotsAnswer

if TYPE_CHECKING:
    from support.memory_worker import MemoryWorker

__all__ = ["MemoryJob", "OwnerRow", "StateRow"]

LEASE: Final = 60.0
"""Seconds that a lease lasts."""


class StateRow(Struct, eq=False):
    """A value of the state of the spider or a plugin."""

    value: Any
    """As JSON, or `MISSING` after its deletion."""
    version: int
    """The version of all states with this change."""
    writer: int
    """The owner that changed it."""


class OwnerRow(Struct, eq=False):
    """A worker with a lease."""

    number: int
    until: float
    """When its lease ends, in seconds since the epoch."""
    stats: Stats = field(default_factory=Stats)
    """Its counts."""
    log: list[Row] = []
    """Its part of the item log."""
    cursors: dict[str, int] = {}
    """How many items of it each sink has stored."""
    positions: dict[str, Any] = {}
    """The position of each sink."""
    stages: dict[int, tuple[list[ItemRow], list[Request]]] = {}
    """Effects of pages whose callbacks are still running."""
    cookies: int = 0
    """Number of cookie changes that it knows."""
    notes: int = 0
    """Number of notes that it knows."""
    version: int = 0
    """The version of the states that it knows."""

    def unstored(self) -> list[Row]:
        """Return the items that a sink has not stored, each with the names of these sinks."""
        rows: list[Row] = []
        for number, row in enumerate(self.log):
            names = [name for name in self.cursors if not row.sinks or name in row.sinks]
            left = tuple(name for name in names if self.cursors[name] <= number)
            if left or not self.cursors:
                everybody = not row.sinks and len(left) == len(self.cursors)
                rows.append(row if everybody else attrs.evolve(row, sinks=left or row.sinks))
        return rows


class MemoryJob:
    """The rows of a job, and the rules of ownership.

    Parameters:
        lease: Seconds that a lease lasts.
    """

    def __init__(self, lease: float = LEASE) -> None:
        self.lease = lease
        self.groups = MemoryGroups()
        self.owners: dict[int, OwnerRow] = {}
        self.known: set[str] = set()
        self.digests: set[bytes] = set()
        self.states: dict[tuple[str, str], StateRow] = {}
        self.version = 0
        """The version of the states."""
        self.cookies: list[tuple[int, CookieChange]] = []
        """Changes of cookies, each with the owner that wrote it."""
        self.notes: list[tuple[int, str, bytes]] = []
        """Owner, name and value of what the crawl has learned as a whole: its networks, and origins of start pages."""
        self.robots: dict[str, RobotsAnswer] = {}
        self.live = 0
        self.round = 1
        self.exhausted = False
        self.seeds = NOBODY
        """The owner that runs `start()`."""
        self.past = Stats()
        """The counts of removed owners."""
        self.orphans: list[Row] = []
        """Items of removed owners that a sink has not stored."""
        self.positions: dict[int, dict[str, Any]] = {}
        """The positions of the sinks of removed owners, by owner and name."""
        self.runs: dict[int, Any] = {}
        """The record of the run of each owner."""
        self.changed = Wakeup()
        """Set whenever an answer may be another one."""
        self.numbers = itertools.count()
        """The places of requests."""
        self._next_owner = itertools.count(1)
        self._clock: Clock | None = None
        self._called_at = -math.inf

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[MemoryWorker]:
        """Join the job as a new owner, and leave it at the end of the block."""
        worker = self.join()
        try:
            yield worker
        finally:
            self.remove(self.owners.get(worker.owner))

    def join(self) -> MemoryWorker:
        """Return the store of a new owner."""
        from support.memory_worker import MemoryWorker  # noqa: PLC0415 - which imports this module

        owner = OwnerRow(next(self._next_owner), self.now() + self.lease)
        self.owners[owner.number] = owner
        self.reap(owner)
        return MemoryWorker(self, owner)

    def now(self) -> float:
        """Return the time by the clock of the store, in seconds since the epoch."""
        if self._clock is None:
            self._clock = Clock()
        return self._clock()

    # ---- owners ------------------------------------------------------------------------------------------------------

    def reap(self, owner: OwnerRow) -> None:
        """Remove the other owners whose leases have ended. Their items go to the log of the owner that calls.

        If there was no call for half a lease, the store itself was suspended: that time does not count.
        """
        now = self.now()
        away = now - self._called_at
        self._called_at = now
        if self.lease / 2 < away < math.inf:
            for each in self.owners.values():
                each.until += away
        for other in [other for other in self.owners.values() if other is not owner and other.until <= now]:
            self.remove(other)
        owner.log += self.orphans
        self.orphans = []

    def remove(self, owner: OwnerRow | None) -> None:
        """Remove an owner. Groups that it has not released become free, and are unclean: requests may be in flight.

        Parameters:
            owner: The owner. `None` if it was removed already.
        """
        if owner is None:
            return
        del self.owners[owner.number]
        for group in self.groups.of(owner.number):
            self.groups.give_up(group)
            group.unclean = True
        self.groups.stop_waiting(owner.number)
        if self.seeds == owner.number:
            self.seeds = NOBODY
        self.past.add(owner.stats)
        self.positions[owner.number] = owner.positions
        self.orphans += owner.unstored()
        self.changed.set()

    def others(self, owner: OwnerRow) -> dict[str, int]:
        """Return the counts of all other owners that limits of the crawl are about."""
        stats = [self.past, *(other.stats for other in self.owners.values() if other is not owner)]
        return {name: sum(getattr(each, name) for each in stats) for name in ("pages", "items", "failed")}

    def behind(self, owner: OwnerRow) -> int:
        """Return the number of items that are left of the owners before this one."""
        earlier = (other for number, other in self.owners.items() if number < owner.number)
        return len(self.orphans) + sum(len(other.unstored()) for other in earlier)

    # ---- groups ------------------------------------------------------------------------------------------------------

    def share(self) -> int:
        """Return how many groups with requests one owner may have."""
        return max(1, math.ceil(self.groups.busy / max(1, len(self.owners))))

    def surplus(self, owner: OwnerRow) -> int:
        """Return how many groups an owner has beyond its share, if another one could have them."""
        return 0 if self.groups.free else max(0, self.groups.busy_of(owner.number) - self.share())

    def total(self) -> Stats:
        """Return the counts of all owners."""
        total = Stats()
        for stats in (self.past, *(owner.stats for owner in self.owners.values())):
            total.add(stats)
        return total
