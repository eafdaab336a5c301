"""What each host of a crawl does at one moment."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from crawler.hooks.crawl_statistics import CrawlStatistics, LaneStatistics
from crawler.monitor.hosts import busiest, describe
from crawler.settings import Settings
from crawler.stats import Stats

NOW = 1000.0


def lane(**fields: Any) -> LaneStatistics:
    known = {"in_flight": 0, "waiting": 0, "has_more": False, "ready_at": -math.inf, "attempts": 0, "robots": ""}
    return LaneStatistics(**known | fields)


LANES = {
    "https://done.test": lane(),
    "https://small.test": lane(waiting=3),
    "https://large.test": lane(waiting=3, has_more=True),
    "https://busy.test": lane(in_flight=2),
    "bad\x1b[2Jname": lane(in_flight=1),
}
STATISTICS = CrawlStatistics(in_flight=3, waiting=6, next_start=NOW, limits={}, lanes=LANES)


def crawl() -> Any:
    return SimpleNamespace(stats=Stats(), settings=Settings(), clock=lambda: NOW)


def test_the_busiest_come_first() -> None:
    assert [host.name for host in busiest(crawl(), STATISTICS, 4)] == [
        "https://busy.test", "bad\\u001b[2Jname", "https://large.test", "https://small.test",
    ]  # fmt: skip


def test_a_host_says_when_it_continues_if_nothing_is_in_flight() -> None:
    down = CrawlStatistics(in_flight=0, waiting=6, next_start=NOW + 9, limits={}, lanes=LANES)
    assert describe("https://small.test", crawl(), down, NOW).words == "next in 9 s"
    assert describe("https://done.test", crawl(), down, NOW).words == "nothing waits"


def test_a_host_without_limits_and_a_host_that_is_not_in_memory() -> None:
    running = crawl()
    running.stats.lane("https://small.test").requests = 7
    small = describe("https://small.test", running, STATISTICS, NOW)
    assert (small.requests, small.ready_at, small.words) == (7, None, "next in turn")
    gone = describe("https://gone.test", running, STATISTICS, NOW)
    assert (gone.state, gone.requests, gone.ready_at) == ("done", 0, None)
