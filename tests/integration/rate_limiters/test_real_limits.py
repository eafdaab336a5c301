"""A crawl on default settings takes what a real server allows, and never more; nothing is lost.

Every crawl runs at the same time in one event loop, each against a server of its own, since most of the time of each
is waiting; the figures are those of the servers' logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import trio
from integration.rate_limiters.servers import PAGES, SERVERS, Counts, Running, serving

from crawler import Produced, Response, Settings, Spider, crawl

UNDECLARED = 24
"""Refusals that a server may cost that says nothing of its limit: what was in flight at the first one, three to find
out, and as many again and more as a machine that is busy with twenty-six crawls at once makes of it."""
SLACK = 1.1
"""How many times the shortest possible time a crawl may take."""
SLACK_UNTOLD = 1.6
"""The same where nothing is said: the simulated bucket takes so long where answers come out of order. Of so many
requests at once, 1, 2 and 4 at once are three rounds for 7 pages, and 93 more are 24 rounds, 27 in all where 25 would
do; each round in which one too many is tried costs a part of one more."""
ROBOTS = {"default": Settings(), "no robots.txt": Settings(obey_robots=False)}


class Numbered(Spider):
    """Asks for the hundred pages by their number."""

    def __init__(self, front: str) -> None:
        super().__init__()
        self.start_urls = [f"{front}page/{n}" for n in range(PAGES)]
        self.got: list[int] = []

    def parse(self, response: Response) -> Produced:
        self.got.append(int(response.url.rpartition("/")[2]))


@dataclass
class Crawled:
    """One crawl of one server."""

    running: Running
    spider: Numbered
    finished: str = "cut off"
    """Why the crawl ended."""
    failed: int = 0
    counts: Counts | None = None


async def crawl_one(crawled: Crawled, settings: Settings) -> None:
    """A crawl that is hopelessly late is cut off: its figures are wrong anyway."""
    with trio.move_on_after(2 * crawled.running.server.minimum() + 5):
        try:
            report = await crawl(crawled.spider, settings=settings)
        except Exception as error:  # the others are to go on
            crawled.finished = repr(error)
        else:
            crawled.finished, crawled.failed = report.finished, report.failed


async def crawl_all(stack: ExitStack) -> dict[tuple[str, str], Crawled]:
    """Each server twice, all at the same time; the longest first, and not all in the same instant: each has bursts."""
    ways = [(name, way) for name in SERVERS for way in ROBOTS]
    ways.sort(key=lambda way: -SERVERS[way[0]].minimum())
    started = stack.enter_context(serving(*(name for name, _ in ways)))
    found = {way: Crawled(running, Numbered(running.url)) for way, running in zip(ways, started, strict=True)}
    async with trio.open_nursery() as nursery:
        for (_, way), crawled in found.items():
            nursery.start_soon(crawl_one, crawled, ROBOTS[way])
            await trio.sleep(0.2)
    for crawled in found.values():
        crawled.counts = crawled.running.stop()
    return found


@pytest.fixture(scope="module")
def crawls() -> Iterator[dict[tuple[str, str], Crawled]]:
    with ExitStack() as stack:
        yield trio.run(crawl_all, stack)


@pytest.mark.parametrize("way", ROBOTS)
@pytest.mark.parametrize("name", SERVERS)
def test_a_crawl_takes_all_that_is_allowed_and_never_more(name: str, way: str, crawls) -> None:
    crawled, server = crawls[name, way], SERVERS[name]
    counts = crawled.counts
    told = f"{name}, {way}: {crawled.finished}, {crawled.failed} failed, {counts}"
    assert counts.refused <= (0 if server.declares else UNDECLARED), told
    assert (crawled.finished, crawled.failed) == ("finished", 0), told
    assert sorted(crawled.spider.got) == list(range(PAGES)), told
    assert (counts.pages, counts.served, counts.other) == (frozenset(range(PAGES)), PAGES, 0), told
    slack = SLACK if server.declares else SLACK_UNTOLD
    assert counts.seconds <= slack * server.minimum(), told


@pytest.mark.parametrize("name", SERVERS)
def test_robots_txt_is_asked_for_once_or_not_at_all(name: str, crawls) -> None:
    asked = {way: [hit.uri for hit in crawls[name, way].running.hits()].count("/robots.txt") for way in ROBOTS}
    assert asked == {"default": 1, "no robots.txt": 0}
