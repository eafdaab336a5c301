"""`RunRecorder`: records in the job when a run begins, and what it did when it ends."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import trio

from crawler.engine.shutdown import FINISH_GRACE
from crawler.errors import JobError
from crawler.store.runs import COUNTS, RunRow

if TYPE_CHECKING:
    from crawler.engine.scheduler import Scheduler

__all__ = ["RunRecorder"]


class RunRecorder:
    """Records one run of a job."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._row: RunRow | None = None

    async def begin(self) -> None:
        """Record that the run begins, so that a run that is killed is known."""
        crawl = self._scheduler.crawl
        if not crawl.job.durable:
            return
        self._row = RunRow(spider=crawl.spider.name, began=crawl.clock(), before=self._counts())
        await self._scheduler.store.record_run(self._row)

    async def end(self, *, failed: bool) -> None:
        """Record what the run did, if it has begun."""
        if self._row is None:
            return
        scheduler = self._scheduler
        row = msgspec.structs.replace(
            self._row,
            after=self._counts(),
            seconds=scheduler.crawl.clock() - self._row.began,
            finished="failed" if failed else scheduler.shutdown.reason or "finished",
            complete=not failed and scheduler.store.exhausted and scheduler.store.live == 0,
            problems=len(scheduler.crawl.job.problems),
        )
        with trio.move_on_after(FINISH_GRACE, shield=True), suppress(JobError):  # the disk may be full
            await scheduler.store.record_run(row)

    def _counts(self) -> dict[str, int]:
        return {name: getattr(self._scheduler.crawl.stats, name) for name in COUNTS}
