"""How much is left of a quota, and when it is used up."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.cases import each

from crawler.monitor import QuotaGauge
from crawler.monitor.quotas import forecast, seconds_for

NOW = 1000.0


def gauge(**fields: Any) -> QuotaGauge:
    known = {"policy": "daily", "unit": "requests", "limit": 100, "remaining": 50, "window": 60, "reset_at": NOW + 30}
    return QuotaGauge(**known | fields)


@pytest.mark.parametrize(
    ("known", "rate", "used_up_at"),
    [
        ({}, 5.0, NOW + 10),
        ({}, 1.0, None),  # the window ends before
        ({}, 0.0, None),
        ({"reset_at": None}, 1.0, NOW + 50),
        ({"remaining": None}, 5.0, None),
        ({"remaining": 0}, 5.0, None),
    ],
)
def test_a_forecast(known: dict[str, Any], rate: float, used_up_at: float | None) -> None:
    assert forecast(gauge(**known), rate, NOW) == msgspec.structs.replace(gauge(**known), used_up_at=used_up_at)


@each(
    ("known", "units", "seconds"),
    [
        ({}, 50, 0.0),
        ({}, 51, 30.0),
        ({}, 150, 30.0),
        ({}, 151, 90.0),
        ({"remaining": None}, 151, 90.0),
        ({"reset_at": None}, 51, 60.0),
        ({"reset_at": NOW - 5}, 51, 0.0),
        ({"window": None}, 500, 30.0),
        ({"window": None, "reset_at": None}, 500, 0.0),
        ({"limit": 0}, 500, 0.0),
    ],
)
def test_the_minimum_time_of_a_quota(known: dict[str, Any], units: float, seconds: float) -> None:
    assert seconds_for(gauge(**known), units, NOW) == seconds
