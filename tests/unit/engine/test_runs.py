"""What a job records of its runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from support.trees import Follow, tree
from trio.testing import MockClock

from crawler import CrawlFailed, Plugin, Report, Settings, crawl
from crawler.stats import RunRecord
from crawler.store.inspect import runs_of


class Seen(Plugin):
    """Keeps the runs that a plugin sees."""

    def __init__(self) -> None:
        self.runs: Any = None

    async def persist(self, batch: Any) -> None:
        self.runs = self.crawl.job.runs


async def run(job: Path | None, *plugins: Plugin, **settings: Any) -> Report:
    site = tree(3, 2)
    return await crawl(Follow(), plugins=plugins, job=job, transport=site.transport, settings=Settings(**settings))


def short(runs: list[RunRecord]) -> list[tuple[int, int, str | None, bool]]:
    return [(run.number, run.pages, run.finished, run.complete) for run in runs]


async def test_each_run_of_a_job_is_recorded(autojump_clock: MockClock, tmp_path: Path) -> None:
    job, seen = tmp_path / "job", Seen()
    await run(job, max_pages=4)
    await run(job, seen)
    assert short(seen.runs) == [(1, 4, "max_pages", False)]
    await run(job)
    assert short(runs_of(job)) == [(1, 4, "max_pages", False), (2, 9, "finished", True), (3, 0, "finished", True)]
    first, second, _ = runs_of(job)
    assert (first.spider, first.requests, first.items, first.failed) == ("follow", 4, 4, 0)
    assert first.seconds is not None
    assert second.began >= first.began + first.seconds


async def test_problems_and_failures_are_recorded(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Doubts(Plugin):
        def measure(self, usage: Any) -> None:
            if not self.crawl.job.problems:  # type: ignore[attr-defined]
                self.crawl.job.report_problem("doubts: no")

    class Broken(Plugin):
        def measure(self, usage: Any) -> None:
            raise ValueError("broken")

    job = tmp_path / "job"
    await run(job, Doubts(), max_pages=2)
    with pytest.raises(CrawlFailed):
        await run(job, Broken())
    with trio.move_on_after(0.5):
        await run(job, delay=1)
    first, second, third = runs_of(job)
    assert (first.problems, second.problems) == (1, 0)
    assert (second.finished, second.complete) == ("failed", False)
    assert (third.finished, third.complete) == ("cancelled", False)


async def test_a_crawl_that_failed_has_a_report_like_any_other(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Broken(Plugin):
        def measure(self, usage: Any) -> None:
            self.crawl.job.report_problem("doubts: no")  # type: ignore[attr-defined]
            raise ValueError("broken")

    job = tmp_path / "job"
    finished = await run(job, max_pages=2, proxies={"*": "http://proxy.test:8080"})
    with pytest.raises(CrawlFailed) as failed:
        await run(job, Broken(), proxies={"*": "http://proxy.test:8080"})
    report = failed.value.report
    assert report is not None
    assert report.to_dict().keys() == finished.to_dict().keys()
    assert (report.finished, report.problems, report.pages) == ("failed", ["doubts: no"], 2)
    assert report.earlier == {"pages": 2, "items": 2, "requests": 2}
    assert report.proxies == {"proxy.test:8080": {"requests": 1, "failures": 0}}


async def test_a_crawl_without_a_job_records_nothing(autojump_clock: MockClock) -> None:
    seen = Seen()
    await run(None, seen)
    assert seen.runs == ()
