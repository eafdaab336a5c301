"""`IntervalQuota`: an undeclared rate without a burst, estimated from the distances of the requests that were served.

A limit of one unit in a window tells little of the rate: a server that lets a unit pass every 250 ms, and no two at
once, looks like one that allows one unit per second if the first probe came after a second.

The server serves a request if an interval has passed since the last one that it served. So each distance that was
served makes longer intervals improbable, and each one that was refused makes shorter ones improbable. From these
probabilities follow the distance that is safe, and the shorter one that is worth a trial. Nothing is forgotten: a
server that changes its rate soon outweighs what was known.

Responses take longer and shorter, and so do requests: some would come too close to each other if they were sent at
exactly the rate. Once the last response has come, its request is known to have arrived about half of the round trip
after it was sent, or earlier where refusals come sooner than that, and the next one travels for as large a part of the
shortest round trip at least. As long as it has not, the distance is longer by as much as requests travel differently.
"""

from __future__ import annotations

import math
from typing import Final, Self

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota
from crawler.limits.quotas.quota import Mode

__all__ = ["VARIES", "IntervalQuota"]

COMMON_RATES: Final = (
    *(1 / 60, 1 / 30, 1 / 20, 1 / 15, 1 / 12, 1 / 10, 1 / 6, 1 / 5, 1 / 4, 1 / 3, 1 / 2),
    *(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0),
)
"""Units per second that people choose."""
UNCOMMON: Final = 0.05
"""Probability of another rate, relative to that of a common one."""
STEP: Final = 1.03
"""Ratio of neighbouring rates that are considered."""
HIGHEST: Final = 250.0
"""Units per second; the highest of them."""
LOWER: Final = 8.0
"""Factor by which the lowest of them is lower than the first rate that was served."""
FITTED: Final = 1.2
"""Factor by which a rate that a few refusals suggest is usually wrong."""
MIN_BLUR: Final = 0.01
"""Share of an interval by which it is uncertain when requests arrive, at least."""
BLUR: Final = 0.25
"""Mean deviations of round trips by which it is uncertain, in addition."""
REFUSED_BLUR: Final = 0.6
"""The same for a refused request, of which the travel is not known."""
SURPRISE: Final = 4.0
"""By how much one request lowers the logarithm of a likelihood, at most: its fate may have another reason."""
LEAST: Final = -15.0
"""Logarithm of the likelihood of an interval, relative to the most likely one, below which it does not fall."""
SAFE: Final = 0.03
"""Probability of a refusal at a distance that counts as safe."""
PRICE: Final = 0.0025
"""Share of the time that a trial has to gain for each refusal that it costs. Each refusal so far doubles it."""
MAX_PRICE: Final = 2.0
"""The same, at most. It falls with the units served since the last refusal."""
ADDED: Final = 0.5
"""Mean deviations that a refusal at a safe distance adds, and at least this part of a tenth of the distance."""
LOST: Final = 8.0
"""Distances, times the refusals at safe ones so far, that may be lost by what was added until half of it is dropped."""
CALM_UNITS: Final = 32.0
"""Units served without a refusal that halve the price for the first time."""
VARIES: Final = 1.2
"""Factor by which the time that refusals take may be longer than it seemed."""
DEVIATIONS: Final = 2.0
"""Mean deviations by which a round trip may be shorter or longer than usual."""
MIN_LONGER: Final = 0.01
"""Share of the interval by which the distance is longer."""
MEASURED: Final = 16
"""Round trips of which the shortest one is known."""
MAX_PAUSES: Final = 64.0
"""Intervals to wait after refusals in a row, at most."""


@attrs.define(eq=False, repr=False, kw_only=True)
class IntervalQuota(LeakyBucketQuota):
    """A rate without a burst: a unit is served if an interval has passed since the last one."""

    _intervals: list[float] = attrs.field(factory=list)
    """The intervals that are considered, in seconds, the longest one first."""
    _prior: list[float] = attrs.field(factory=list)
    """Their probabilities before anything was sent, in any unit."""
    _evidence: list[float] = attrs.field(factory=list)
    """Logarithms of their likelihoods, relative to the most likely one."""
    _distance: float = 1.0
    """Seconds between two arrivals that are aimed at."""
    _safe: float = 1.0
    """The distance that is safe, in seconds, before what refusals have added to it."""
    _is_trial: bool = False
    """Whether a shorter distance than the safe one is tried."""
    _arrived: float = -math.inf
    """About when the latest served request reached the server, in seconds since the epoch."""
    _added: float = 0.0
    """Seconds that refusals at a safe distance have added to it."""
    _surprises: int = 0
    """Refusals at a safe distance."""
    _refused_in_row: int = 0
    _round_trip: float = math.nan
    """Seconds from a request to its response, as a moving average."""
    _deviation: float = 0.0
    """Mean deviation from it, in seconds."""
    _shortest: float = math.inf
    """The shortest one, in seconds."""
    _measured: int = 0
    beside: float = -math.inf
    """When the latest request in flight was sent, up to the one that is being refused, in seconds since the epoch."""
    refused_in: float = math.inf
    """Seconds in which that refusal came: the request travelled no longer."""
    _took: float = math.inf
    """Seconds that refusals take. Requests travel no longer than that, and a server may take longer to serve them."""

    @classmethod
    def of(
        cls, name: str, rate: float, now: float, *, refusals: int = 0, took: float = math.inf, is_weak: bool = False
    ) -> Self:
        """Return the quota of a server that has served a rate, in units per second, up to `now`."""
        found = cls(name=name, opened_at=now, blocked_until=now, is_weak=is_weak, refusals=refusals, took=took)
        found._consider(rate)
        found._arrived = now
        found._weigh(1.0 / rate, served=True)
        return found

    @classmethod
    def fitted(cls, name: str, rate: float, now: float, *, refusals: int = 0, took: float = math.inf) -> Self:
        """Return the quota of a server that seems to let units pass at a rate, in units per second, up to `now`.

        The other parameters are those of `of`.
        """
        found = cls(name=name, opened_at=now, blocked_until=now + 1.0 / rate, refusals=refusals, took=took)
        found._consider(rate)
        found._arrived = now
        found._evidence = [
            max(LEAST, -0.5 * (math.log(interval * rate) / math.log(FITTED)) ** 2) for interval in found._intervals
        ]
        found._choose()
        return found

    def record_unreported(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Count a request that was served. If it came in time, a higher rate may follow."""
        self._refused_in_row = 0
        self._measure(received - sent)
        arrived = sent + self._travel(received - sent)
        distance, self._arrived = arrived - self._arrived, max(arrived, self._arrived)
        self.updated_at = max(self.updated_at, received)
        self.used += cost
        if self._added * (self.used - self.counted) > LOST * self._surprises * self._distance:
            self.counted, self._added = self.used, self._added / 2.0
        if distance > 0.0:
            self._weigh(distance / cost, served=True)
        return True

    def explain_refusal(self, sent: float, retry_after: float | None = None, *, in_flight: int = 0) -> bool:
        """Lower the rate. Return `True`, because a rate explains every refusal."""
        self.overestimated = self.is_weak = False
        if sent < self.blocked_until:
            return True
        self.refusals += 1
        self.counted = self.used
        if not self._is_trial:
            self._surprises += 1
            added = ADDED * max(self._travel(2.0 * self._deviation), 0.1 * self._distance)
            self._added += added * doubled(self._refused_in_row, cap=MAX_PAUSES)
        self._took = self.refused_in if self._took == math.inf else self._took
        usual = 0.0 if self._measured == 0 else self._travel(self._round_trip)
        before = max(self._arrived, self.beside + usual)
        self._weigh(max(0.0, sent + min(usual, self.refused_in) - before), served=False)
        self.blocked_until = sent + doubled(self._refused_in_row, base=0.5, cap=MAX_PAUSES) * self._distance
        self._refused_in_row += 1
        return True

    def start_at(self, last: float, *, cost: float, inflight: float, backlog: float, mode: Mode) -> float:
        """Return when the next request will not arrive too early, in seconds since the epoch."""
        if inflight or math.isnan(self._round_trip):  # the response tells more, if it comes before
            return last + cost * self._distance + DEVIATIONS * self._travel(2.0 * self._deviation)
        shortest = self._shortest
        if self._measured < MEASURED:
            shortest = max(0.0, min(shortest, self._round_trip - DEVIATIONS * self._deviation))
        return max(last, self._arrived + cost * self._distance - self._travel(shortest))

    def trusted_rate(self) -> float:
        """Return the rate at which requests are served, in units per second, although a higher one may be tried."""
        return 1.0 / ((1.0 + MIN_LONGER) * self._safe + self._added)

    def _travel(self, seconds: float) -> float:
        """Return how much of a round trip, or of a part of one, a request travels, in seconds: at most half of it."""
        share = VARIES * self._took / self._round_trip if self._round_trip > 0.0 else math.inf
        return min(0.5, share) * seconds

    def _measure(self, round_trip: float) -> None:
        """Take a round trip, in seconds, as RFC 6298 does."""
        self._measured += 1
        self._shortest = min(self._shortest, round_trip)
        if math.isnan(self._round_trip):
            self._round_trip, self._deviation = round_trip, round_trip / 2.0
        else:
            self._deviation += (abs(round_trip - self._round_trip) - self._deviation) / 8.0
            self._round_trip += (round_trip - self._round_trip) / 8.0

    def _consider(self, rate: float) -> None:
        """Set the intervals that are considered where a rate, in units per second, was served or is likely."""
        lowest = min(rate / LOWER, HIGHEST / STEP)
        prior = {1.0 / (lowest * STEP**step): UNCOMMON for step in range(int(math.log(HIGHEST / lowest, STEP)) + 1)}
        prior |= {1.0 / common: 1.0 for common in COMMON_RATES if common > lowest}
        self._intervals = sorted(prior, reverse=True)
        self._prior = [prior[interval] for interval in self._intervals]
        self._evidence = [0.0] * len(prior)

    def _weigh(self, distance: float, *, served: bool) -> None:
        """Weigh what a request shows that arrived so many seconds after the last served one, and choose a distance."""
        evidence = []
        blur = (BLUR if served else REFUSED_BLUR) * self._travel(2.0 * self._deviation)
        for interval, known in zip(self._intervals, self._evidence, strict=True):
            late = (distance - interval) / (blur + MIN_BLUR * interval)
            surprise = 0.5 * min(0.0, late) ** 2 if served else -_log_normal(-late)
            evidence.append(known - min(SURPRISE, surprise))
        most = max(evidence)
        self._evidence = [max(LEAST, one - most) for one in evidence]
        self._choose()

    def _choose(self) -> None:
        """Choose the distance: the safe one, or a shorter one whose gain outweighs the refusal that it risks."""
        weights = [prior * math.exp(one) for prior, one in zip(self._prior, self._evidence, strict=True)]
        total = sum(weights)
        calm = (self.used - self.counted) / CALM_UNITS
        price = doubled(self.refusals, base=PRICE, cap=MAX_PRICE) / (1.0 + calm)
        longer, safe, best, gained = 0.0, self._intervals[0], self._intervals[0], 0.0
        for interval, weight in zip(self._intervals, weights, strict=True):  # `longer`: the probability of a refusal
            if longer <= SAFE:
                safe = best = interval
            else:
                gain = (1.0 - longer) * (1.0 - interval / safe) - longer * price
                if gain > gained:
                    best, gained = interval, gain
            longer += weight / total
        self._is_trial, self._safe = best < safe, safe
        self._distance = (1.0 + MIN_LONGER) * best + self._added
        self._set_rate(1.0 / self._distance)


def _log_normal(deviations: float) -> float:
    """Return the logarithm of the probability that a normal deviate is below so many standard deviations."""
    return math.log(max(math.ulp(0.0), 0.5 * math.erfc(-deviations * math.sqrt(0.5))))
