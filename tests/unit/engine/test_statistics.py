"""What a crawl does at one moment."""

from __future__ import annotations

import math
from collections.abc import Iterator

import trio
from trio.testing import MockClock

from crawler import Crawl, Plugin, Response, Settings, Spider, crawl
from crawler.hooks.crawl_statistics import CrawlStatistics, LaneStatistics
from crawler.testing import FakeSite, Page


class Walk(Spider):
    start_urls = ["https://site.test/"]

    def parse(self, response: Response) -> Iterator[object]:
        yield from response.follow_all("a")


class Look(Plugin):
    """Takes the statistics after some seconds."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = seconds
        self.taken: list[tuple[CrawlStatistics, LaneStatistics | None]] = []

    def lifespan(self, crawl: Crawl):
        crawl.start_soon(self.look, crawl)
        return super().lifespan(crawl)

    async def look(self, crawl: Crawl) -> None:
        began = trio.current_time()
        for at in self.seconds:
            await trio.sleep_until(began + at)
            now = crawl.control.statistics()
            assert len(now.lanes) == len(list(now.lanes))
            self.taken.append((now, now.lanes.get("https://site.test")))


async def taken(pages: dict[str, object], *seconds: float, **settings: object) -> list[LaneStatistics]:
    look = Look(*seconds)
    await crawl(Walk(), settings=Settings(**settings), plugins=[look], transport=FakeSite(pages).transport)
    return [lane for _, lane in look.taken if lane is not None]


async def test_a_lane_counts_its_requests_in_flight_and_waiting(autojump_clock: MockClock) -> None:
    pages = {"/": "<a href=/1>x</a><a href=/2>x</a><a href=/3>x</a>"} | {f"/{n}": "x" for n in (1, 2, 3)}
    [lane] = await taken(pages, 15.0, obey_robots=False, delay=10.0)
    assert (lane.in_flight, lane.waiting, lane.has_more, lane.ready_at) == (0, 2, False, -math.inf)


async def test_a_lane_tells_how_often_its_next_request_was_tried(autojump_clock: MockClock) -> None:
    settings = {"backoff_base": 60.0, "backoff_jitter": "equal"}  # no second attempt at once
    [lane] = await taken({"/": Page(status=500)}, 0.1, obey_robots=False, **settings)
    assert (lane.waiting, lane.attempts) == (1, 1)
    assert math.inf > lane.ready_at > 0


async def test_a_lane_shows_why_its_robots_txt_waits(autojump_clock: MockClock) -> None:
    pages = {"/robots.txt": Page(status=503, delay=2.0), "/": "x"}
    first, second = await taken(pages, 1.0, 2.01, backoff_base=60.0)
    assert (first.robots, second.robots) == ("fetching", "failed")
