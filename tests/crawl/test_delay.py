"""The delay of a lane, as its server sees it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import trio
from support.rawserver import ok, start

from crawler import Pace, Settings, Spider, client, crawl
from crawler.transport.curl import CurlTransport

SLOW, DELAY = 0.5, 0.6
"""Seconds for the first look-up of a name, and seconds between two starts."""
PACING = {"*": Pace(slow_start=False)}
"""So a start does not wait for the first response."""


class Names:
    """A resolver whose first look-up is slow."""

    def __init__(self, pause=SLOW):
        self.pause = pause

    async def resolve(self, host, port):
        pause, self.pause = self.pause, 0.0
        await trio.sleep(pause)
        return ("127.0.0.1",)


class Quiet(Spider):
    """Yields nothing."""

    def parse(self, response):
        pass


async def by_a_crawl(transport, urls):
    settings = Settings(obey_robots=False, delay=DELAY, pacing=PACING)
    report = await crawl(Quiet(start_urls=urls), settings=settings, transport=transport)
    assert report.pages == len(urls)


async def by_a_client(transport, urls):
    async def get(http, url):
        assert (await http.get(url)).text == "ok"

    async with client(delay=DELAY, pacing=PACING, transport=transport) as http, trio.open_nursery() as nursery:
        for url in urls:
            nursery.start_soon(get, http, url)


async def times(nursery, way, count, names):
    """Return the times at which the server of a lane gets so many requests."""
    seen = []

    async def handler(peer):
        while await peer.request():
            seen.append(trio.current_time())
            await peer.send(ok())

    server = await start(nursery, handler)
    async with CurlTransport(resolver=names) as transport:
        await way(transport, [f"http://site.test:{server.port}/{number}" for number in range(count)])
    return seen


@pytest.mark.parametrize("way", [by_a_crawl, by_a_client])
async def test_a_slow_look_up_does_not_shorten_the_delay(nursery: trio.Nursery, way: Callable[..., object]) -> None:
    seen = await times(nursery, way, 2, Names())
    assert seen[1] - seen[0] > DELAY - SLOW / 2


@pytest.mark.parametrize("way", [by_a_crawl, by_a_client])
async def test_while_a_request_is_not_out_the_next_one_waits(nursery: trio.Nursery, way: Callable[..., object]) -> None:
    seen = await times(nursery, way, 4, Names(2.5 * DELAY))
    assert min(later - earlier for earlier, later in pairwise(seen)) > DELAY - SLOW / 2
