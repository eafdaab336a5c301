"""The engine from outside: no deadlocks, politeness, independent lanes, nothing left behind."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import trio
from support.examples import sample
from support.trees import FREE, Follow, tree, tree_urls
from trio.testing import MockClock

from crawler import CrawlFailed, Pace, Plugin, Produced, Request, Response, Row, Settings, Spider, crawl
from crawler.clock import Clock
from crawler.engine.wiring import wire
from crawler.store import MemoryStore
from crawler.testing import FakeSite, Page, collect


class SlowSink(Plugin):
    """Takes a long time for each page."""

    name = "slow"

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.got: list[Any] = []

    async def persist(self, batch: Sequence[Row]) -> None:
        await trio.sleep(self.seconds)
        self.got += [row.item for row in batch]


@pytest.mark.parametrize("workers", [1, 2, 8, 64])
async def test_a_page_may_yield_any_number_of_requests_without_a_deadlock(
    autojump_clock: MockClock, workers: int
) -> None:
    site = tree(6, 3, hosts=3)
    with trio.fail_after(1e5):
        found = await collect(Follow(), site, settings=Settings(workers=workers))
    assert {item["url"] for item in found.items} == tree_urls(site)
    assert len(found.items) == len(tree_urls(site)) == len(site.log)
    assert found.report.finished == "finished"


async def test_a_lane_keeps_its_concurrency_and_its_delay(autojump_clock: MockClock) -> None:
    site = tree(5, 3, hosts=4, most=3.0)
    await collect(Follow(), site, settings=Settings(workers=16, per_host=2, delay=1.0))
    assert max(site.peak.values()) == 2
    starts = defaultdict(list)
    for visit in site.log:
        starts[visit.url.split("/")[2]].append(visit.at)
    for times in starts.values():
        assert all(later - earlier >= 1.0 - 1e-6 for earlier, later in itertools.pairwise(times))


async def test_a_rate_is_used_fully_and_not_exceeded(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "".join(f"<a href='/{n}'>x</a>" for n in range(60))} | {f"/{n}": "x" for n in range(60)})
    await collect(Follow(), site, settings=Settings(pacing={"site.test": Pace(rate="60/min")}))
    times = [visit.at for visit in site.log]
    assert times[-1] - times[0] == pytest.approx(60.0)


async def test_a_slow_host_occupies_no_worker_of_others(autojump_clock: MockClock) -> None:
    pages: dict[str, Any] = {f"https://slow.test/{n}": Page("x", delay=100) for n in range(50)}
    pages |= {f"https://fast{n}.test/": Page("x", delay=1) for n in range(30)}
    site = FakeSite(pages)
    started = trio.current_time()
    await collect(Follow(start_urls=list(pages)), site, settings=Settings(workers=4, per_host=1))
    last = max(visit.at for visit in site.log if "fast" in visit.url)
    assert last - started <= 12  # three workers fetch thirty hosts without waiting for fifty slow pages


async def test_a_retry_occupies_no_worker_while_it_waits(autojump_clock: MockClock) -> None:
    pages: dict[str, Any] = {"https://bad.test/": [Page(status=503)] * 2 + ["healed"]}
    pages |= {f"https://good{n}.test/": "x" for n in range(20)}
    site = FakeSite(pages)
    started = trio.current_time()
    found = await collect(
        Follow(start_urls=list(pages)), site, settings=Settings(workers=1, backoff_base=50, backoff_max=50)
    )
    assert max(visit.at for visit in site.log if "good" in visit.url) - started < 1.0
    assert len(site.visits("https://bad.test/")) == 3
    assert (found.report.pages, found.report.retries, found.report.failed) == (21, 2, 0)


async def test_nothing_is_left_running_when_a_crawl_has_ended(autojump_clock: MockClock) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    await collect(Follow(), tree(3, 2))
    assert trio.lowlevel.current_statistics().tasks_living == before


@pytest.mark.parametrize("seed", sample(20, range(200)))
async def test_a_cancel_at_any_moment_loses_no_dispatched_request(autojump_clock: MockClock, seed: int) -> None:
    chance = random.Random(seed)
    site = tree(3, 3, hosts=3, chance=chance, most=2.0)
    store, sink, clock = MemoryStore(), SlowSink(0.01), Clock()
    tasks = trio.lowlevel.current_statistics().tasks_living
    runs = 0
    while runs == 0 or store.live:
        runs += 1
        assert runs < 500
        spider = Follow() if runs == 1 else Follow(start_urls=[])
        plugins = [spider, sink]
        settings = Settings(workers=4, per_host=2, delay=0.05) | FREE
        engine = wire(spider, plugins, settings, store, site.transport, clock=clock)
        with trio.move_on_after(chance.random() * 6):
            await engine.run()
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        assert engine.scheduler.frontier.open_tickets == 0
        lanes = engine.scheduler.frontier.lanes.values()
        assert all(lane.throttle.busy == lane.limiter.borrowed_tokens == 0 for lane in lanes)
        if runs == 1 and not store.live and len(store.known) == 0:
            runs = 0  # cancelled before the start request was stored
    urls = [item["url"] for item in sink.got]
    assert sorted(urls) == sorted(tree_urls(site))


async def test_a_cancel_scope_around_a_crawl_ends_it_within_a_second(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": Page("x", delay=float("inf"))})
    started = trio.current_time()
    with trio.move_on_after(5) as scope:
        await collect(Follow(), site)
    assert scope.cancelled_caught
    assert trio.current_time() - started <= 6


async def test_more_lanes_than_fit_into_memory_are_all_crawled(autojump_clock: MockClock) -> None:
    pages = {f"https://h{n}.test/": Page("x", delay=0.1) for n in range(50)}
    spider = Follow(start_urls=list(pages))
    store = MemoryStore()
    engine = wire(spider, [spider], FREE, store, FakeSite(pages).transport)
    engine.scheduler.frontier.lanes.most = 7
    await engine.run()
    assert engine.crawl.stats.pages == 50
    assert store.live == 0


async def test_a_window_smaller_than_the_lane_is_refilled(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "".join(f"<a href='/{n}'>x</a>" for n in range(500))} | {f"/{n}": "x" for n in range(500)})
    spider = Follow()
    engine = wire(spider, [spider], FREE, MemoryStore(), site.transport)
    engine.scheduler.frontier.window = 10
    await engine.run()
    assert engine.crawl.stats.pages == 501


async def test_start_requests_are_pulled_as_needed(autojump_clock: MockClock) -> None:
    pulled = 0

    class Endless(Spider):
        settings = Settings(obey_robots=False, max_pages=30)

        async def start(self) -> AsyncIterator[Request]:
            nonlocal pulled
            for number in itertools.count():
                pulled = number
                yield Request(f"https://site.test/{number}")

        def parse(self, response: Response) -> Produced:
            yield {"url": response.url}

    found = await collect(Endless(), FakeSite({"/": "x"} | {f"/{n}": "x" for n in range(200)}))
    assert found.report.finished == "max_pages"
    assert found.report.pages == len(found.items) == 30
    assert pulled < 20_000


START = Request("https://site.test/")


async def _later(self: Spider) -> list[Request]:
    return [START]


async def _one_by_one(self: Spider) -> AsyncIterator[Request]:
    yield START


@pytest.mark.parametrize(
    "start",
    [lambda self: [START], lambda self: iter([START]), _later, _one_by_one],
    ids=["list", "iterator", "coroutine", "async generator"],
)
async def test_start_may_be_any_kind_of_function(autojump_clock: MockClock, start: Any) -> None:
    kind = type("Start", (Follow,), {"start": start})
    found = await collect(kind(), FakeSite({"/": "x"}))
    assert found.report.pages == 1


async def test_a_start_that_yields_a_wrong_type_ends_the_crawl_with_one_line(autojump_clock: MockClock) -> None:
    class Wrong(Follow):
        def start(self) -> Any:
            yield "https://site.test/"

    with pytest.raises(CrawlFailed, match=r"start\(\) must yield requests, not str"):
        await collect(Wrong(), FakeSite({"/": "x"}))


async def test_a_slow_sink_slows_the_crawl_instead_of_filling_memory(autojump_clock: MockClock) -> None:
    site = tree(10, 3)
    sink = SlowSink(10.0)
    farthest = 0

    class Watch(Follow):
        def parse(self, response: Response) -> Produced:
            nonlocal farthest
            farthest = max(farthest, self.crawl.stats.items - len(sink.got))
            yield from super().parse(response)  # type: ignore[misc]

    report = await crawl(Watch(), settings=Settings(sink_lag=20), outputs=[sink], transport=site.transport)
    assert len(sink.got) == report.items == 1111
    assert farthest <= 20 + 64 + 1000  # the lag of a sink, one commit, and one batch in transit


async def test_a_sink_that_fails_is_called_again_and_loses_nothing(autojump_clock: MockClock) -> None:
    class Flaky(SlowSink):
        name = "flaky"
        calls = 0

        async def persist(self, batch: Sequence[Row]) -> None:
            self.calls += 1
            if self.calls % 2:
                raise OSError("disk")
            await super().persist(batch)

    sink = Flaky()
    await crawl(Follow(), outputs=[sink], transport=tree(3, 2).transport)
    assert len(sink.got) == 13


async def test_a_sink_that_keeps_failing_ends_the_crawl(autojump_clock: MockClock) -> None:
    class Broken(Plugin):
        async def persist(self, batch: Sequence[Row]) -> None:
            raise OSError("disk full")

    with pytest.raises(CrawlFailed, match="broken.persist cannot store items: OSError: disk full"):
        await crawl(Follow(), outputs=[Broken()], transport=tree(2, 2).transport)


async def test_keys_of_items_are_unique(autojump_clock: MockClock) -> None:
    keys: list[str] = []

    class Keys(Plugin):
        async def persist(self, batch: Sequence[Row]) -> None:
            keys.extend(row.key for row in batch)

    class Two(Spider):
        start_urls = [f"https://site.test/{n}" for n in range(5)]

        def parse(self, response: Response) -> Produced:
            return [{"a": 1}, {"a": 1}]

    await crawl(Two(), settings=FREE, outputs=[Keys()], transport=FakeSite({f"/{n}": "x" for n in range(5)}).transport)
    assert len(keys) == len(set(keys)) == 10


async def test_a_transport_that_raises_any_exception_fails_only_its_request(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "<a href='/bad'>x</a><a href='/good'>x</a>", "/bad": RuntimeError("odd"), "/good": "x"})
    found = await collect(Follow(), site)
    assert (found.report.pages, found.report.failed) == (2, 1)


async def test_two_crawls_may_run_concurrently(autojump_clock: MockClock) -> None:
    site = tree(3, 2)
    reports: list[Any] = []

    async def one() -> None:
        reports.append((await collect(Follow(), site)).report)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)
    assert [report.pages for report in reports] == [13, 13]


async def test_lanes_that_wait_long_make_room_for_others(autojump_clock: MockClock) -> None:
    pages: dict[str, Any] = {
        f"https://shut{n}.test/": [Page(status=429, headers={"Retry-After": "3000"}), "x"] for n in range(5)
    }
    pages |= {f"https://open{n}.test/": "x" for n in range(5)}
    site = FakeSite(pages)
    spider = Follow(start_urls=list(pages))
    engine = wire(spider, [spider], FREE, MemoryStore(), site.transport)
    engine.scheduler.frontier.lanes.most = 5
    started = trio.current_time()
    await engine.run()
    assert engine.crawl.stats.pages == 10
    assert max(visit.at for visit in site.log if "open" in visit.url) - started < 10


async def test_a_start_that_waits_between_its_requests_delays_none_of_them(autojump_clock: MockClock) -> None:
    class Slowly(Follow):
        async def start(self) -> AsyncIterator[Request]:
            for number in range(3):
                yield Request(f"https://site.test/{number}")
                await trio.sleep(100)

    site = FakeSite({f"/{n}": "x" for n in range(3)})
    started = trio.current_time()
    await collect(Slowly(), site)
    assert [round(visit.at - started) for visit in site.log] == [0, 100, 200]


async def test_pages_that_wait_for_their_commit_count_as_in_flight(autojump_clock: MockClock) -> None:
    farthest = 0

    class Watch(Follow):
        def parse(self, response: Response) -> Produced:
            nonlocal farthest
            farthest = max(farthest, engine.scheduler.frontier.open_tickets)
            yield from super().parse(response)  # type: ignore[misc]

    spider, sink = Watch(), SlowSink(10.0)
    plugins = [spider, sink]
    settings = Settings(workers=4, per_host=4, sink_lag=5) | FREE
    engine = wire(spider, plugins, settings, MemoryStore(), tree(5, 3, most=0.01).transport)
    await engine.run()
    assert (engine.crawl.stats.pages, farthest) == (156, 4)
