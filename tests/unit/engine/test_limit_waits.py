"""Crawls that limits keep waiting say so, and stop if that is too long for the user."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from support.virtual import run_virtually
from trio.testing import MockClock

from crawler import Pause, Plugin, Request, Response, Settings, Spider, Usage, crawl
from crawler.testing import FakeSite


class Numbers(Spider):
    def start(self) -> Any:
        for number in range(25):
            yield Request(f"https://a.test/{number}")

    def parse(self, response: Response) -> Any:
        yield {"url": response.url}


class PerDay(httpx.AsyncBaseTransport):
    """Allows ten requests a day, and states when the day ends."""

    def __init__(self) -> None:
        self.days: dict[int, int] = {}
        self.started = time.time() - trio.current_time()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        day = trio.current_time() // 86400.0
        self.days[int(day)] = self.days.get(int(day), 0) + 1
        left = 10 - self.days[int(day)]
        reset = self.started + 86400.0 * (day + 1)
        fields = {
            "X-RateLimit-Limit": "10",
            "X-RateLimit-Remaining": f"{left}",
            "X-RateLimit-Reset": f"{math.ceil(reset)}",
        }
        return httpx.Response(200 if left >= 0 else 429, headers=fields)


FREE = Settings(obey_robots=False)


@pytest.mark.parametrize(
    ("robots", "settings"),
    [("User-agent: *\nCrawl-delay: 600", Settings(quota_patience=60)), ("", Settings(delay=600))],
)
async def test_a_long_delay_is_named_once(
    autojump_clock: MockClock, caplog: Any, robots: str, settings: Settings
) -> None:
    site = FakeSite({f"https://a.test/{number}": "x" for number in range(25)} | {"https://a.test/robots.txt": robots})
    report = await crawl(Numbers(), transport=site.transport, settings=settings)
    assert (report.pages, report.finished) == (25, "finished")
    [line] = [record.getMessage() for record in caplog.records if record.name == "crawler.engine"]
    assert line.startswith("nothing to do until ")
    assert "https://a.test is the first to be ready, and its delay, that of the settings or the Crawl-delay" in line


async def test_a_crawl_waits_for_days_and_says_until_when(autojump_clock: MockClock, caplog: Any) -> None:
    site = PerDay()
    report = await crawl(Numbers(), transport=site, settings=FREE)
    assert (report.pages, report.failed, report.finished) == (25, 0, "finished")
    assert site.days == {0: 10, 1: 10, 2: 5}
    lines = [record.getMessage() for record in caplog.records if record.name == "crawler.engine"]
    assert len(lines) == 2
    assert all("https://a.test is the first to be ready, and its quota is used up" in line for line in lines)


@pytest.mark.parametrize("patience", [0.0, 3600.0])
def test_patience_stops_the_crawl_and_the_job_is_resumed_later(patience: float, tmp_path: Path) -> None:
    async def go() -> None:
        site, settings = PerDay(), FREE | Settings(quota_patience=patience)
        for pages in (10, 20, 25):
            report = await crawl(Numbers(), transport=site, settings=settings, job=tmp_path / "job")
            assert (report.pages, report.failed) == (pages, 0)
            assert report.finished == ("finished" if pages == 25 else "quota_patience")
            assert report.exit_code() == (0 if pages == 25 else 3)
            await trio.sleep(86400 - math.fmod(trio.current_time(), 86400) + 60)
        assert site.days == {0: 10, 1: 10, 2: 5}

    run_virtually(go)


class PauseOnce(Plugin):
    """Pauses the lane after its first response."""

    paused = False

    def measure(self, usage: Usage) -> Pause | None:
        paused, self.paused = self.paused, True
        return None if paused else Pause(400.0)


async def test_a_pause_is_reported_as_a_pause(autojump_clock: MockClock, caplog: Any) -> None:
    site = httpx.MockTransport(lambda request: httpx.Response(200))
    settings = FREE | Settings(quota_patience=0)
    report = await crawl(Numbers(), transport=site, settings=settings, plugins=[PauseOnce()])
    assert (report.pages, report.finished) == (25, "finished")
    assert trio.current_time() >= 400
    assert report.lanes["https://a.test"]["waited"]["pause"] == pytest.approx(400, abs=1)
    assert "refusal" not in report.lanes["https://a.test"]["waited"]
    [line] = [record.getMessage() for record in caplog.records]
    assert line.endswith("https://a.test is the first to be ready, and a plugin has paused it")


@pytest.mark.parametrize(
    ("answer", "settings", "why", "limit"),
    [
        (httpx.Response(503), FREE, "status 503", "quota_patience"),
        (httpx.Response(429), FREE, "status 429", "quota_patience"),
        (httpx.ReadError("connection reset"), Settings(), "connection reset", "outage_patience"),
    ],
    ids=str,
)
async def test_a_wait_for_a_host_that_serves_nothing_is_explained_once(
    autojump_clock: MockClock, caplog: Any, answer: httpx.Response | Exception, settings: Settings, why: str, limit: str
) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if trio.current_time() > 50:
            return httpx.Response(200)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code)

    report = await crawl(Numbers(), transport=httpx.MockTransport(respond), settings=settings)
    assert (report.pages, report.failed) == (25, 0)
    [line] = [record.getMessage() for record in caplog.records if "waiting for" in record.getMessage()]
    assert re.match(rf"waiting for https://a.test, which has served nothing for [1-3]\d s \({why}\): the next ", line)
    assert line.endswith(f"{limit} limits such waits")
