"""The hook `lifespan` and the tasks, states and problems of plugins around a crawl."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from support.trees import LINKS, Follow
from trio.testing import MockClock

from crawler import (
    Crawl,
    CrawlFailed,
    Plugin,
    Produced,
    Request,
    crawl,
)
from crawler.testing import FakeSite, Page, collect


async def test_lifespans_nest_in_the_order_of_the_plugins(autojump_clock: MockClock) -> None:
    events: list[str] = []

    class Outer(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            events.append(f"{self.name} in {crawl is self.crawl}")
            yield
            events.append(f"{self.name} out {crawl.stats.pages}")

    class Inner(Outer):
        pass

    await collect(Follow(), FakeSite(LINKS), plugins=[Outer(), Inner()])
    assert events == ["outer in True", "inner in True", "inner out 3", "outer out 3"]


async def test_a_lifespan_that_raises_prevents_the_start(autojump_clock: MockClock) -> None:
    class Broken(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            raise OSError("no database")
            yield

    site = FakeSite(LINKS)
    with pytest.raises(CrawlFailed, match=r"broken.lifespan failed: OSError: no database"):
        await collect(Follow(), site, plugins=[Broken()])
    assert site.log == []


async def test_background_tasks_end_with_the_crawl_and_their_errors_end_it(autojump_clock: MockClock) -> None:
    class Ticker(Plugin):
        ticks = 0

        def __init__(self, *, fail: bool) -> None:
            self.fail = fail

        async def answer(self, request: Request) -> None:
            if not self.ticks:
                self.ticks = 1
                self.crawl.start_soon(self.tick)

        async def tick(self) -> None:
            while True:
                await trio.sleep(1)
                self.ticks += 1
                if self.fail:
                    raise OSError("ticker broke")

    site = FakeSite({"/": Page("x", delay=10.5)})
    quiet = Ticker(fail=False)
    await collect(Follow(), site, plugins=[quiet])
    assert quiet.ticks == 11
    with pytest.raises(CrawlFailed, match="OSError: ticker broke"):
        await collect(Follow(), site, plugins=[Ticker(fail=True)])


async def test_a_lifespan_that_cancels_itself_ends_the_crawl_with_one_line(autojump_clock: MockClock) -> None:
    class Impatient(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            with trio.move_on_after(5):
                yield

    with pytest.raises(CrawlFailed, match="impatient.lifespan cancelled the crawl"):
        await collect(Follow(), FakeSite({"/": Page("x", delay=100)}), plugins=[Impatient()])


async def test_a_lifespan_sees_why_a_crawl_failed_and_cannot_hide_it(autojump_clock: MockClock) -> None:
    seen: list[str] = []

    class Hide(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            try:
                yield
            except Exception as error:
                seen.append(type(error).__name__)

    class Broken(Follow):
        def start(self) -> Produced:
            raise OSError("no seeds")

    with pytest.raises(CrawlFailed, match="OSError: no seeds"):
        await collect(Broken(), FakeSite({}), plugins=[Hide()])
    assert seen == ["ExceptionGroup"]


async def test_a_state_that_a_lifespan_changes_at_its_end_is_kept_in_the_job(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    found: list[int] = []

    class Runs(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
            found.append(self.state.get("runs", 0))
            yield
            self.state["runs"] = self.state.get("runs", 0) + 1

    for _ in range(3):
        await crawl(Follow(), plugins=[Runs()], job=tmp_path / "job", transport=FakeSite(LINKS).transport)
    assert found == [0, 1, 2]


async def test_a_problem_that_a_plugin_reports_makes_the_exit_code_1(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Judge(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
            yield
            crawl.job.report_problem("too few of https://a:b@site.test/")

    found = await collect(Follow(), FakeSite(LINKS), plugins=[Judge()])
    assert found.report.problems == ["too few of https://***@site.test/"]
    assert (found.report.finished, found.report.exit_code()) == ("finished", 1)
    assert found.report.to_dict()["problems"] == found.report.problems
    assert [record.message for record in caplog.records] == found.report.problems
