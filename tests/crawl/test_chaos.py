"""Random failures of plugins, callbacks and servers: a crawl ends, has each page once, and returns every slot."""

from __future__ import annotations

import functools
import math
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from support.examples import seeds
from trio.testing import MockClock

from crawler import (
    Drop,
    Limits,
    Pace,
    Pause,
    Plugin,
    Produced,
    Request,
    RequestError,
    Response,
    Retry,
    Settings,
    Spider,
    Usage,
    WouldExceedDeadline,
)
from crawler.engine import handler_results, wiring
from crawler.engine.job import Job
from crawler.engine.session import CrawlSession
from crawler.store import sqlite_job
from crawler.testing import FakeSite, Page

QUOTAS: tuple[dict[str, float], ...] = ({}, {"a": 1.0}, {"b": 3.0}, {"a": 1.0, "b": 2.0}, {"b": 1.0, "a": 1.0})
PACING: tuple[dict[str, Pace], ...] = (
    {},
    {"a": Pace(rate=("5/s",))},
    {"h1.test": Pace(rate=("3/s",)), "b": Pace(delay=0.2)},
    {"*": Pace(bodies=True, refusals=(302, 500))},
)
LIMIT, WINDOW = 12, 10.0


class Trouble(Plugin):
    """Does at random what each hook may do, and what it may not."""

    name = "trouble"

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def admit(self, request: Request) -> Drop | None:
        if self.chance.random() < 0.02:
            raise ValueError("admit")
        return Drop("no") if self.chance.random() < 0.02 else None

    async def answer(self, request: Request) -> Response | None:
        if self.chance.random() > 0.05:
            return None
        await trio.sleep(self.chance.random())
        return Response(request=request, url=request.url, status=self.chance.choice([200, 404, 429, 503]), body=b"x")

    async def fetch(self, request: Request, send: Any) -> Response | Retry | Drop | None:  # noqa: PLR0911
        match self.chance.randrange(40):
            case 0:
                return Drop("before")
            case 1:
                return Retry("before", after=self.chance.choice([None, 1.0, 100.0]))
            case 2:
                raise ValueError("before")
            case 3:
                return Response(request=request, url=request.url, status=200, body=b"x")
            case 4:
                await send(request)
                return self.chance.choice([Retry("behind", after=1.0), Drop("behind")])
            case 5:
                await send(request)
                raise ValueError("behind")
            case 6:
                with trio.move_on_after(self.chance.random() * 3):
                    await self.crawl.fetch(Request(f"https://h{self.chance.randrange(3)}.test/", quotas={"a": 1.0}))
            case 7:
                with trio.move_on_after(self.chance.random()):
                    answer: Response = await send(request)
                    return answer
                return Retry("too slow")
        return None

    def measure(self, usage: Usage) -> Pause | None:
        if self.chance.random() < 0.02:
            return Pause(self.chance.random() * 20, self.chance.choice([usage.lane, "a", "b"]))
        return None


class Wild(Spider):
    """Requests pages of three hosts, some of which can be fetched."""

    def __init__(self, chance: random.Random, done: Counter[str]) -> None:
        super().__init__()
        self._chance, self._done = chance, done

    def request(self, number: int) -> Request:
        chance = self._chance
        return Request(
            f"https://h{number % 3}.test/{number}",
            quotas=chance.choice(QUOTAS),
            priority=chance.choice([0, 0, 0, 5, -5]),
            method=chance.choice(["GET"] * 9 + ["POST"]),
            accept_status=chance.choice([(), (), (429,)]),
            attempts=chance.choice([None, None, 1, 5]),
        )

    def start(self) -> Iterator[Request]:
        yield from map(self.request, range(60))

    async def parse(self, response: Response) -> list[Produced]:
        chance = self._chance
        match chance.randrange(30):
            case 0:
                raise ValueError("parse")
            case 1:
                return [Retry("parse")]
            case 2 | 3:
                with trio.move_on_after(chance.random() * 8):
                    await self.crawl.fetch(self.request(chance.randrange(300)))
            case 4:
                try:
                    await self.crawl.fetch(self.request(chance.randrange(300)))
                except WouldExceedDeadline:
                    raise
                except RequestError:
                    pass
        made: list[Any] = [{"url": response.url}]
        made += [self.request(chance.randrange(600)) for _ in range(chance.choice([0, 0, 1, 1, 2, 20]))]
        if chance.random() < 0.03:
            return [*made, Retry("in the end")]
        if not response.redirects:  # the target of a redirect may be fetched again
            self._done[response.request.key] += 1
        return made


def servers(chance: random.Random, *, says: bool, shared: bool) -> FakeSite:
    """Return three hosts that fail in every way and limit requests."""
    windows: dict[str, tuple[float, int]] = {}

    def page(request: httpx.Request) -> Any:  # noqa: PLR0911
        delay = chance.choice([0.0, 0.05, 0.3, 1.0])
        other = f"https://h{chance.randrange(3)}.test"
        if request.url.path == "/robots.txt":
            failing = Page(status=503, headers={"Retry-After": "3"}, delay=delay)
            moved = Page(status=302, headers={"Location": f"{other}/rules"}, delay=delay)
            slow = Page("User-agent: *\nCrawl-delay: 0.3", delay=delay)
            return chance.choice([failing, moved, slow, httpx.ConnectError("no"), "User-agent: *\nDisallow: /1"])
        match chance.randrange(40):
            case 0 | 1:
                return httpx.ConnectError("no")
            case 2:
                return httpx.ReadError("reset")
            case 3:
                return Page("x", delay=200.0)
            case 4 | 5:
                return Page(status=chance.choice([404, 500]), delay=delay)
            case 6:
                return Page(status=chance.choice([429, 503]), headers=chance.choice([{}, {"Retry-After": "7"}]))
            case 7:
                return Page(status=302, headers={"Location": f"{other}/{chance.randrange(600)}"}, delay=delay)
        now, key = trio.current_time(), "" if shared else request.url.host
        opened, used = windows.get(key, (-math.inf, 0))
        if now >= opened + WINDOW:
            opened, used = now, 0
        fits = used < LIMIT
        windows[key] = opened, used + fits
        left, reset = LIMIT - used - fits, math.ceil(opened + WINDOW - now)
        fields = {"RateLimit-Limit": str(LIMIT), "RateLimit-Remaining": str(left), "RateLimit-Reset": str(reset)}
        return Page("x", 200 if fits else 429, headers=fields if says else {}, delay=delay)

    urls = [f"https://h{number % 3}.test/{number}" for number in range(600)]
    urls += [f"https://h{host}.test/{path}" for host in range(3) for path in ("", "robots.txt", "rules")]
    return FakeSite(dict.fromkeys(urls, page))


@pytest.mark.parametrize("seed", seeds(12))
async def test_a_crawl_ends_with_each_page_once_and_every_slot_returned(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    small = {"window": chance.choice([1, 4, 9]), "max_waiting": 30, "max_lanes": chance.choice([1, 2, 4096])}
    monkeypatch.setattr(wiring, "Frontier", functools.partial(wiring.Frontier, **small if seed % 2 else {}))
    monkeypatch.setattr(handler_results, "SPILL_OVER", chance.choice([5, 10_000]))
    monkeypatch.setattr(sqlite_job, "MAX_WAL", math.inf)  # virtual time does not wait for threads
    settings = Settings(
        obey_robots=chance.random() < 0.4,
        per_host=chance.choice([1, 2, 8]),
        workers=chance.choice([1, 4, 32]),
        slow_start=chance.choice([None, True, False]),
        delay=chance.choice([0.0, 0.1]),
        pacing=chance.choice(PACING),
        request_deadline=5.0,
        grace=chance.choice([0.1, 10.0]),
    )
    site = servers(chance, says=seed % 3 > 0, shared=seed % 4 > 1)
    job = Job(tmp_path / "job", override=True) if seed % 4 < 2 else None
    limits = Limits() if seed % 5 == 0 else None
    done: Counter[str] = Counter()
    for breaks_off in (True, True, False) if job else (False,):
        plugins = [Trouble(chance)] if seed % 3 else []
        session = CrawlSession(Wild(chance, done), settings, plugins, [], job, limits)
        began, finished = trio.current_time(), ""
        with trio.fail_after(1e7):  # pages that are refused for ever are waited for: a day each time
            with trio.move_on_after(chance.random() * 30 if breaks_off else math.inf):
                report = await session.run(site.transport)
                finished = report.finished
        assert finished == "finished" or breaks_off
        check(session, emptied=bool(finished))
        if finished and job is None:
            passed = trio.current_time() - began
            waits = [seconds for lane in report.lanes.values() for seconds in lane["waited"].values()]
            assert all(0 <= seconds <= passed + 1e-3 for seconds in waits)
            assert set(done.values()) == {1}


def check(session: CrawlSession, *, emptied: bool) -> None:
    """Check that nothing is in flight and every slot has been returned."""
    assert session.engine is not None
    frontier = session.engine.scheduler.frontier
    throttles = frontier.limits.throttles
    assert {name: throttle.inflight for name, throttle in throttles.items()} == dict.fromkeys(throttles, 0)
    assert frontier.open_tickets == 0
    for lane in frontier.lanes.values():
        assert (lane.limiter.borrowed_tokens, lane.throttle.busy) == (0, 0)
        assert (lane.open_tickets, lane.robots.pending) == (0, False)
        assert not (emptied and len(lane))
    if emptied:
        assert session.engine.crawl.control.statistics().waiting == 0
