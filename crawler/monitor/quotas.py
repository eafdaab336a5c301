"""`QuotaGauge`: how much is left of a quota, and when it is used up."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from crawler.limits.throttle_statistics import ThrottleStatistics
from crawler.printable import printable_line

__all__ = ["QuotaGauge", "forecast", "gauges", "seconds_for"]


class QuotaGauge(Struct, frozen=True, kw_only=True):
    """How much is left of one quota."""

    policy: str
    """Name of the policy."""
    unit: str
    """The unit that it counts, such as ``requests``."""
    limit: float
    """Units per window."""
    remaining: float | None
    """Units that are left; `None` if it is not known."""
    window: float | None
    """Seconds of the window; `None` if it is not known."""
    reset_at: float | None
    """When the window ends, in seconds since the epoch; `None` if it is not known."""
    used_up_at: float | None = None
    """When nothing will be left at the current rate, if that is before the window ends; in seconds since the epoch."""


def gauges(limit: ThrottleStatistics) -> Iterator[QuotaGauge]:
    """Yield the quotas of a limit whose size is known."""
    for policy, known in limit.policies.items():
        if known.get("limit") is not None:
            yield QuotaGauge(
                policy=printable_line(policy),
                unit=known.get("unit", "requests"),
                limit=known["limit"],
                remaining=known.get("remaining"),
                window=known.get("window"),
                reset_at=known.get("reset_at"),
            )


def forecast(gauge: QuotaGauge, rate: float, now: float) -> QuotaGauge:
    """Return a quota with the time at which it is used up, if something is left."""
    if not gauge.remaining or gauge.remaining < 0 or rate <= 0:
        return gauge
    used_up_at = now + gauge.remaining / rate
    if gauge.reset_at is not None and used_up_at >= gauge.reset_at:
        return gauge
    return msgspec.structs.replace(gauge, used_up_at=used_up_at)


def seconds_for(gauge: QuotaGauge, units: float, now: float) -> float:
    """Return the minimum number of seconds that a quota takes for a number of units."""
    over = units - (gauge.remaining or 0.0)
    window = gauge.window or 0.0
    if over <= 0 or gauge.limit <= 0:
        return 0.0
    first = window if gauge.reset_at is None else max(0.0, gauge.reset_at - now)
    return first + (math.ceil(over / gauge.limit) - 1) * window
