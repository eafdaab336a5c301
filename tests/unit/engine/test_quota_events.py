"""Without any plugin, a crawl says when a quota is low or will be used up, and reports the events."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import trio
from crawler_plugins.quota import Quota
from trio.testing import MockClock

from crawler import Produced, QuotaEvent, Request, Response, Settings, Spider, crawl
from crawler.engine.quota_events import MAX_REMEMBERED, QuotaEvents
from crawler.stats import MAX_EVENTS, Stats

FREE = Settings(obey_robots=False)
LANE = "https://api.test"


class Numbers(Spider):
    def __init__(self, pages: int) -> None:
        super().__init__()
        self.pages = pages

    def start(self) -> Iterator[Request]:
        for number in range(self.pages):
            yield Request(f"{LANE}/{number}")

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url}


class Windows(httpx.AsyncBaseTransport):
    """Accepts so many requests per window, and says what is left. Others may use most of the first window."""

    def __init__(self, limit: int, window: float, used: int = 0) -> None:
        self.limit, self.window = limit, window
        self.used, self.ends = used, window
        self.travel = 0.1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(self.travel)
        now = trio.current_time()
        if now >= self.ends:
            self.used, self.ends = 0, now + self.window
        self.used += 1
        fields = {
            "RateLimit-Policy": f'"daily";q={self.limit};w={self.window:g}',
            "RateLimit": f'"daily";r={max(0, self.limit - self.used)};t={math.ceil(self.ends - now)}',
        }
        return httpx.Response(200 if self.used <= self.limit else 429, headers=fields)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "crawler.quota"]


async def test_a_quota_that_falls_below_a_fifth_is_logged_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    report = await crawl(Numbers(45), transport=Windows(50, 86_400.0), settings=FREE)
    [line] = lines(caplog)
    assert line.startswith(f"quota daily of {LANE} is low: 9 left of 50, reset at ")
    [event] = report.lanes[LANE]["events"]
    assert event.keys() == {"event", "policy", "at", "remaining", "limit", "reset_at"}
    assert (event["event"], event["policy"], event["remaining"]) == ("low", "daily", 9.0)


async def test_each_crossing_is_logged_and_each_event_is_reported(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    report = await crawl(Numbers(150), transport=Windows(50, 300.0), settings=FREE)
    assert sum(" is low: 9 left" in line for line in lines(caplog)) == 3
    assert [event["event"] for event in report.lanes[LANE]["events"]].count("low") == 3


async def test_events_of_short_windows_are_logged_ever_more_rarely(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    settings = FREE | Settings(pacing={"*": {"mode": "burst"}})
    report = await crawl(Numbers(400), transport=Windows(10, 20.0), settings=settings)
    assert 770 < trio.current_time() < 820
    assert sum(" is low: " in line for line in lines(caplog)) == 6  # three, and after 60, 120 and 240 s
    assert len(report.lanes[LANE]["events"]) == MAX_EVENTS


async def test_windows_of_a_few_seconds_are_not_worth_a_line(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    report = await crawl(Numbers(60), transport=Windows(10, 5.0), settings=FREE)
    assert lines(caplog) == []
    assert len(report.lanes[LANE]["events"]) > 5


@pytest.mark.parametrize(("limit", "lines_logged"), [(1.0, 0), (20.0, 1)])
def test_a_learned_limit_of_a_few_units_is_not_worth_a_line(
    limit: float, lines_logged: int, caplog: pytest.LogCaptureFixture
) -> None:
    event = QuotaEvent(kind="low", policy="undeclared", scope="a", limit=limit, remaining=0.0, reset_at=99.0)
    QuotaEvents(Stats(), is_logged=True).note([event], 0.0)
    assert len(lines(caplog)) == lines_logged


async def test_a_quota_that_others_use_up_is_forecast(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    settings = FREE | Settings(pacing={"*": {"mode": "burst"}})
    report = await crawl(Numbers(60), transport=Windows(50, 600.0), settings=settings)
    assert any("will be used up before its reset: " in line and ", used up at " in line for line in lines(caplog))
    assert report.lanes[LANE]["events"][0]["event"] == "forecast"
    assert report.lanes[LANE]["events"][0]["breach_at"] < report.lanes[LANE]["events"][0]["reset_at"]


async def test_events_of_a_budget_are_reported_under_its_name(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Keyed(Numbers):
        def start(self) -> Iterator[Request]:
            for request in super().start():
                yield request.replace(quotas={"key:mine": 1})

    report = await crawl(Keyed(45), transport=Windows(50, 86_400.0), settings=FREE)
    assert [event["event"] for event in report.lanes["key:mine"]["events"]] == ["low"]
    assert lines(caplog)[0].startswith("quota daily of key:mine is low")


async def test_the_plugin_quota_tells_of_them_instead(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    report = await crawl(Numbers(45), transport=Windows(50, 86_400.0), settings=FREE, plugins=[Quota()])
    assert [line for line in lines(caplog) if "is low" in line] == [lines(caplog)[0]]
    assert lines(caplog)[0].startswith(f"{LANE}: quota daily")
    assert len(report.lanes[LANE]["events"]) == 1


def test_a_refusal_is_not_a_quota_event_and_memory_is_bounded() -> None:
    stats = Stats()
    events = QuotaEvents(stats, is_logged=True)
    events.note([QuotaEvent(kind="refused", policy=""), QuotaEvent(kind="concurrency", policy="")], 0.0)
    assert stats.lanes == {}
    for number in range(MAX_REMEMBERED + 5):
        events.note([QuotaEvent(kind="low", policy=f"{number}", scope="a")], 0.0)
    remembered: dict[Any, Any] = events._logged
    assert len(remembered) == MAX_REMEMBERED
    assert len(stats.lane("a").events) == MAX_EVENTS
