"""A crawl is paused, resumed, paced and explained while it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from crawler import Crawl, Limits, Plugin, Response, Settings, Spider, crawl
from crawler.errors import ConfigError
from crawler.testing import FakeSite

HOSTS = ("a", "b")
PAGES = {
    f"https://{host}.test/": "".join(f"<a href=https://{other}.test/{n}>x</a>" for n in range(40) for other in HOSTS)
    for host in HOSTS
} | {f"https://{host}.test/{n}": "x" for n in range(40) for host in HOSTS}


class Walk(Spider):
    start_urls = [f"https://{host}.test/" for host in HOSTS]
    allowed_domains = ["a.test", "b.test"]
    settings = Settings(delay=1.0, obey_robots=False)

    def parse(self, response: Response) -> Iterator[object]:
        yield from response.follow_all("a")


class Script(Plugin):
    """Calls functions at given seconds."""

    def __init__(self, *steps: tuple[float, Callable[[Crawl], object]]) -> None:
        self.steps = steps

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        crawl.start_soon(self.play, crawl)
        yield

    async def play(self, crawl: Crawl) -> None:
        began = trio.current_time()
        for at, step in self.steps:
            await trio.sleep_until(began + at)
            step(crawl)


async def played(*steps: tuple[float, Callable[[Crawl], object]]) -> tuple[FakeSite, float]:
    site = FakeSite(PAGES)
    report = await crawl(Walk(), plugins=[Script(*steps)], transport=site.transport)
    assert (report.finished, report.pages, report.failed) == ("finished", 82, 0)
    return site, report.seconds


def times(site: FakeSite, host: str) -> list[float]:
    return [visit.at for visit in site.log if visit.url.startswith(f"https://{host}.test/")]


async def test_a_paused_host_starts_nothing_and_the_others_continue(autojump_clock: MockClock) -> None:
    site, _ = await played(
        (5.5, lambda c: c.control.pause("https://a.test")), (25.5, lambda c: c.control.resume("https://a.test"))
    )
    first = site.log[0].at
    assert not [at for at in times(site, "a") if 5.6 < at - first < 25.4]
    assert len([at for at in times(site, "b") if 5.6 < at - first < 25.4]) == 20


async def test_a_paused_crawl_waits_and_loses_nothing(autojump_clock: MockClock) -> None:
    site, seconds = await played((5.5, lambda c: c.control.pause()), (3600.0, lambda c: c.control.resume()))
    first = site.log[0].at
    assert not [visit for visit in site.log if 5.6 < visit.at - first < 3599]
    assert 3630 < seconds < 3640


async def test_a_pause_of_all_lanes_includes_those_that_come_later(autojump_clock: MockClock) -> None:
    site, _ = await played((0.0, lambda c: c.control.pause()), (10.0, lambda c: c.control.resume()))
    assert min(times(site, "a") + times(site, "b")) >= 10.0 or len(site.log) == 82


async def test_the_delay_of_a_host_is_changed(autojump_clock: MockClock) -> None:
    site, _ = await played((5.5, lambda c: c.control.set_pace("https://a.test", delay=10.0)))
    gaps = [b - a for a, b in zip(times(site, "a"), times(site, "a")[1:], strict=False)]
    assert gaps[:4] == pytest.approx([1.0] * 4)
    assert gaps[8:] == pytest.approx([10.0] * len(gaps[8:]))


async def test_the_queue_of_a_host_is_shown_in_order(autojump_clock: MockClock) -> None:
    shown: list[list[str]] = []
    await played((5.5, lambda c: shown.append([request.url for request in c.control.queue("https://a.test", 3)])))
    assert len(shown[0]) == 3
    numbers = [int(url.rpartition("/")[2]) for url in shown[0]]
    assert numbers == sorted(numbers)


async def test_a_control_refuses_a_value_out_of_range(autojump_clock: MockClock) -> None:
    def wrong(crawl: Crawl) -> None:
        with pytest.raises(ConfigError):
            crawl.control.set_pace("https://a.test", delay=-1.0)
        with pytest.raises(ConfigError):
            crawl.control.set_pace("https://a.test", concurrency=0)
        with pytest.raises(ValueError, match=r"no requests of https://nosuch.test are in memory"):
            crawl.control.set_pace("https://nosuch.test", delay=1.0)
        assert crawl.control.queue("https://nosuch.test") == []

    await played((5.5, wrong))


async def test_a_url_is_explained(autojump_clock: MockClock) -> None:
    facts = {}

    def look(crawl: Crawl) -> None:
        for url in ("https://a.test/", "https://a.test/39", "https://a.test/new", "https://other.test/out"):
            facts[url.rpartition("/")[2]] = crawl.control.explain(url)
        with pytest.raises(ValueError, match="mailto"):
            crawl.control.explain("mailto:a@b.test")

    await played((5.5, look))
    assert [(facts[n].is_known, facts[n].is_waiting) for n in ("", "39", "new")] == [
        (True, False), (True, True), (False, False),
    ]  # fmt: skip
    assert facts[""].robots_allows is None
    assert (facts["out"].refused_by, facts["new"].refused_by) == ("scope", None)


async def test_a_pause_concerns_no_other_crawl_with_the_same_limits(autojump_clock: MockClock) -> None:
    limits, site = Limits(), FakeSite(PAGES)
    reports = {}

    async def one(name: str, *steps: tuple[float, Callable[[Crawl], object]]) -> None:
        reports[name] = await crawl(Walk(), plugins=[Script(*steps)], transport=site.transport, limits=limits)

    with trio.fail_after(1000):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "paused", (5.5, lambda c: c.control.pause()), (20.0, lambda c: c.stop("enough")))
            nursery.start_soon(one, "other")
    assert reports["paused"].pages < 20
    assert (reports["other"].finished, reports["other"].pages) == ("finished", 82)


async def test_a_pause_is_shown_as_the_reason(autojump_clock: MockClock) -> None:
    reasons = []

    def look(crawl: Crawl) -> None:
        reasons.append(crawl.control.statistics().limits["https://a.test"].blocked_by)

    await played(
        (5.5, lambda c: c.control.pause("https://a.test")),
        (50.0, look),
        (60.0, lambda c: c.control.resume()),
        (61.5, look),
    )
    assert reasons == ["pause", "delay"]
