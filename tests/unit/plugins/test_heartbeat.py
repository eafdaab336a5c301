"""The plugin `heartbeat`."""

from __future__ import annotations

import pytest
from crawler_plugins.heartbeat import Heartbeat
from support.trees import Follow
from trio.testing import MockClock

from crawler import ConfigError
from crawler.testing import FakeSite, Page, collect


async def test_it_logs_a_message_at_regular_intervals(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    site = FakeSite({"/": "<a href='/b'>x</a>", "/b": Page("x", delay=35)})
    await collect(Follow(), site, plugins=[Heartbeat(every=10)])
    lines = [record.message for record in caplog.records if record.name == "crawler.plugins.heartbeat"]
    assert lines == ["1 pages (0.1/s), 1 items, 0 failed"] + ["1 pages (0.0/s), 1 items, 0 failed"] * 2


@pytest.mark.parametrize("every", [0, -1, float("nan")])
def test_an_interval_that_is_not_positive_is_refused(every: float) -> None:
    with pytest.raises(ConfigError, match="every must be above 0"):
        Heartbeat(every)
