"""`MemoryLog`: the common part of all calls of a worker of a `MemoryJob`, and its part of the item log."""

from __future__ import annotations

import itertools
from collections.abc import Container
from typing import Any, Final

import msgspec
import trio
from support.memory_job import MemoryJob, OwnerRow

from crawler.messages import Row
from crawler.store.own_log import OwnLog
from crawler.store.runs import RunRow

__all__ = ["MemoryLog"]


class MemoryLog(OwnLog):
    """The base class of `MemoryWorker`.

    Parameters:
        job: The rows.
        owner: That of this worker.
    """

    shared: Final = True
    job_name: Final = "memory"
    durable: Final = True

    def __init__(self, job: MemoryJob, owner: OwnerRow) -> None:
        self._job = job
        self._owner = owner
        self.owner = owner.number
        self.lease = job.lease
        self._answer()

    async def _transaction(self) -> bool:
        """Begin a transaction, and return whether this owner is still there."""
        await trio.lowlevel.checkpoint()
        return self.owner in self._job.owners

    def _answer(self) -> None:
        """Note the state of the job in the answer to a call."""
        job, owner = self._job, self._owner
        self.known: Container[str] = job.known
        self.live, self.exhausted, self.round = job.live, job.exhausted, job.round
        self.behind, self.others, self.logged = job.behind(owner), job.others(owner), len(owner.log)
        self.unclaimed = job.groups.busy_of(self.owner) < job.share() and job.groups.has_ready(job.now())

    # ---- items -------------------------------------------------------------------------------------------------------

    async def follow(self, sink: str) -> tuple[int, Any]:
        """Return the number of the next item of a sink, and its position. A new sink begins with the first item."""
        await self._transaction()
        return self._owner.cursors.setdefault(sink, 0), self._owner.positions.get(sink)

    async def read(self, after: int, n: int) -> list[Row]:
        """Return up to `n` items from number `after` on."""
        if not await self._transaction():
            return []
        return list(itertools.islice(self._owner.log, after, after + n))

    async def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Record the position of a sink."""
        value = msgspec.json.decode(msgspec.json.encode(position))  # as a database would keep it
        if await self._transaction():
            self._owner.cursors[sink], self._owner.positions[sink] = cursor, value
            if cursor == len(self._owner.log):
                self._job.changed.set()

    async def record_run(self, run: RunRow) -> None:
        """Record what the run of this worker does."""
        if await self._transaction():
            self._job.runs[self.owner] = run
