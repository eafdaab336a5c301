"""Crawls of large bodies: few of them are in memory at once, and none is lost."""

from __future__ import annotations

from typing import Any

import httpx
import trio
from trio.testing import MockClock

from crawler import Produced, Request, Response, Settings, Spider, crawl

MIB = 1024 * 1024


class LargeBodies(httpx.AsyncBaseTransport):
    """Sends bodies of 4 MiB in pieces, and counts those that are in memory."""

    def __init__(self, *, declared: bool) -> None:
        self.declared = declared
        self.begun = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(0.1)
        headers = {"Content-Length": str(4 * MIB)} if self.declared else {}
        return httpx.Response(200, headers=headers, content=self._pieces(), request=request)

    async def _pieces(self) -> Any:
        self.begun += 1
        for _ in range(8):
            await trio.sleep(0.1)
            yield bytes(MIB // 2)


class Sizes(Spider):
    """Keeps the size of every body, and how many have begun but are not handled."""

    settings = Settings(obey_robots=False, workers=20, per_host=20, max_active_size=12 * MIB)

    def __init__(self, transport: LargeBodies) -> None:
        super().__init__()
        self.transport = transport
        self.sizes: list[int] = []
        self.reading: list[int] = []

    def start(self) -> Produced:
        return [Request(f"http://a.test/{number}") for number in range(60)]

    async def parse(self, response: Response) -> Produced:
        self.sizes.append(len(response.body))
        self.reading.append(self.transport.begun - len(self.sizes))
        await trio.sleep(0.2)
        return ()


async def sizes(*, declared: bool) -> Sizes:
    transport = LargeBodies(declared=declared)
    spider = Sizes(transport)
    report = await crawl(spider, transport=transport)
    assert (report.pages, report.retries, report.failed) == (60, 0, 0)
    assert spider.sizes == [4 * MIB] * 60
    return spider


async def test_large_bodies_wait_until_there_is_memory(autojump_clock: MockClock) -> None:
    spider = await sizes(declared=True)
    assert max(spider.reading) > 12  # all workers start at once: nothing is known of the site
    assert max(spider.reading[40:]) <= 3  # then no more than fit


async def test_bodies_of_undeclared_size_wait_too(autojump_clock: MockClock) -> None:
    spider = await sizes(declared=False)
    assert max(spider.reading[40:]) <= 3
