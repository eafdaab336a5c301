"""Crawls of servers that answer 403 without a word: to pages that are forbidden, or to everything for a while."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import attrs
import httpx
import pytest
import trio
from support.trees import FREE
from trio.testing import MockClock

from crawler import Pace, Produced, Request, Response, Settings, Spider, client, crawl

MANY = 10**6


@attrs.define
class Banning(httpx.AsyncBaseTransport):
    """A server that takes some requests a second, and forbids everything for `seconds` after some refusals."""

    refusals: int = 5
    """Refusals that lead to a ban; the last one is the first 403."""
    at_once: int = 10
    """Requests that it takes in a second."""
    seconds: float = 600.0
    takes: float = 0.1
    forbidden: frozenset[str] = frozenset()
    from_page: float = math.inf
    """It bans for good once it was asked for so many pages."""
    starts: list[float] = attrs.field(factory=list)
    refused: int = 0
    banned_until: float = -math.inf
    asked: dict[str, list[int]] = attrs.field(factory=dict)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(self.takes)
        status = self._status(request.url.path, trio.current_time())
        self.asked.setdefault(request.url.path, []).append(status)
        return httpx.Response(status, content=b"x")

    def _status(self, path: str, now: float) -> int:
        if now < self.banned_until or len(self.asked) > self.from_page:
            return 403
        self.starts = [at for at in self.starts if at > now - 1.0]
        if len(self.starts) < self.at_once:
            self.starts.append(now)
            return 403 if path in self.forbidden else 200
        self.refused += 1
        if self.refused < self.refusals:
            return 429
        self.refused, self.banned_until = 0, now + self.seconds
        return 403

    def times(self, paths: frozenset[str]) -> list[int]:
        """Return how often each of these was asked for."""
        return [len(self.asked[path]) for path in sorted(paths)]


class Pages(Spider):
    """Requests numbered pages."""

    settings = FREE

    def __init__(self, n: int = 150) -> None:
        super().__init__()
        self.n = n

    def start(self) -> Iterator[Request]:
        for number in range(self.n):
            yield Request(f"https://h0.test/{number}")

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url}


class Wanting(Pages):
    """Takes 403 as a page."""

    accept_status = (403,)


def free(*forbidden: int) -> Banning:
    """Return a server without limits that forbids some pages."""
    return Banning(MANY, at_once=MANY, forbidden=frozenset(f"/{n}" for n in forbidden))


# ---- bans ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusals", [2, 5, 12])
async def test_a_ban_after_refusals_loses_no_page(autojump_clock: MockClock, refusals: int) -> None:
    report = await crawl(Pages(), transport=Banning(refusals), settings=Settings(per_host=8))
    assert (report.finished, report.pages) == ("finished", 150)


@pytest.mark.parametrize("at_once", [1, 12, 30])
@pytest.mark.parametrize("per_host", [1, 8])
async def test_a_ban_without_a_refusal_before_it_loses_no_page(
    autojump_clock: MockClock, at_once: int, per_host: int
) -> None:
    site = Banning(1, at_once=at_once)
    report = await crawl(Pages(40), transport=site, settings=Settings(per_host=per_host))
    assert (report.finished, report.pages) == ("finished", 40)


async def test_a_client_loses_nothing_by_a_ban(autojump_clock: MockClock) -> None:
    site, statuses = Banning(1, at_once=12), []
    async with client(transport=site) as http:

        async def get(page: int) -> None:
            statuses.append((await http.get(f"https://h0.test/{page}")).status_code)

        async with trio.open_nursery() as nursery:
            for page in range(40):
                nursery.start_soon(get, page)
    assert statuses == [200] * 40


async def test_a_ban_for_good_is_waited_for_in_vain_for_an_hour_and_a_half(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    site = Banning(MANY, at_once=MANY, from_page=50)
    report = await crawl(Pages(), transport=site)
    assert report.pages == 51
    assert 5_400 <= report.seconds <= 2 * 5_400
    assert "(status 403, even for a page that it had served; accept_status takes them as pages)" in caplog.text


# ---- pages that are forbidden ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [5, 75, 149])
async def test_one_forbidden_page_costs_three_requests_and_no_wait(autojump_clock: MockClock, page: int) -> None:
    site = free(page)
    report = await crawl(Pages(), transport=site)
    without = await crawl(Pages(), transport=free())
    assert (report.pages, report.statuses[403]) == (149, 2)
    assert sum(map(len, site.asked.values())) == 150 + 3, "itself once more, and twice one that was served"
    assert report.seconds <= without.seconds + 1.0


@pytest.mark.parametrize("pages", [3, 10, 50])
@pytest.mark.parametrize("first", [60, 150])
@pytest.mark.parametrize("per_host", [1, 8])
async def test_a_section_that_is_forbidden_costs_seconds_in_the_middle_of_a_crawl_and_at_its_end(
    autojump_clock: MockClock, pages: int, first: int, per_host: int
) -> None:
    site = free(*range(first, first + pages))
    report = await crawl(Pages(150 + pages * (first == 150)), transport=site, settings=Settings(per_host=per_host))
    without = await crawl(Pages(150 + pages * (first == 150)), transport=free(), settings=Settings(per_host=per_host))
    assert report.finished == "finished"
    assert report.pages == (150 if first == 150 else 150 - pages)
    assert max(site.times(site.forbidden)) <= 2
    assert sum(map(len, site.asked.values())) <= len(site.asked) + pages + 10
    assert report.seconds <= without.seconds + 4.0


async def test_every_third_page_that_is_forbidden_costs_hardly_any_request(autojump_clock: MockClock) -> None:
    site = free(*range(20, 150, 3))
    report = await crawl(Pages(), transport=site)
    assert report.pages == 150 - len(site.forbidden)
    assert sum(map(len, site.asked.values())) <= 150 + 20


async def test_a_server_that_forbids_all_from_the_first_page_on_is_not_waited_for(autojump_clock: MockClock) -> None:
    site = free(*range(150))
    report = await crawl(Pages(), transport=site)
    assert (report.finished, report.pages) == ("finished", 0)
    assert site.times(site.forbidden) == [1] * 150


async def test_forbidden_pages_of_a_server_with_limits_fail_soon(autojump_clock: MockClock) -> None:
    site = Banning(MANY, forbidden=frozenset(f"/{n}" for n in (30, 60, 61, 62, 90, 149)))
    report = await crawl(Pages(), transport=site, settings=Settings(per_host=2))
    last = {path: site.asked[path][-1] for path in site.forbidden}
    assert (report.pages, last) == (144, dict.fromkeys(site.forbidden, 403))
    assert report.seconds < 120
    assert sum(site.asked[path].count(403) for path in site.forbidden) <= 15


async def test_one_forbidden_page_that_is_left_at_a_server_with_limits_fails_in_minutes(
    autojump_clock: MockClock,
) -> None:
    site = Banning(MANY, forbidden=frozenset({"/149"}))
    report = await crawl(Pages(), transport=site, settings=Settings(per_host=2))
    assert report.pages == 149
    assert report.seconds < 300


async def test_a_ban_after_forbidden_pages_loses_few_pages(autojump_clock: MockClock) -> None:
    site = free(20, 40, 41)
    site.refusals, site.at_once = 1, 100
    report = await crawl(Pages(300), transport=site)
    assert 300 - 3 - 4 <= report.pages <= 297


# ---- who wants 403 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [10, MANY])
async def test_a_spider_that_wants_403_gets_each_once(autojump_clock: MockClock, at_once: int) -> None:
    site = Banning(MANY, at_once=at_once, forbidden=frozenset(f"/{n}" for n in range(40, 60)))
    report = await crawl(Wanting(), transport=site, settings=Settings(per_host=2))
    assert report.pages == 150
    assert all(site.asked[path].count(403) == 1 for path in site.forbidden)


async def test_a_client_gets_a_403_after_three_more_requests_and_at_once_if_it_wants_that(
    autojump_clock: MockClock,
) -> None:
    site = free(1, 2)
    async with client(transport=site) as http:
        assert (await http.get("https://h0.test/0")).status_code == 200
        wanted = await http.get("https://h0.test/1", extensions={"accept_status": (403,)})
        assert (wanted.status_code, site.asked["/1"]) == (403, [403])
        assert (await http.get("https://h0.test/2")).status_code == 403
    assert site.asked == {"/0": [200] * 3, "/1": [403], "/2": [403] * 2}


async def test_a_pace_may_say_that_each_403_is_a_refusal(autojump_clock: MockClock) -> None:
    site = Banning(1, at_once=30, seconds=60.0)
    settings: dict[str, Any] = {"pacing": {"h0.test": Pace(refusals=(403,))}}
    report = await crawl(Pages(60), transport=site, settings=Settings(per_host=8, **settings))
    assert report.pages == 60
