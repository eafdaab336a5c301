"""Crawls of servers that send slow bodies, and refuse further requests meanwhile, as nginx does with `limit_conn`."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import AsyncIterator

import attrs
import httpx
import pytest
import trio
from support.examples import sample
from support.internet import Pages
from support.virtual import run_virtually, seeded

from crawler import Report, Settings
from crawler.testing import collect

PAGES = 220


@attrs.define(eq=False)
class SlowBodies(httpx.AsyncBaseTransport):
    """Sends the header fields of a response at once, and its body slowly.

    Parameters:
        at_once: Bodies that are sent at once. Further requests are refused within milliseconds.
        seconds: Seconds that the body of each page takes.
        rng: Source of response times.
    """

    at_once: int
    seconds: list[float]
    rng: random.Random
    in_flight: int = attrs.field(default=0, init=False)
    refused: int = attrs.field(default=0, init=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(self.rng.uniform(0.001, 0.004))
        if self.in_flight >= self.at_once:
            self.refused += 1
            return httpx.Response(429)
        self.in_flight += 1
        seconds = self.seconds[int(request.url.path[1:])]
        return httpx.Response(200, headers={"Content-Type": "text/html"}, stream=SlowBody(self, seconds))

    @property
    def least(self) -> float:
        """Seconds that all pages take if as many as possible are always in flight."""
        ends = [0.0] * min(self.at_once, Settings().per_host)
        for seconds in self.seconds:
            heapq.heapreplace(ends, ends[0] + seconds)
        return max(ends)


@attrs.define(eq=False)
class SlowBody(httpx.AsyncByteStream):
    """A body whose end comes after some seconds."""

    server: SlowBodies
    seconds: float

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            yield b"<p>x"
            await trio.sleep(self.seconds)
            yield b"y"
        finally:
            self.server.in_flight -= 1


@pytest.mark.parametrize("seed", sample(1, range(3)))
@pytest.mark.parametrize(
    ("at_once", "seconds", "spread"), [(1, 0.5, 1.0), (2, 0.5, 1.0), (3, 0.03, 2.0), (5, 0.5, 1.0)]
)
def test_slow_bodies_beside_a_refused_request_are_too_many_at_once(
    at_once: int, seconds: float, spread: float, seed: int
) -> None:
    rng = random.Random(seed)
    server = SlowBodies(at_once, [rng.lognormvariate(math.log(seconds), spread) for _ in range(PAGES)], rng)

    async def go() -> Report:
        return (await collect(Pages(1, PAGES), server, settings=Settings(obey_robots=False))).report

    report = run_virtually(go, randomness=seeded(seed))
    assert (report.pages, report.failed) == (PAGES, 0)
    assert report.seconds <= 1.2 * server.least + 1.0
    assert server.refused <= 14
