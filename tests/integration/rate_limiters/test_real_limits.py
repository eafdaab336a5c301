"""A crawl with default settings uses the limit of a real server fully, does not exceed it, and loses no page.

All crawls run concurrently in one event loop, because they mostly wait; each has its own server. The figures are from
the logs of the servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import pytest
import trio
from integration.rate_limiters.catalogue import PAGES, SERVERS
from integration.rate_limiters.servers import Counts, Running, serving

from crawler import Pace, Produced, Response, Settings, Spider, crawl

TYPICAL, LATE, SLACK = 1.1, 1.25, 1.4
"""Maximum duration of crawls of servers that declare their limit, as a multiple of the shortest possible time: in the
median, at the 95th percentile, and at most. On a busy machine a page may miss a window of 5 seconds by a moment, and
slowapi states ends up to a second late."""
SILENT = (20, 1.6)
"""The maximum of refusals, and of the duration, if the limit is not declared: the requests in flight at the first
refusal, three to learn the limit, and some more for a machine that is busy with sixty crawls. A window of 5 seconds is
looked for after 1 and after 10 seconds: 27 seconds instead of 20."""
UNUSUAL = {
    "aiohttp": (45, 5.0),
    "flask-silent": (20, 2.3),
    "django-ratelimit": (20, 1.9),
    "nginx-burst": (30, 8.0),
    "haproxy-429": (35, 4.6),
    "haproxy-503": (35, 4.6),
    "haproxy-403": (35, 4.6),
    "haproxy-tarpit": (40, 4.6),
    "synapse": (35, 1.8),
    "uvicorn": (40, 2.7),
}
"""The same for limits that are learned late: sliding windows, whose end a probe may miss by a moment; windows that end
at fixed times; buckets that are refilled often; and connections that are refused, not requests."""
MOST, ANY = 0.9, (80, 8.0)
"""The share of the crawls of servers that declare no limit which stay below these maxima, and the maxima of each crawl:
on a busy machine a page comes late, and what a crawl learns from it costs it some windows."""
LONGEST = 120.0
"""Seconds after which a crawl is ended."""
WAYS = {"default": Settings(), "ten at once": Settings(per_host=10, obey_robots=False)}
"""The settings of the crawls; the second way also does without robots.txt."""


class Numbered(Spider):
    """Requests the hundred pages by number."""

    def __init__(self, running: Running) -> None:
        super().__init__()
        self.start_urls = [running.page(n) for n in range(PAGES)]
        self.got: list[int] = []

    def parse(self, response: Response) -> Produced:
        self.got.append(self.start_urls.index(response.url))


@dataclass
class Crawled:
    """A crawl of one server."""

    running: Running
    spider: Numbered
    finished: str = "cut off"
    """Why the crawl ended."""
    failed: int = 0
    counts: Counts | None = None


async def crawl_one(crawled: Crawled, settings: Settings) -> None:
    """Run a crawl; cancel it after `LONGEST`."""
    with trio.move_on_after(LONGEST):
        try:
            refusals = Settings(pacing={"*": Pace(refusals=(crawled.running.server.refusal,))})
            report = await crawl(crawled.spider, settings=settings | refusals)
        except Exception as error:  # the other crawls continue
            crawled.finished = repr(error)
        else:
            crawled.finished, crawled.failed = report.finished, report.failed


async def crawl_all(stack: ExitStack) -> dict[tuple[str, str], Crawled]:
    """Crawl each server twice, concurrently. The longest crawls start first; starts are staggered because of bursts."""
    ways = [(name, way) for name in SERVERS for way in WAYS]
    ways.sort(key=lambda way: -SERVERS[way[0]].minimum())
    started = stack.enter_context(serving(*(name for name, _ in ways)))
    found = {way: Crawled(running, Numbered(running)) for way, running in zip(ways, started, strict=True)}
    async with trio.open_nursery() as nursery:
        for (_, way), crawled in found.items():
            nursery.start_soon(crawl_one, crawled, WAYS[way])
            await trio.sleep(0.2)
    for crawled in found.values():
        crawled.counts = crawled.running.stop()
    return found


@pytest.fixture(scope="module")
def crawls() -> Iterator[dict[tuple[str, str], Crawled]]:
    with ExitStack() as stack:
        yield trio.run(crawl_all, stack)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SERVERS)
def test_a_crawl_uses_the_limit_fully_and_does_not_exceed_it(name: str, way: str, crawls) -> None:
    crawled, server = crawls[name, way], SERVERS[name]
    counts = crawled.counts
    told = f"{name}, {way}: {crawled.finished}, {crawled.failed} failed, {counts}"
    refusals, slack = (0, SLACK) if server.declares else ANY
    assert counts.refused <= refusals, told
    assert (crawled.finished, crawled.failed) == ("finished", 0), told
    assert sorted(crawled.spider.got) == list(range(PAGES)), told
    assert (counts.pages, counts.served, counts.other) == (frozenset(range(PAGES)), PAGES, 0), told
    assert counts.seconds <= slack * server.minimum(), told


def test_declared_limits_are_used_up_in_nearly_all_crawls(crawls) -> None:
    ratios = sorted(
        crawled.counts.seconds / SERVERS[name].minimum()
        for (name, _), crawled in crawls.items()
        if SERVERS[name].declares
    )
    assert median(ratios) <= TYPICAL
    assert ratios[int(0.95 * len(ratios))] <= LATE


def test_limits_that_are_not_declared_are_learned_soon_in_nearly_all_crawls(crawls) -> None:
    late = []
    silent = [(way, crawled.counts) for way, crawled in crawls.items() if not SERVERS[way[0]].declares]
    for (name, way), counts in silent:
        refusals, slack = UNUSUAL.get(name, SILENT)
        if counts.refused > refusals or counts.seconds > slack * SERVERS[name].minimum():
            late.append((name, way, counts))
    assert len(late) <= (1 - MOST) * len(silent), late


@pytest.mark.parametrize("name", SERVERS)
def test_robots_txt_is_requested_once_or_not_at_all(name: str, crawls) -> None:
    asked = {way: [hit.uri for hit in crawls[name, way].running.hits()].count("/robots.txt") for way in WAYS}
    assert asked == {"default": 1, "ten at once": 0}
