"""Ends of a crawl: limits, signals, hanging servers and hanging sinks."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import trio
from support.trees import FREE, Follow, tree
from trio.testing import MockClock

from crawler import Crawl, CrawlFailed, Plugin, Produced, Request, Response, Row, Settings, Spider, crawl
from crawler.engine.session import CrawlSession
from crawler.store import Claimed, MemoryStore, Store
from crawler.testing import FakeSite, Page, collect

HANG = math.inf


class ManyItems(Follow):
    def parse(self, response: Response) -> Produced:
        yield from ({"url": response.url, "n": n} for n in range(3))
        yield from response.follow_all()


@pytest.mark.parametrize("workers", [1, 32])
@pytest.mark.parametrize("most", [1, 7, 40])
async def test_max_pages_is_exact(autojump_clock: MockClock, workers: int, most: int) -> None:
    report = (await collect(Follow(), tree(5, 3), settings=Settings(workers=workers, max_pages=most))).report
    assert (report.finished, report.pages, report.items) == ("max_pages", most, most)
    assert report.exit_code() == 0


async def test_max_pages_does_not_count_failed_pages(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "".join(f"<a href='/{n}'>x</a>" for n in range(9))} | {f"/{n}": "x" for n in range(5, 9)})
    report = (await collect(Follow(), site, settings=Settings(max_pages=4))).report
    assert (report.pages, report.finished) == (4, "max_pages")


async def test_max_items_keeps_all_items_of_the_page_that_reached_it(autojump_clock: MockClock) -> None:
    found = await collect(ManyItems(), tree(5, 3), settings=Settings(max_items=10))
    assert found.report.finished == "max_items"
    assert found.report.items == len(found.items) == 12


async def test_max_seconds_ends_a_crawl(autojump_clock: MockClock) -> None:
    started = trio.current_time()
    report = (await collect(Follow(), tree(5, 5, most=20), settings=Settings(max_seconds=30))).report
    assert report.finished == "max_seconds"
    assert report.exit_code() == 0
    assert trio.current_time() - started <= 30 + 20


async def test_max_depth_is_the_number_of_links_from_the_start(autojump_clock: MockClock) -> None:
    report = (await collect(Follow(), tree(3, 3), settings=Settings(max_depth=2))).report
    assert report.pages == 1 + 3 + 9
    assert report.filtered["depth"] > 0


async def test_max_errors_ends_a_crawl_with_exit_code_3(autojump_clock: MockClock) -> None:
    links = "".join(f"<a href='/{n}'>x</a>" for n in range(99))
    site = FakeSite({"/": links} | {f"/{n}": Page(status=500) for n in range(99)})
    report = (await collect(Follow(), site, settings=Settings(max_errors=5, attempts=1, workers=1))).report
    assert report.finished == "max_errors"
    assert report.exit_code() == 3
    assert report.failed == 5


async def test_a_spider_may_stop_its_crawl(autojump_clock: MockClock) -> None:
    class Enough(Follow):
        def parse(self, response: Response) -> Produced:
            self.crawl.stop("found it")
            yield {"url": response.url}
            yield from response.follow_all()

    found = await collect(Enough(), tree(5, 3))
    assert (found.report.finished, len(found.items), found.report.exit_code()) == ("found it", 1, 0)


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_stop_ends_hanging_requests_within_the_grace(autojump_clock: MockClock, at_once: bool) -> None:
    site = FakeSite({f"/{n}": Page("x", delay=HANG) for n in range(64)})
    spider = Follow(start_urls=[f"https://site.test/{n}" for n in range(64)])
    session = CrawlSession(spider, Settings(workers=64, per_host=64, grace=5), (), (), None)
    started = trio.current_time()
    reports: list[Any] = []

    async def run() -> None:
        reports.append(await session.run(site.transport))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.sleep(2)
        assert session.engine is not None
        assert session.engine.scheduler.frontier.open_tickets == 64
        assert session.interrupt()
        if at_once:
            assert session.interrupt(now=True)
    assert trio.current_time() - started <= 2 + (0 if at_once else 5) + 1
    assert reports[0].finished == "interrupted"
    assert reports[0].exit_code() == 130
    assert session.engine.crawl.control.statistics().waiting == 64  # all were put back


async def test_requests_in_flight_may_finish_within_the_grace(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": Page("<a href='/b'>x</a>", delay=8), "/b": "x"})

    class StopSoon(Follow):
        async def answer(self, request: Any) -> None:
            self.crawl.stop("soon")

    found = await collect(StopSoon(), site)
    assert found.items == [{"url": "https://site.test/"}]
    assert not site.visits("/b")


class Hang(Plugin):
    """A sink that never accepts a batch."""

    async def persist(self, batch: Sequence[Row]) -> None:
        await trio.sleep_forever()


async def test_a_hanging_sink_does_not_delay_a_stop(autojump_clock: MockClock) -> None:
    started = trio.current_time()
    with pytest.raises(CrawlFailed, match="hang did not store the last"):
        await crawl(
            Follow(),
            settings=Settings(sink_lag=5, max_seconds=10, grace=3),
            outputs=[Hang()],
            transport=tree(5, 4).transport,
        )
    assert trio.current_time() - started <= 10 + 3 + 1.1


async def test_a_hanging_sink_does_not_delay_a_cancel(autojump_clock: MockClock) -> None:
    started = trio.current_time()
    with trio.move_on_after(10) as scope:
        await crawl(Follow(), settings=Settings(sink_lag=5), outputs=[Hang()], transport=tree(5, 4).transport)
    assert scope.cancelled_caught
    assert trio.current_time() - started <= 11.1


async def test_a_hanging_callback_is_cancelled_and_its_page_is_put_back(autojump_clock: MockClock) -> None:
    class Slow(Spider):
        start_urls = ["https://site.test/"]
        settings = FREE

        async def parse(self, response: Response) -> Any:
            self.crawl.count("begun")
            await trio.sleep_forever()

    session = CrawlSession(Slow(), Settings(max_seconds=5, grace=2), (), (), None)
    report = await session.run(FakeSite({"/": "x"}).transport)
    assert (report.pages, report.failed, report.counters) == (0, 0, {})
    assert session.engine is not None
    assert session.engine.crawl.control.statistics().waiting == 1


async def test_a_stop_does_not_wait_for_a_lane_that_is_not_due(autojump_clock: MockClock) -> None:
    session = CrawlSession(Follow(), Settings(delay=60, grace=10), (), (), None)
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run, tree(3, 2).transport)
        await trio.sleep(5)
        assert session.engine is not None
        session.engine.crawl.stop("enough")
    assert trio.current_time() - started < 5.1


async def test_a_job_that_had_reached_its_limit_stops_at_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    site = tree(5, 3)
    for runs in (1, 2):
        report = await crawl(Follow(), settings=Settings(max_pages=7), job=tmp_path / "job", transport=site.transport)
        assert (report.finished, report.pages) == ("max_pages", 7), runs
    assert len(site.log) == 7
    report = await crawl(Follow(), job=tmp_path / "job", transport=site.transport)
    assert (report.finished, report.pages, report.earlier["pages"]) == ("finished", len(site.pages), 7)


class ManyStarts(Spider):
    settings = FREE

    def start(self) -> Iterator[Request]:
        yield from (Request(f"https://site.test/{n}") for n in range(10_200))

    def parse(self, response: Response) -> None:
        return None


async def test_a_cancel_from_outside_ends_a_crawl_that_has_more_start_requests_than_fit(
    autojump_clock: MockClock,
) -> None:
    site = FakeSite({f"/{n}": Page("x", delay=HANG) for n in range(1_000)})
    with trio.move_on_after(5) as scope:
        await crawl(ManyStarts(), transport=site.transport)
    assert scope.cancelled_caught
    assert trio.current_time() < 60


async def test_a_crawl_whose_time_is_up_before_it_begins_ends(autojump_clock: MockClock) -> None:
    class Slow(Plugin):
        name = "slow"

        @asynccontextmanager
        async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
            autojump_clock.jump(60)  # without a checkpoint, so the crawl is cancelled later
            yield

    report = await crawl(
        Follow(), plugins=[Slow()], settings=Settings(max_seconds=10, grace=0), transport=tree(1, 0).transport
    )
    assert (report.finished, report.requests) == ("cancelled", 0)


class SlowClaims(MemoryStore):
    """Finds no lane at first, and answers late, when there is one."""

    looks = True

    @property
    def unclaimed(self) -> bool:
        return self.looks or super().unclaimed

    async def claim(self, groups: int, n: int) -> Claimed:
        claimed = await super().claim(groups, n)
        self.looks = False
        await trio.sleep(0.1)
        return claimed


class WithSlowClaims(CrawlSession):
    async def _open_store(self, stack: AsyncExitStack) -> Store:
        return stack.enter_context(closing(SlowClaims()))


async def test_a_lane_that_comes_while_a_claim_waits_for_its_answer_is_claimed(autojump_clock: MockClock) -> None:
    session = WithSlowClaims(Follow(), None, [], [], None)
    with trio.fail_after(60):
        report = await session.run(tree(2, 2).transport)
    assert report.finished == "finished"
    assert report.pages > 1
