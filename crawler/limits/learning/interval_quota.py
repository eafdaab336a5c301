"""`IntervalQuota`: an undeclared rate without a burst, found by doubling and bisection.

A limit of one unit in a window tells little of the rate: a server that lets a unit pass every 250 ms, and no two at
once, looks like one that allows one unit per second if the first probe came after a second.

People choose round rates, so the search ends when no common rate lies between the highest served and the lowest refused
one. Responses take longer and shorter, and so do requests: some would come too close to each other if they were sent at
exactly the rate. The interval is longer than that of the rate by as much as round trips differ.
"""

from __future__ import annotations

import math
from typing import Final, Self

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota

__all__ = ["IntervalQuota"]

COMMON_RATES: Final = (
    *(1 / 60, 1 / 30, 1 / 20, 1 / 15, 1 / 12, 1 / 10, 1 / 6, 1 / 5, 1 / 4, 1 / 3, 1 / 2),
    *(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0),
)
"""Units per second that people choose."""
NEARLY: Final = 0.95
"""Ratio of two rates that differ."""
FITTED: Final = 1.2
"""Factor by which a rate that a few refusals suggest may be wrong."""
LATE: Final = 1.25
"""Intervals after which a request no longer shows that the rate is served."""
DEVIATIONS: Final = 1.5
"""Mean deviations of round trips by which the interval is longer than that of the rate."""
MIN_LONGER: Final = 0.01
"""Share of the interval by which it is longer at least."""
FIRST_LONGER: Final = 0.1
"""The same, as long as no round trip is known."""
MAX_LONGER: Final = 0.5
"""The same, at most."""
ADDED: Final = 0.25
"""Mean deviations that a refusal adds, and at least this part of a tenth of the interval."""
LOWERED: Final = 0.9
"""What a refusal leaves of a known rate if less than `UNITS_BETWEEN` were served since the last one."""
UNITS_BETWEEN: Final = 5.0
"""Units served between two refusals if the rate is nearly right."""
MAX_PAUSES: Final = 64.0
"""Intervals to wait after refusals in a row, at most."""
UNITS_TO_TRUST: Final = 2
"""Units in a row that are served before a rate counts as served, once another one was refused."""


@attrs.define(eq=False, repr=False, kw_only=True)
class IntervalQuota(LeakyBucketQuota):
    """A rate without a burst: a unit is served if an interval has passed since the last one."""

    served_rate: float = 0.0
    """Highest rate that was served, in units per second."""
    refused_rate: float = math.inf
    """Lowest rate that was refused, in units per second."""
    _tried: float = 1.0
    """The rate that is tried. Requests come less often than that."""
    is_searching: bool = True
    """Whether rates are tried, some of which will be refused."""
    _last_sent: float = -math.inf
    _in_row: int = 0
    _refused_in_row: int = 0
    _round_trip: float = math.nan
    """Seconds from a request to its response, as a moving average."""
    _deviation: float = 0.0
    """Mean deviation from it, in seconds."""

    @classmethod
    def of(cls, name: str, rate: float, now: float, *, is_weak: bool = False) -> Self:
        """Return the quota of a server that has served a rate, in units per second, up to `now`."""
        found = cls(name=name, opened_at=now, served_rate=rate, blocked_until=now, is_weak=is_weak)
        found._last_sent = now
        found._tried = rate
        found._set_rate(rate / (1.0 + FIRST_LONGER))
        return found

    @classmethod
    def fitted(cls, name: str, rate: float, now: float) -> Self:
        """Return the quota of a server that seems to let units pass at a rate, in units per second, up to `now`."""
        found = cls(name=name, opened_at=now, served_rate=rate / FITTED, refused_rate=rate * FITTED)
        found.blocked_until, found._last_sent = now + 1.0 / rate, now
        found._try_next(now)
        return found

    def record_unreported(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Count a request that was served. If it came in time, a higher rate may follow."""
        rate = self.replenishment.rate or 1.0
        self._refused_in_row = 0
        self._measure(received - sent)
        if not self.is_searching:
            return super().record_unreported(sent=sent, received=received, cost=cost)
        interval, self._last_sent = sent - self._last_sent, max(sent, self._last_sent)
        self.updated_at = max(self.updated_at, received)
        if 0.0 < interval <= LATE * cost / rate:
            self._in_row += 1
            if self._in_row >= UNITS_TO_TRUST or self.refused_rate == math.inf:
                self.served_rate = max(self.served_rate, self._tried)
                self._try_next(received)
        return True

    def explain_refusal(self, sent: float, retry_after: float | None = None) -> bool:
        """Lower the rate. Return `True`, because a rate explains every refusal."""
        self.overestimated = self.is_weak = False
        rate = self.replenishment.rate or 1.0
        if sent < self.blocked_until:
            return True
        if self.is_searching:
            if self._tried <= self.served_rate:
                self.served_rate = self._tried / 2.0
            self.refused_rate = self._tried
            self._try_next(sent)
        else:
            self.refusals += 1
            few = self.used - self.counted < UNITS_BETWEEN
            added = ADDED * max(self._deviation, 0.1 / rate)
            self._set_rate(rate * LOWERED if few else 1.0 / (1.0 / rate + added))
            self.counted = self.used
        self.calm_since = sent
        self.blocked_until = sent + doubled(self._refused_in_row, cap=MAX_PAUSES) / rate
        self._refused_in_row += 1
        return True

    def _measure(self, round_trip: float) -> None:
        """Take a round trip, in seconds, as RFC 6298 does."""
        if math.isnan(self._round_trip):
            self._round_trip, self._deviation = round_trip, round_trip / 2.0
        else:
            self._deviation += (abs(round_trip - self._round_trip) - self._deviation) / 4.0
            self._round_trip += (round_trip - self._round_trip) / 8.0

    def _try_next(self, now: float) -> None:
        """Set the rate that is tried next."""
        self._in_row = 0
        low, high = self.served_rate, self.refused_rate
        between = [rate for rate in COMMON_RATES if NEARLY * rate > low and rate < NEARLY * high]
        if high == math.inf:
            self._tried = 2.0 * low
        elif between:
            self._tried = between[len(between) // 2]
        else:
            self._tried, self.is_searching = low, False
            self.opened_at = self.calm_since = now
            self.used = self.counted = 0.0
        longer = max(MIN_LONGER, min(MAX_LONGER, DEVIATIONS * self._deviation * self._tried))
        self._set_rate(self._tried / (1.0 + longer))
