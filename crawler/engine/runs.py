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
    from crawler.engine.crawl import Crawl
    from crawler.store import Store

__all__ = ["RunRecorder"]


class RunRecorder:
    """Records one run of a job."""

    def __init__(self, crawl: Crawl, store: Store) -> None:
        self._crawl = crawl
        self._store = store
        self._row: RunRow | None = None

    async def begin(self) -> None:
        """Record that the run begins, so that a run that is killed is known."""
        crawl = self._crawl
        if not crawl.job.durable:
            return
        self._row = RunRow(spider=crawl.spider.name, began=crawl.clock(), before=self._counts())
        await self._store.record_run(self._row)

    async def end(self, *, failed: bool) -> None:
        """Record what the run did, if it has begun."""
        if self._row is None:
            return
        crawl, store = self._crawl, self._store
        row = msgspec.structs.replace(
            self._row,
            after=self._counts(),
            seconds=crawl.clock() - self._row.began,
            finished="failed" if failed else (reason := crawl.reason or "finished"),
            complete=not failed and store.exhausted and store.live == 0,
            problems=len(crawl.job.problems) + len(crawl.job.losses("" if failed else reason)),
        )
        with trio.move_on_after(FINISH_GRACE, shield=True), suppress(JobError):  # the disk may be full
            await store.record_run(row)

    def _counts(self) -> dict[str, int]:
        return {name: getattr(self._crawl.stats, name) for name in COUNTS}
