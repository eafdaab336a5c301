"""`Forecast`: each event of a quota once per window."""

from __future__ import annotations

import math

import pytest

from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import Observation
from crawler.limits.learning.forecast import Forecast, quota_event
from crawler.limits.quotas.declared_quota import DeclaredQuota

NOW = 1_800_000_000.0


def update(
    forecast: Forecast, remaining: float, at: float, *, reset: float = 60.0, backlog: float = 1000.0
) -> list[QuotaEvent]:
    """Receive a response `at` seconds after `NOW`."""
    end = NOW + reset
    stated = Observation(policy="p", limit=60.0, remaining=remaining, reset=(end, end), window=60.0)
    forecast.quota.observe(stated, sent=NOW + at, received=NOW + at)
    return forecast.update(NOW + at, cost=1.0, inflight=0.0, backlog=backlog)


def kinds(events: list[QuotaEvent]) -> list[str]:
    return [event.kind for event in events]


def test_a_quota_that_will_be_used_up_before_its_reset_is_forecast_with_the_time():
    forecast = Forecast(DeclaredQuota(name="p"))
    events = [event for n in range(20) for event in update(forecast, 59.0 - n, n / 10)]
    assert kinds(events) == ["forecast"]
    [event] = events
    assert NOW < event.breach_at < NOW + 60
    assert event.fits == event.remaining


def test_nothing_is_forecast_if_the_backlog_fits():
    forecast = Forecast(DeclaredQuota(name="p"))
    assert [event for n in range(20) for event in update(forecast, 59.0 - n, n / 10, backlog=5.0)] == []


def test_nothing_is_forecast_for_a_quota_that_returns_continuously():
    quota = DeclaredQuota(name="p")
    quota.replenishment.rate = 1.0
    forecast = Forecast(quota)
    assert [event for n in range(20) for event in update(forecast, 59.0 - n, n / 10)] == []


def test_low_and_critical_are_reported_once_per_window():
    forecast = Forecast(DeclaredQuota(name="p"))
    steps = enumerate((11.0, 10.0, 0.0, 0.0))
    first = [event for n, left in steps for event in update(forecast, left, 30.0 + n, backlog=0.0)]
    assert sorted(kinds(first)) == ["critical", "low"]
    assert kinds(update(forecast, 11.0, 61.0, reset=121.0, backlog=0.0)) == ["low"]


def test_nothing_is_reported_while_the_remaining_units_are_unknown():
    forecast = Forecast(DeclaredQuota(name="p"))
    assert forecast.update(NOW, cost=1.0, inflight=0.0, backlog=math.inf) == []


def test_the_rate_of_use_is_averaged_over_five_seconds_at_least():
    forecast = Forecast(DeclaredQuota(name="p"))
    for n in range(600):
        forecast.update(NOW + n / 10, cost=1.0, inflight=0.0, backlog=0.0)
    assert forecast.rate == pytest.approx(10.0, rel=0.02)


def test_an_event_has_the_present_values_and_no_reset_that_is_unknown():
    assert quota_event("low", DeclaredQuota(name="p", limit=5.0)) == QuotaEvent(kind="low", policy="p", limit=5.0)
