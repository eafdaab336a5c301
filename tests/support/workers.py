"""Crawls that share a job in memory, whose connections to it can be cut, and which can be killed."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any, cast

import trio
from support.memory_job import MemoryJob
from support.memory_worker import MemoryWorker

from crawler import Plugin, Report, Row, Settings, Spider
from crawler.engine.session import CrawlSession
from crawler.errors import LeaseLost
from crawler.store import Store
from crawler.testing import FakeSite

__all__ = ["Kept", "Worker", "kept_items"]


class Kept(Plugin):
    """A sink that works as a file does: what stands behind the position that the job has kept does not count."""

    def __init__(self, name: str = "kept", seconds: float = 0.0) -> None:
        self.name = name
        self.seconds = seconds
        """Seconds that a batch takes."""
        self.rows: list[Row] = []
        self.is_dead = False

    async def persist(self, batch: Sequence[Row]) -> Any:
        await trio.sleep(math.inf if self.is_dead else self.seconds)
        self.rows += batch
        return len(self.rows)


class Connection:
    """The store of a worker, behind a connection that can be cut. Calls that do not get through wait."""

    def __init__(self, store: MemoryWorker) -> None:
        self.store = store
        self.is_cut = False
        self._restored = trio.Event()

    def cut(self) -> None:
        """Let nothing through, in both directions."""
        if not self.is_cut:
            self.is_cut, self._restored = True, trio.Event()

    def restore(self) -> None:
        """Let everything through that waits."""
        self.is_cut = False
        self._restored.set()

    async def _reach(self) -> None:
        while self.is_cut:
            await self._restored.wait()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **options: Any) -> Any:
            await self._reach()
            answer = await found(*args, **options)
            await self._reach()
            return answer

        return call


class Worker(CrawlSession):
    """One crawl of a shared job."""

    def __init__(
        self,
        job: MemoryJob,
        spider: Spider,
        site: FakeSite,
        *,
        settings: Settings | None = None,
        keeps: Iterable[Kept] = (),
        outputs: Sequence[Any] = (),
    ) -> None:
        self.kept = Kept()
        self.keeps = {keep.name: keep for keep in (self.kept, *keeps)}
        super().__init__(spider, settings, list(self.keeps.values()), outputs, None)
        self.shared_job = job
        self.site = site
        self.report: Report | None = None
        self.error: LeaseLost | None = None
        self.is_dead = False
        self.ended = trio.Event()
        self._scope = trio.CancelScope()
        self._connected = trio.Event()

    async def _open_store(self, stack: AsyncExitStack) -> Store:
        job = self.shared_job
        self.connection = Connection(job.join())

        def leave() -> None:
            if not self.is_dead:
                job.remove(job.owners.get(self.owner))

        stack.callback(leave)
        self._connected.set()
        return cast("Store", self.connection)

    async def work(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run to the end, and keep the report or the error. `started` means that the worker has joined the job."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._work)
            await self._connected.wait()
            task_status.started()

    async def _work(self) -> None:
        with self._scope:
            try:
                self.report = await self.run(self.site.transport)
            except LeaseLost as error:
                self.error = error
        self.ended.set()

    def kill(self) -> None:
        """End the worker as SIGKILL does: nothing more of it reaches the store or the output."""
        self.is_dead = True
        for keep in self.keeps.values():
            keep.is_dead = True
        self.connection.cut()
        self._scope.cancel()

    def cancel(self) -> None:
        """Cancel the crawl."""
        self._scope.cancel()

    @property
    def owner(self) -> int:
        return self.connection.store.owner


def kept_items(job: MemoryJob, workers: Iterable[Worker], name: str = "kept") -> list[str]:
    """Return the URLs in one output of all workers, up to the positions that the job has kept."""
    found: list[str] = []
    for worker in workers:
        owner = job.owners.get(worker.owner)
        positions = job.positions[worker.owner] if owner is None else owner.positions
        found += [row.item["url"] for row in worker.keeps[name].rows[: positions.get(name) or 0]]
    return found
