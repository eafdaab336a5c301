"""The plugin `heartbeat`."""

from __future__ import annotations

import pytest
from crawler_plugins.heartbeat import Heartbeat
from support.internet import Internet, Pages, between
from support.trees import Follow, tree
from trio.testing import MockClock

from crawler import ConfigError, Settings
from crawler.testing import FakeSite, Page, collect


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "crawler.plugins.heartbeat"]


async def test_heartbeat_logs_a_message_at_regular_intervals(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    site = FakeSite({"/": "<a href='/b'>x</a>", "/b": Page("x", delay=35)})
    await collect(Follow(), site, plugins=[Heartbeat(every=10)])
    assert lines(caplog) == [
        "1 pages (0.1/s), 1 items, 0 failed, 1 in flight, 0 waiting",
        *["1 pages (0.0/s), 1 items, 0 failed, 1 in flight, 0 waiting"] * 2,
    ]


async def test_heartbeat_shows_the_queue_its_time_and_the_reasons_of_waits(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    await collect(Follow(), tree(4, 3, most=0.0), plugins=[Heartbeat(every=65)], settings=Settings(delay=10))
    first, second = lines(caplog)[:2]
    assert first == (
        "7 pages (0.1/s), 7 items, 0 failed, 0 in flight, 22 waiting (3 min at this rate), waited for delay 60 s, "
        "next request in 5 s"
    )
    assert second.startswith("13 pages (0.1/s)")
    assert "waited for delay 60 s" in second


async def test_heartbeat_shows_unreachable_hosts(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    internet = Internet(between(2, 122), "refused", hosts=lambda host: host.startswith("h1"))
    await collect(Pages(2, 40), internet, plugins=[Heartbeat(every=30)])
    assert any(", unreachable: " in line for line in lines(caplog))


async def test_heartbeat_shows_that_the_crawl_stops(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    site = FakeSite({"/": "<a href='/b'>x</a>", "/b": Page("x", delay=35)})
    await collect(Follow(), site, plugins=[Heartbeat(every=6)], settings=Settings(max_seconds=5, grace=10))
    assert lines(caplog)[0].endswith(", stopping (max_seconds)")


@pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf")])
def test_an_interval_that_is_not_positive_is_refused(every: float) -> None:
    with pytest.raises(ConfigError, match="every must be above 0"):
        Heartbeat(every)
