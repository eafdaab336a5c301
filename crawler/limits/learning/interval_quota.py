"""`IntervalQuota`: an undeclared rate without a burst, found by doubling and bisection.

A limit of one unit in a window tells little of the rate: a server that lets a unit pass every 250 ms, and no two at
once, looks like one that allows one unit per second if the first probe came after a second.
"""

from __future__ import annotations

import math
from typing import Final, Self

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.learning.leaky_bucket import RATE_SHARE, LeakyBucketQuota

__all__ = ["IntervalQuota"]

PRECISION: Final = 1.12
"""Ratio of the lowest refused rate to the highest served one at which the search ends."""
LATE: Final = 1.25
"""Intervals after which a request no longer shows that the rate is served."""
LOWERED: Final = 0.97
"""What a refusal leaves of a known rate. Networks delay requests differently, so some come too close to each other."""
LOWERED_MUCH: Final = 0.9
"""What it leaves if less than `UNITS_BETWEEN` were served since the last one."""
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
    _last_sent: float = -math.inf
    _in_row: int = 0
    _refused_in_row: int = 0

    @classmethod
    def of(cls, name: str, rate: float, now: float) -> Self:
        """Return the quota of a server that has served a rate, in units per second, up to `now`."""
        found = cls(name=name, opened_at=now, served_rate=rate, blocked_until=now)
        found._last_sent = now
        found._set_rate(rate)
        return found

    @property
    def is_searching(self) -> bool:
        """Whether the rate is not known exactly yet."""
        return self.refused_rate > PRECISION * self.served_rate

    def record_unreported(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Count a request that was served. If it came in time, a higher rate may follow."""
        rate = self.replenishment.rate or 1.0
        self._refused_in_row = 0
        if not self.is_searching:
            return super().record_unreported(sent=sent, received=received, cost=cost)
        interval, self._last_sent = sent - self._last_sent, max(sent, self._last_sent)
        self.updated_at = max(self.updated_at, received)
        if 0.0 < interval <= LATE * cost / rate:
            self._in_row += 1
            if self._in_row >= UNITS_TO_TRUST or self.refused_rate == math.inf:
                self.served_rate = max(self.served_rate, rate)
                self._try_next(received)
        return True

    def explain_refusal(self, sent: float, retry_after: float | None = None) -> bool:
        """Lower the rate. Return `True`, because a rate explains every refusal."""
        self.overestimated = False
        rate = self.replenishment.rate or 1.0
        if sent < self.blocked_until:
            return True
        if self.is_searching:
            if rate <= self.served_rate:
                self.served_rate = rate / 2.0
            self.refused_rate = rate
            self._try_next(sent)
        else:
            self.refusals += 1
            self._set_rate(rate * (LOWERED if self.used - self.counted >= UNITS_BETWEEN else LOWERED_MUCH))
            self.counted = self.used
        self.calm_since = sent
        self.blocked_until = sent + doubled(self._refused_in_row, cap=MAX_PAUSES) / min(rate, self.served_rate)
        self._refused_in_row += 1
        return True

    def _try_next(self, now: float) -> None:
        """Set the rate that is tried next."""
        self._in_row = 0
        if self.refused_rate == math.inf:
            self._set_rate(2.0 * self.served_rate)
        elif self.is_searching:
            self._set_rate((self.served_rate + self.refused_rate) / 2.0)
        else:
            self._set_rate(RATE_SHARE * self.served_rate)
            self.opened_at = self.calm_since = now
            self.used = self.counted = 0.0
