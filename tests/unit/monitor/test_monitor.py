"""Snapshots of a crawl that runs in virtual time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import msgspec
import trio
from trio.testing import MockClock

from crawler import Crawl, Failure, Plugin, Request, Response, Settings, Spider, crawl
from crawler.monitor import Monitor, Rate, Snapshot
from crawler.monitor.monitor import MAX_PROBLEMS
from crawler.testing import FakeSite, Page


def test_a_rate_is_known_from_the_second_value_on() -> None:
    rate = Rate()
    assert rate.per_second() == 0.0
    rate.note(0.0, 5)
    assert rate.per_second() == 0.0
    rate.note(2.0, 11)
    assert rate.per_second() == 3.0


def test_old_values_leave_the_window() -> None:
    rate = Rate(10.0)
    for second in range(31):
        rate.note(float(second), min(second, 20) * 7)
    assert rate.per_second() == 0.0, "nothing has happened for ten seconds"
    rate.note(35.0, 190)
    assert rate.per_second() == 5.0


def test_many_values_take_little_memory() -> None:
    rate = Rate(10.0)
    for step in range(100_000):
        rate.note(step / 1000, step)
    assert len(rate._values) < 50
    assert round(rate.per_second()) == 1000


def test_a_clock_that_goes_back_starts_afresh_and_a_rate_is_never_negative() -> None:
    rate = Rate()
    rate.note(100.0, 5)
    rate.note(50.0, 6)
    assert rate.per_second() == 0.0
    rate.note(51.0, 3)
    assert rate.per_second() == 0.0


LINKS = "".join(f"<a href='/{n}'>x</a>" for n in range(40))
QUOTA = {"RateLimit-Limit": "10", "RateLimit-Remaining": "0", "RateLimit-Reset": "60"}


class Walk(Spider):
    start_urls = ["https://site.test/"]

    def parse(self, response: Response) -> Iterator[object]:
        yield {"url": response.url}
        yield from response.follow_all("a")


class Watch(Plugin):
    """Takes snapshots at given times."""

    def __init__(self, *times: float) -> None:
        self.times = times
        self.taken: list[Snapshot] = []

    def lifespan(self, crawl: Crawl):
        self.monitor = Monitor(crawl)
        crawl.start_soon(self.watch)
        return super().lifespan(crawl)

    async def watch(self) -> None:
        for at in self.times:
            await trio.sleep_until(at)
            self.taken.append(self.monitor.snapshot())

    async def failed(self, failure: Failure) -> None:
        self.monitor.note_failure(failure)


async def watched(pages: dict[str, object], *times: float, **settings: object) -> list[Snapshot]:
    watch = Watch(*times)
    await crawl(
        Walk(), settings=Settings(obey_robots=False, **settings), plugins=[watch], transport=FakeSite(pages).transport
    )
    return watch.taken


async def test_rates_counts_and_the_time_that_is_left(autojump_clock: MockClock) -> None:
    pages = {"/": LINKS} | {f"/{n}": "x" for n in range(40)}
    taken = await watched(pages, *[trio.current_time() + n + 0.5 for n in range(21)], delay=1.0)
    now = taken[-1]
    assert (now.pages, now.items, now.in_flight + now.waiting) == (21, 21, 20)
    assert 0.9 <= now.pages_per_second <= 1.1
    assert now.seconds_left is not None
    assert 18 <= now.seconds_left <= 22
    [host] = now.hosts
    assert (host.name, host.state, host.requests, host.delay) == ("https://site.test", "waiting", 21, 1.0)
    assert host.words.startswith(("waiting for its delay", "next in turn"))
    assert json.loads(msgspec.json.encode(now))["pages"] == 21


async def test_a_quota_that_is_used_up_tells_why_and_how_long_it_takes(autojump_clock: MockClock) -> None:
    pages = {"/": Page(LINKS, headers=QUOTA)} | {f"/{n}": Page("x", headers=QUOTA) for n in range(40)}
    taken = await watched(pages, trio.current_time() + 10, max_seconds=20)
    [host] = taken[0].hosts
    assert host.words == "waiting for quota, 50 s"
    [gauge] = host.quotas
    assert (gauge.limit, gauge.remaining, gauge.reset_at) == (10, 0, taken[0].time + 50)
    assert taken[0].seconds_left is not None
    assert taken[0].seconds_left >= 50


async def test_failures_are_grouped_and_a_server_commands_no_terminal(autojump_clock: MockClock) -> None:
    pages = {"/": LINKS} | {f"/{n}": Page("x", status=500) for n in range(40)}
    taken = await watched(pages, trio.current_time() + 60, delay=3.0, attempts=1)
    [problem] = taken[0].problems
    assert (problem.kind, problem.message) == ("status_500", "status 500")
    assert problem.count == taken[0].failed > 5


async def test_many_kinds_of_failures_take_bounded_memory(autojump_clock: MockClock) -> None:
    watch = Watch()
    await crawl(Walk(), plugins=[watch], transport=FakeSite({"/": "x"}).transport)

    class Error(Exception):
        def __init__(self, kind: int) -> None:
            super().__init__("\x1b[2Jgone\nbad")
            self.full_reason = f"kind_{kind}"

    request = Request("https://site.test/?password=s3cret")
    for kind in range(3 * MAX_PROBLEMS):
        watch.monitor.note_failure(SimpleNamespace(error=Error(kind), request=request))
    now = watch.monitor.snapshot()
    assert len(now.problems) == MAX_PROBLEMS
    assert now.problems[0].kind == f"kind_{3 * MAX_PROBLEMS - 1}"
    assert "\x1b" not in now.problems[0].message
    assert "s3cret" not in now.problems[0].url
