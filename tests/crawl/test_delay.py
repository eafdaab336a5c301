"""The delay of a lane, as its server sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from support.rawserver import ok, start

from crawler import Settings, Spider, client, crawl
from crawler.transport.curl import CurlTransport

SLOW, DELAY = 0.5, 0.6
"""Seconds for the first look-up of a name, and seconds between two starts."""


class Names:
    """A resolver whose first look-up is slow."""

    def __init__(self):
        self.pause = SLOW

    async def resolve(self, host, port):
        pause, self.pause = self.pause, 0.0
        await trio.sleep(pause)
        return ("127.0.0.1",)


class Quiet(Spider):
    """Yields nothing."""

    def parse(self, response):
        pass


async def by_a_crawl(transport, urls):
    settings = Settings(obey_robots=False, delay=DELAY)
    report = await crawl(Quiet(start_urls=urls), settings=settings, transport=transport)
    assert report.pages == 2


async def by_a_client(transport, urls):
    async with client(delay=DELAY, transport=transport) as http:
        for url in urls:
            assert (await http.get(url)).text == "ok"


@pytest.mark.parametrize("way", [by_a_crawl, by_a_client])
async def test_a_slow_look_up_does_not_shorten_the_delay(nursery: trio.Nursery, way: Callable[..., object]) -> None:
    seen = []

    async def handler(peer):
        while await peer.request():
            seen.append(trio.current_time())
            await peer.send(ok())

    server = await start(nursery, handler)
    async with CurlTransport(resolver=Names()) as transport:
        await way(transport, [f"http://site.test:{server.port}/{number}" for number in range(2)])
    assert seen[1] - seen[0] > DELAY - SLOW / 2
