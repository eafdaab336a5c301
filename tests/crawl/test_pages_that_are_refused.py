"""A page that alone is refused for ever fails; it does not keep its host waiting, whatever the server states."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock

from crawler import Response, Settings, Spider, crawl
from crawler.testing import FakeSite, Page

COUNT = 12


class Some(Spider):
    """Visits some pages of one host."""

    start_urls = [f"https://h.test/{number}" for number in range(COUNT)]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "wait", "bad"),
    [(429, None, 5), (429, None, 11), *((status, "30", bad) for status in (429, 403, 503) for bad in (0, 5, 11))],
)
async def test_one_page_that_is_always_refused_fails(
    autojump_clock: MockClock, status: int, wait: str | None, bad: int
) -> None:
    fields = {} if wait is None else {"Retry-After": wait}
    pages = {f"https://h.test/{number}": "x" for number in range(COUNT)}
    site = FakeSite(pages | {f"https://h.test/{bad}": Page("no", status=status, headers=fields)})
    with trio.move_on_after(26 * 3600) as scope:
        report = await crawl(Some(), transport=site.transport)
    assert not scope.cancelled_caught
    assert report.pages == COUNT - 1
    assert report.failed == 1


@pytest.mark.parametrize("wait", [None, "0", "30", "-5"])
@pytest.mark.parametrize("bad", [(0, 1, 2, 3, 4), (0, 2, 4, 6, 8), (7, 8, 9, 10, 11)])
async def test_pages_that_are_always_refused_do_not_keep_the_others_waiting(
    autojump_clock: MockClock, wait: str | None, bad: tuple[int, ...]
) -> None:
    served: list[str] = []

    class Seen(Some):
        def parse(self, response: Response) -> None:
            served.append(response.url)

    refusal = Page("no", status=429, headers={} if wait is None else {"Retry-After": wait})
    site = FakeSite({f"https://h.test/{number}": refusal if number in bad else Page("x") for number in range(COUNT)})
    with trio.move_on_after(3600):
        await crawl(Seen(), transport=site.transport)
    assert len(served) == COUNT - len(bad)


async def test_pages_that_are_always_refused_fail_together_after_a_day(autojump_clock: MockClock) -> None:
    class Many(Some):
        start_urls = [f"https://h.test/{number}" for number in range(55)]
        settings = Settings(obey_robots=True)

    bad = {5, 15, 25, 35, 45}
    site = FakeSite({f"https://h.test/{n}": Page("no", status=429) if n in bad else Page("x") for n in range(55)})
    began = trio.current_time()
    report = await crawl(Many(), transport=site.transport)
    assert (report.pages, report.failed) == (50, 5)
    assert trio.current_time() - began < 32 * 3600
    assert report.requests < 1000


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("bad", [{3}, {3, 17}, {2, 6, 10, 14, 18}])
async def test_pages_that_alone_are_left_and_refused_fail_as_those_of_a_limit(
    autojump_clock: MockClock, status: int, bad: set[int]
) -> None:
    """Few others are served between two refusals of each, so that a limit may be behind them."""
    pages = {n: Page("no", status=status, delay=0.1) if n in bad else Page("x", delay=0.1) for n in range(120)}
    site = FakeSite({f"https://h.test/{n}": page for n, page in pages.items()})

    class Many(Some):
        start_urls = list(site.pages)

    began = trio.current_time()
    report = await crawl(Many(), transport=site.transport)
    assert (report.pages, report.failed) == (120 - len(bad), len(bad))
    assert trio.current_time() - began < (5_500 if status == 503 else 90_100)
    assert report.requests < 300


@pytest.mark.parametrize(("day", "short", "seconds", "count"), [(5, 4, 5.0, 21), (5, 3, 2.0, 17), (12, 1, 2.0, 15)])
async def test_a_quota_of_a_day_beside_a_short_one_loses_no_page(
    autojump_clock: MockClock, day: int, short: int, seconds: float, count: int
) -> None:
    """The short one refuses pages, serves others meanwhile, and then the long one refuses the same pages."""
    ends, used = [0.0, 0.0], [0, 0]

    def answer(_: object) -> Page:
        now = trio.current_time()
        for index, length in enumerate((86_400.0, seconds)):
            if now >= ends[index]:
                ends[index], used[index] = now + length, 0
        if used[0] >= day or used[1] >= short:
            return Page("no", status=429, delay=0.1)
        used[0], used[1] = used[0] + 1, used[1] + 1
        return Page("x", delay=0.1)

    class Many(Some):
        start_urls = [f"https://h.test/{number}" for number in range(count)]

    report = await crawl(Many(), transport=FakeSite(dict.fromkeys(Many.start_urls, answer)).transport)
    assert (report.pages, report.failed) == (count, 0)


@pytest.mark.parametrize("delay", [0.0, 0.05])
async def test_a_quota_that_refuses_for_a_day_loses_no_page(autojump_clock: MockClock, delay: float) -> None:
    served = 0
    day = math.inf

    def answer(_: object) -> Page:
        nonlocal served, day
        if trio.current_time() >= day + 86_400:
            served, day = 0, math.inf
        if served == 3:
            return Page("no", status=429, delay=delay)
        if not served:
            day = trio.current_time()
        served += 1
        return Page("x", delay=delay)

    site = FakeSite({f"https://h.test/{number}": answer for number in range(COUNT)})
    report = await crawl(Some(), transport=site.transport)
    assert (report.pages, report.failed) == (COUNT, 0)
