"""Crawls of hosts that answer, come up late or never, in virtual time: each ends, and names each page that it lacks."""

from __future__ import annotations

import functools
import random
from collections import Counter
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from support.internet import FAULTS, SLOW
from trio.testing import MockClock

from crawler import Plugin, Request, RequestError, Response, Settings, Spider, crawl
from crawler.engine import new_requests, wiring

LONGEST = 4000.0
"""Seconds of virtual time in which each of these crawls ends."""
FAULTY = sorted(FAULTS.keys() - {"gateway", "tls", "unreachable"})


class Mixed(httpx.AsyncBaseTransport):
    """Hosts whose names say what they do: ``live``, ``late`` from a time on, or ``dead``."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.began = trio.current_time()
        self.faults: dict[str, str] = {}
        self.up_at: dict[str, float] = {}
        self.served: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, chance = request.url.host, self.chance
        if host not in self.faults:
            self.faults[host] = chance.choice(FAULTY)
            latest = {"live": 0.0, "late": chance.choice([3.0, 20.0, 200.0, 1000.0]), "dead": 1e9}
            self.up_at[host] = latest[host[:4]]
        await trio.sleep(chance.uniform(0.01, 0.5))
        if trio.current_time() - self.began < self.up_at[host]:
            fault = self.faults[host]
            await trio.sleep(SLOW.get(fault, 0.01))
            failure = FAULTS[fault](request)
            assert isinstance(failure, Exception)
            raise failure
        if request.url.path == "/robots.txt":
            return httpx.Response(404)
        self.served[str(request.url)] += 1
        return httpx.Response(200, headers={"Content-Type": "text/html"}, content=b"<p>x")


class Mix(Spider):
    """Fetches pages of hosts of all kinds, in all ways in which a request can come into being or be waited for."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        chance = self.chance = random.Random(seed)
        kinds = chance.choice([("dead",), ("late",), ("dead", "late"), ("live", "dead"), ("live", "late", "dead")])
        self.hosts = [f"https://{chance.choice(kinds)}{number}.test" for number in range(chance.choice([1, 3, 8, 30]))]
        self.pages = chance.choice([1, 3, 12])
        self.lane = chance.choice([None, None, "shared"])
        self.quotas = chance.choice([{}, {}, {"key": 1.0}])
        self.asks_in_place = chance.random() < 0.4
        self.follows = chance.choice([0, 5, 60] if len(self.hosts) * self.pages < 10 else [0, 0, 2])
        self.waits = chance.choice([0.0, 0.0, 2.0, 90.0])
        self.is_held = chance.random() < 0.3  # start() waits for a page that may never come
        self.settled = trio.Event()
        self.wanted: set[str] = set()
        self.ended: Counter[str] = Counter()

    def request(self, url: str, **more: Any) -> Request:
        self.wanted.add(url)
        return Request(url, lane=self.lane, quotas=self.quotas, errback=self.give_up, **more)

    async def start(self) -> Any:
        for page in range(self.pages):
            for host in self.hosts:
                yield self.request(f"{host}/{page}")
        if self.is_held:
            await self.settled.wait()
            yield self.request(f"{self.hosts[0]}/held")
        await trio.sleep(self.waits)

    async def parse(self, response: Response) -> Any:
        self.ended[response.url] += 1
        self.settled.set()
        found: list[Any] = []
        number = response.meta.get("number", 0)
        if number < self.follows:
            found.append(self.request(f"{response.url}x", meta={"number": number + 1}))
        if self.asks_in_place:
            try:
                await self.crawl.fetch(Request(f"{self.chance.choice(self.hosts)}/in-place"))
            except RequestError:
                found.append({"url": response.url})
        return found

    def give_up(self, failure: Any) -> None:
        self.settled.set()
        if not str(failure.request.url).endswith("/in-place"):
            self.ended[failure.request.url] += 1


class Disturb(Plugin):
    """Pauses lanes, changes nothing, and fetches in the background."""

    name = "disturb"

    def __init__(self, spider: Mix) -> None:
        self.spider = spider

    @asynccontextmanager
    async def lifespan(self, crawl: Any) -> Any:
        chance = self.spider.chance
        if chance.random() < 0.4:
            self.crawl.start_soon(self._pause)
        if chance.random() < 0.3:
            self.crawl.start_soon(self._ask)
        if chance.random() < 0.3:
            self.crawl.start_soon(self._add)
        yield

    async def _pause(self) -> None:
        for _ in range(5):
            lane = self.spider.chance.choice([None, *self.spider.hosts])
            self.crawl.control.pause(lane)
            await trio.sleep(self.spider.chance.choice([0.5, 7.0, 50.0]))
            self.crawl.control.resume(lane)
            await trio.sleep(3.0)

    async def _ask(self) -> None:
        with suppress(RequestError):
            await self.crawl.fetch(Request(f"{self.spider.hosts[0]}/asked"))

    async def _add(self) -> None:
        await trio.sleep(self.spider.chance.choice([1.0, 20.0]))
        self.crawl.add(self.spider.request(f"{self.spider.hosts[-1]}/added"))


@pytest.mark.parametrize("seed", range(60))
async def test_each_crawl_ends_and_names_each_page_that_it_lacks(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    spider, network = Mix(seed), Mixed(chance)
    most = chance.choice([3, 10, 4096])
    monkeypatch.setattr(wiring, "Frontier", functools.partial(wiring.Frontier, max_lanes=most, max_waiting=2 * most))
    monkeypatch.setattr(new_requests, "MAX_STARTS", chance.choice([4, 10_000]))
    settings = Settings(
        obey_robots=chance.random() < 0.5,
        delay=chance.choice([0.0, 0.2, 2.0]),
        workers=chance.choice([1, 4, 32]),
        max_seconds=chance.choice([None, None, None, 60.0]),
    )
    job = tmp_path / "job" if chance.random() < 0.5 else None
    with trio.fail_after(LONGEST):
        report = await crawl(spider, settings=settings, plugins=[Disturb(spider)], transport=network, job=job)
    if not spider.asks_in_place:  # a page whose handler has to wait for too long in place is handled again
        assert max((*network.served.values(), *spider.ended.values()), default=0) <= 1
    if report.finished == "finished":
        assert spider.wanted == spider.ended.keys()
        assert report.pages + report.failed == len(spider.wanted)
    else:
        assert settings.max_seconds is not None
