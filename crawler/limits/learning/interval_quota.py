"""`IntervalQuota`: an undeclared rate without a burst, found by doubling and bisection.

A limit of one unit in a window tells little of the rate: a server that lets a unit pass every 250 ms, and no two at
once, looks like one that allows one unit per second if the first probe came after a second.

People choose round rates, so the search ends when no common rate lies between the highest served and the lowest refused
one. Responses take longer and shorter, and so do requests: some would come too close to each other if they were sent at
exactly the rate. Once the last response has come, its request is known to have arrived about half of the round trip
after it was sent, and the next one travels for half of the shortest round trip at least. As long as it has not, the
interval is longer than that of the rate by as much as round trips differ.
"""

from __future__ import annotations

import math
from typing import Final, Self

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota
from crawler.limits.quotas.quota import Mode

__all__ = ["IntervalQuota"]

COMMON_RATES: Final = (
    *(1 / 60, 1 / 30, 1 / 20, 1 / 15, 1 / 12, 1 / 10, 1 / 6, 1 / 5, 1 / 4, 1 / 3, 1 / 2),
    *(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0),
)
"""Units per second that people choose."""
NEARLY: Final = 0.95
"""Ratio of a rate that may be served to one that was refused, at most."""
SLIGHTLY: Final = 1.02
"""Ratio of a rate that is worth a trial to one that was served, at least."""
FITTED: Final = 1.2
"""Factor by which a rate that a few refusals suggest may be wrong."""
LATE: Final = 1.25
"""Intervals between two arrivals that show that the rate is served, at most, while none was refused."""
SOON: Final = 1.05
"""The same once a rate was refused."""
DEVIATIONS: Final = 1.5
"""Mean deviations of round trips by which the interval is longer than that of the rate, until the response has come."""
SPREAD: Final = 2.0
"""Mean deviations by which a round trip may be shorter or longer than usual."""
MAX_INTERVALS: Final = 2.0
"""Intervals after a request within which its response has to come, if the next request is to wait for it."""
MIN_LONGER: Final = 0.01
"""Share of the interval by which it is longer at least."""
FIRST_LONGER: Final = 0.1
"""The same, as long as no round trip is known."""
MAX_LONGER: Final = 0.5
"""The same, at most. If refusals have added more, the rate is lower."""
MEASURED: Final = 16
"""Round trips of which the shortest one is known."""
ADDED: Final = 0.25
"""Mean deviations that a refusal adds, and at least this part of a tenth of the interval. They double if less than
`UNITS_BETWEEN` were served since the last one."""
UNITS_BETWEEN: Final = 5.0
"""Units served between two refusals if the rate is nearly right."""
CALM_UNITS: Final = 32.0
"""Units served without a refusal, times the refusals so far, before half of what was added is dropped. If nothing is
left to drop, the next common rate is tried."""
MAX_PAUSES: Final = 64.0
"""Intervals to wait after refusals in a row, at most."""
UNITS_TO_TRUST: Final = 2
"""Units that are served before a rate counts as served, once another one was refused."""


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
    _arrived: float = -math.inf
    """About when the latest served request reached the server, in seconds since the epoch."""
    _added: float = 0.0
    """Seconds that refusals have added to the interval of the rate."""
    _shown: int = 0
    """Units that have shown that this rate is served."""
    _refused_in_row: int = 0
    _few: int = 0
    """Refusals in a row between which less than `UNITS_BETWEEN` were served."""
    _round_trip: float = math.nan
    """Seconds from a request to its response, as a moving average."""
    _deviation: float = 0.0
    """Mean deviation from it, in seconds."""
    _shortest: float = math.inf
    """The shortest one, in seconds."""
    _measured: int = 0

    @classmethod
    def of(cls, name: str, rate: float, now: float, *, is_weak: bool = False) -> Self:
        """Return the quota of a server that has served a rate, in units per second, up to `now`."""
        found = cls(name=name, opened_at=now, served_rate=rate, blocked_until=now, is_weak=is_weak)
        found._arrived = now
        found._tried = rate
        found._set_rate(rate / (1.0 + FIRST_LONGER))
        return found

    @classmethod
    def fitted(cls, name: str, rate: float, now: float) -> Self:
        """Return the quota of a server that seems to let units pass at a rate, in units per second, up to `now`."""
        found = cls(name=name, opened_at=now, served_rate=rate / FITTED, refused_rate=rate * FITTED)
        found.blocked_until, found._arrived = now + 1.0 / rate, now
        found._try_next(now)
        return found

    def record_unreported(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Count a request that was served. If it came in time, a higher rate may follow."""
        self._refused_in_row = 0
        self._measure(received - sent)
        arrived = (sent + received) / 2.0
        interval, self._arrived = arrived - self._arrived, max(arrived, self._arrived)
        self.updated_at = max(self.updated_at, received)
        if not self.is_searching:
            self.used += cost
            if self.used - self.counted >= CALM_UNITS * (1.0 + self.refusals):
                self._try_more(received)
        elif 0.0 < interval <= (LATE if self.refused_rate == math.inf else SOON) * cost / self._tried:
            self._shown += 1
            if self._shown >= UNITS_TO_TRUST or self.refused_rate == math.inf:
                self.served_rate = max(self.served_rate, self._tried)
                self._try_next(received)
        return True

    def explain_refusal(self, sent: float, retry_after: float | None = None) -> bool:
        """Lower the rate. Return `True`, because a rate explains every refusal."""
        self.overestimated = self.is_weak = False
        if sent < self.blocked_until:
            return True
        if self.is_searching:
            if self._tried <= self.served_rate:
                self.served_rate = self._tried / 2.0
            self.refused_rate = self._tried
            self._try_next(sent)
        else:
            self.refusals += 1
            self._few = self._few + 1 if self.used - self.counted < UNITS_BETWEEN else 0
            self.counted = self.used
            self._added += ADDED * max(self._deviation, 0.1 / self._tried) * 2.0**self._few
            if self._added * self._tried > MAX_LONGER:
                self._tried, self._added = self._tried / (1.0 + self._added * self._tried), 0.0
            self._set_interval()
        self.blocked_until = sent + doubled(self._refused_in_row, cap=MAX_PAUSES) / (self.replenishment.rate or 1.0)
        self._refused_in_row += 1
        return True

    def start_at(self, last: float, *, cost: float, inflight: float, backlog: float, mode: Mode) -> float:
        """Return when the next request will not arrive too early, in seconds since the epoch."""
        even = super().start_at(last, cost=cost, inflight=inflight, backlog=backlog, mode=mode)
        if math.isnan(self._round_trip):
            return even
        if inflight:  # the response tells more, if it is about to come
            comes = self._round_trip + SPREAD * self._deviation
            return max(even, last + comes) if comes <= MAX_INTERVALS / self._tried else even
        shortest = self._shortest
        if self._measured < MEASURED:
            shortest = max(0.0, min(shortest, self._round_trip - SPREAD * self._deviation))
        longer = MIN_LONGER / self._tried + self._added
        return max(last, self._arrived + cost / self._tried + longer - shortest / 2.0)

    def _measure(self, round_trip: float) -> None:
        """Take a round trip, in seconds, as RFC 6298 does."""
        self._measured += 1
        self._shortest = min(self._shortest, round_trip)
        if math.isnan(self._round_trip):
            self._round_trip, self._deviation = round_trip, round_trip / 2.0
        else:
            self._deviation += (abs(round_trip - self._round_trip) - self._deviation) / 4.0
            self._round_trip += (round_trip - self._round_trip) / 8.0

    def _try_next(self, now: float) -> None:
        """Set the rate that is tried next."""
        self._shown = 0
        low, high = self.served_rate, self.refused_rate
        between = [rate for rate in COMMON_RATES if rate > SLIGHTLY * low and rate < NEARLY * high]
        if high == math.inf:
            self._tried = 2.0 * low
        elif between:
            self._tried = between[len(between) // 2]
        else:
            self._tried, self.is_searching = low, False
            self.opened_at = now
            self.counted = self.used
        self._set_interval()

    def _try_more(self, now: float) -> None:
        """Shorten the interval after a while without refusals, since the server may allow more than is believed."""
        self.counted, self._few = self.used, 0
        if self._added * self._tried > MIN_LONGER:
            self._added /= 2.0
            self._set_interval()
            return
        higher = [rate for rate in COMMON_RATES if rate > SLIGHTLY * self._tried]
        if higher:
            self.refusals += 1
            self.served_rate, self.refused_rate = self._tried, higher[0] / NEARLY * SLIGHTLY
            self.is_searching = True
            self._try_next(now)

    def _set_interval(self) -> None:
        """Set the rate at which requests are sent if the response to the last one has not come."""
        longer = max(MIN_LONGER, min(MAX_LONGER, DEVIATIONS * self._deviation * self._tried))
        self._set_rate(1.0 / ((1.0 + longer) / self._tried + self._added))
