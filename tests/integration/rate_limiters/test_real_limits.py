"""A crawl with default settings uses the limit of a real server fully, does not exceed it, and loses no page.

All crawls run concurrently in one event loop, because they mostly wait; each has its own server. The figures are from
the logs of the servers.
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
"""Maximum number of refusals by a server that does not declare its limit: the requests in flight at the first refusal,
three to learn the limit, and more than as many again for a machine that is busy with twenty-six crawls."""
SLACK = 1.1
"""Maximum duration of a crawl, as a multiple of the shortest possible time."""
SLACK_UNTOLD = 1.6
"""The same for limits that are not declared: the simulated bucket takes this long if responses arrive out of order.
With a limit of 4 requests in flight, the first three rounds of 1, 2 and 4 fetch 7 pages, and 93 more take 24 rounds:
27 rounds instead of 25. Each attempt to raise the concurrency costs part of another round."""
ROBOTS = {"default": Settings(), "no robots.txt": Settings(obey_robots=False)}


class Numbered(Spider):
    """Requests the hundred pages by number."""

    def __init__(self, front: str) -> None:
        super().__init__()
        self.start_urls = [f"{front}page/{n}" for n in range(PAGES)]
        self.got: list[int] = []

    def parse(self, response: Response) -> Produced:
        self.got.append(int(response.url.rpartition("/")[2]))


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
    """Run a crawl; cancel it after twice the shortest possible time plus 5 seconds."""
    with trio.move_on_after(2 * crawled.running.server.minimum() + 5):
        try:
            report = await crawl(crawled.spider, settings=settings)
        except Exception as error:  # the other crawls continue
            crawled.finished = repr(error)
        else:
            crawled.finished, crawled.failed = report.finished, report.failed


async def crawl_all(stack: ExitStack) -> dict[tuple[str, str], Crawled]:
    """Crawl each server twice, concurrently. The longest crawls start first; starts are staggered because of bursts."""
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
def test_a_crawl_uses_the_limit_fully_and_does_not_exceed_it(name: str, way: str, crawls) -> None:
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
def test_robots_txt_is_requested_once_or_not_at_all(name: str, crawls) -> None:
    asked = {way: [hit.uri for hit in crawls[name, way].running.hits()].count("/robots.txt") for way in ROBOTS}
    assert asked == {"default": 1, "no robots.txt": 0}
