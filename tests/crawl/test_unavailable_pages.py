"""Responses with status 503 that state no wait: broken pages fail after a while, and a limit costs no page.

If nothing else is left, a broken page is waited for as a limit is: the longest silent ones refuse for an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import trio
from support.internet import Chain, Pages
from support.server_limits import AlignedWindow, FixedWindow, Limit, SlidingLog, TokenBucket
from trio.testing import MockClock

from crawler import Settings, Spider
from crawler.testing import collect

HOST = "https://h0.test"
LONGEST = 5_500.0
"""Seconds after which a server is given up that has served pages, with some for the crawl itself."""


class Site(httpx.AsyncBaseTransport):
    """A site that answers some requests with a 503.

    Parameters:
        broken: Numbers of the pages that are always answered so.
        once: Numbers of those that are answered so once.
        limit: Requests that exceed it are answered so.
        wait: Seconds to wait that these responses state, if any.
    """

    def __init__(self, broken: Any = (), *, once: Any = (), limit: Limit | None = None, wait: int = 0) -> None:
        self.broken = {f"/{number}" for number in broken}
        self.once = {f"/{number}" for number in once}
        self.limit = limit
        self.fields = {"Retry-After": f"{wait}"} if wait else {}
        self.refused = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(0.05)
        path = request.url.path
        is_refused = path in self.broken or path in self.once
        self.once.discard(path)
        if self.limit is not None and not self.limit.decide(trio.current_time()).allowed:
            is_refused = True
        self.refused += is_refused
        await trio.sleep(0.05)
        return httpx.Response(503 if is_refused else 200, headers=self.fields if is_refused else {}, content=b"x")


@pytest.mark.parametrize(
    ("broken", "last", "waits"),
    [
        (range(4, 40, 5), 40, 8),
        (range(4, 200, 5), 200, 40),
        (range(1, 40, 2), 40, 20),
        ([20], 40, 1),
        ([40], 40, 1),
        ([20, 21], 40, 1),
    ],
    ids=str,
)
async def test_each_series_of_broken_pages_of_a_chain_costs_one_wait(
    autojump_clock: MockClock, broken: list[int], last: int, waits: int
) -> None:
    report = (await collect(Chain(last, past_failures=True), Site(broken))).report
    assert (report.pages, report.failed) == (last + 1 - len(broken), len(broken))
    assert report.seconds < waits * LONGEST
    assert report.requests < last + 40 + 20 * len(broken)


async def test_any_number_of_pages_in_a_row_may_be_broken(autojump_clock: MockClock) -> None:
    report = (
        await collect(Chain(500, past_failures=True), Site(range(5, 500)), settings=Settings(outage_patience=0.0))
    ).report
    assert (report.pages, report.failed) == (6, 495)


@pytest.mark.parametrize("once", [(2,), (2, 8, 13)], ids=str)
async def test_pages_that_were_refused_once_do_not_make_those_that_are_broken_wait_for_longer(
    autojump_clock: MockClock, once: tuple[int, ...]
) -> None:
    report = (await collect(Chain(past_failures=True), Site(range(4, 40, 5), once=once))).report
    assert (report.pages, report.failed) == (33, 8)
    assert report.seconds < 8 * LONGEST


@pytest.mark.parametrize(
    ("broken", "seconds"),
    [
        ([30], 150),
        (range(59, 60), 150),
        (range(58, 60), 330),
        (range(20, 60, 13), 1000),
        (range(57, 60), LONGEST),  # three refused in a row look like a limit
        (range(50, 60), LONGEST),
        (range(5), LONGEST),
        (range(0, 60, 5), LONGEST + 700),
        (range(0, 60, 2), 12 * LONGEST),  # every other page: the rest is fetched at the limit that this looks like
    ],
    ids=str,
)
async def test_broken_pages_of_a_site_fail_together(
    autojump_clock: MockClock, broken: list[int], seconds: float
) -> None:
    report = (await collect(Pages(1, 60), Site(broken))).report
    assert (report.pages, report.failed) == (60 - len(broken), len(broken))
    assert report.seconds < seconds


@pytest.mark.parametrize("broken", [0, 2, 5])
async def test_a_broken_page_of_a_small_site_does_not_hold_up_its_crawl_for_long(
    autojump_clock: MockClock, broken: int
) -> None:
    report = (await collect(Pages(1, 6), Site([broken]))).report
    assert (report.pages, report.failed) == (5, 1)
    assert report.seconds < 200


@pytest.mark.parametrize("pages", [20, 21, 22])
async def test_a_limit_of_a_minute_that_only_the_last_pages_meet_costs_none(
    autojump_clock: MockClock, pages: int
) -> None:
    site = Site(limit=FixedWindow(quota=20, window=60.0))
    report = (await collect(Pages(1, pages), site)).report
    assert (report.pages, report.failed) == (pages, 0)


async def test_broken_pages_fail_while_others_are_served(autojump_clock: MockClock) -> None:
    report = (await collect(Pages(1, 1000), Site(range(5, 400, 80)))).report
    assert (report.pages, report.failed) == (995, 5)
    assert report.seconds < 900  # mostly 20; more if the refusals look like a limit at first


LIMITS: dict[str, Callable[[], Limit]] = {
    "20 in 10 s": lambda: FixedWindow(quota=20, window=10.0),
    "20 a minute": lambda: FixedWindow(quota=20, window=60.0),
    "2 a minute": lambda: FixedWindow(quota=2, window=60.0),
    "20 a minute, sliding": lambda: SlidingLog(quota=20, window=60.0),
    "20 a minute, aligned": lambda: AlignedWindow(quota=20, window=60.0, phase=17.0),
    "20 an hour": lambda: FixedWindow(quota=20, window=3600.0),
    "20 an hour, aligned": lambda: AlignedWindow(quota=20, window=3600.0, phase=1717.0),
    "20 in two minutes": lambda: FixedWindow(quota=20, window=120.0),
    "5 in ten minutes": lambda: FixedWindow(quota=5, window=600.0),
    "5 a minute, blocks": lambda: FixedWindow(quota=5, window=60.0, blocks=True),
    "one a second, burst of 5": lambda: TokenBucket(quota=5, window=5.0),
    "one a minute": lambda: TokenBucket(quota=1, window=60.0),
    "one a minute, burst of 20": lambda: TokenBucket(quota=20, window=1200.0),
}


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    "spider", [Chain(60), Chain(60, past_failures=True), Pages(1, 61)], ids=["pagination", "chain", "pages"]
)
async def test_a_limit_that_states_nothing_costs_no_page(autojump_clock: MockClock, spider: Spider, limit: str) -> None:
    site = Site(limit=LIMITS[limit]())
    report = (await collect(spider, site)).report
    assert (report.pages, report.failed) == (61, 0)
    assert site.refused < 61


@pytest.mark.parametrize("wait", [5, 30])
async def test_broken_pages_of_a_chain_that_state_a_wait_cost_no_other_page(
    autojump_clock: MockClock, wait: int
) -> None:
    """The first one is refused for so long that its host has refused everything for a long time."""
    report = (await collect(Chain(past_failures=True), Site(range(4, 40, 5), wait=wait))).report
    assert (report.pages, report.failed) == (33, 8)
    assert report.requests < 200
