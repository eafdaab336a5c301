"""`Replenishment`: how a quota is restored (rule 5 of `crawler.limits.quotas.declared_quota`)."""

from __future__ import annotations

import math
from typing import Final, Literal

import attrs

from crawler.limits.quotas.sample import QuotaSample
from crawler.limits.quotas.time_interval import TimeInterval

__all__ = ["MAX_VOTES", "Kind", "Replenishment"]

Kind = Literal["unknown", "fixed", "continuous"]

MAX_VOTES: Final = 3
"""Votes for one kind that are remembered."""
MIN_MEASURED: Final = 5.0
"""Returned units, at least, that show in which interval they return."""
MIN_RATE_SHARE: Final = 0.5
"""Share of the assumed rate below which the rate that responses show contradicts it."""
MIN_REFUSED_SHARE: Final = 0.9
"""The same if a request was refused at that rate."""
MIN_RETURNED: Final = 2.0
"""Units that return until a window is used up, at least, and their difference from the prediction, at most."""
KNOWN_INTERVALS: Final = 1.1
"""Intervals of one unit to wait for the next unit."""
MAX_PROBE_DELAY: Final = 30.0
"""Seconds, at most, by which the first probe is sent after a reset."""


@attrs.define(eq=False, repr=False)
class Replenishment:
    """How units return: all together when a window ends (``fixed``) or one by one (``continuous``)."""

    rate: float | None = None
    """Units per second, declared or measured. `None` means unknown."""
    fixed_votes: int = 0
    continuous_votes: int = 0
    before_reset: bool = True
    """Whether units may return before the stated reset. They do not if one that was tried before it was refused."""
    all_at_once: bool = False
    """Whether more units returned together than could have returned one by one."""
    _counted_from: QuotaSample | None = None
    """The response since which returned units are counted; the quota was never full since then."""
    _spent: float = 0.0
    """Units of the responses since then."""
    _was_refused: bool = False
    """Whether a request was refused since then."""
    shortest_interval: float = 0.0
    """Seconds in which one unit is restored, at least, where responses contradict the interval that is assumed."""

    @property
    def kind(self) -> Kind:
        """The kind with the most votes."""
        if self.rate is not None or self.continuous_votes > self.fixed_votes:
            return "continuous"
        return "fixed" if self.fixed_votes else "unknown"

    def is_sliding(self) -> bool:
        """Return whether units return one by one, even if half of them seemed to return together before a response."""
        return self.kind == "continuous" or (self.continuous_votes == MAX_VOTES and not self.all_at_once)

    def vote(
        self,
        sample: QuotaSample,
        *,
        before: float,
        updated_at: float,
        reset: TimeInterval,
        limit: float,
        interval: float | None,
    ) -> None:
        """Vote for a kind, because a response shows that units were restored."""
        restored = sample.remaining + sample.inflight  # what is in flight was restored, too, and spent
        if restored >= limit / 2 > before:
            gradual = interval is not None and (sample.received - updated_at) / interval >= restored - before
            if not (self.continuous_votes and gradual):
                self.fixed_votes = min(MAX_VOTES, self.fixed_votes + 1)
                self.continuous_votes = max(0, self.continuous_votes - 1)
        elif sample.causal and (sample.reset is None or sample.sent >= reset.earliest):
            spent = restored + sample.cost  # with what this request has spent
            alone = before < sample.cost and spent <= 1.0  # a probe, and nothing else
            one = alone and sample.reset is None and limit > MIN_RETURNED
            if one or (spent - before < limit / 4 and spent < limit - MIN_RETURNED):
                self.vote_continuous(1)

    def record_returned(self, units: float, seconds: float, interval: float | None) -> None:
        """Vote for continuous replenishment if a window was used up, and units had returned as its rate predicts."""
        if units >= MIN_RETURNED and interval is not None and abs(units - seconds / interval) <= MIN_RETURNED:
            self.vote_continuous(MAX_VOTES)

    def check_interval(self, sample: QuotaSample, limit: float, interval: float | None) -> None:
        """Measure the interval of units that return one by one, if it is longer than is assumed."""
        first, is_full = self._counted_from, sample.remaining + sample.cost + sample.inflight >= limit
        ends = sample.refused and sample.reset is not None  # the stated reset tells more
        if first is None or ends or (is_full and sample.causal):
            self._counted_from, self._spent, self._was_refused = sample, 0.0, False
            return
        self._spent += 0.0 if sample.refused else sample.cost
        self._was_refused |= sample.refused
        if not sample.causal or self.kind != "continuous" or sample.sent <= first.received:
            return
        returned = sample.remaining - first.remaining + self._spent
        highest = (returned + sample.inflight + 1.0) / (sample.sent - first.received)
        least = MIN_REFUSED_SHARE if self._was_refused else MIN_RATE_SHARE
        contradicted = interval is None or self.shortest_interval or highest * interval < least
        if contradicted and returned >= (MIN_MEASURED if interval is not None else 1.0):
            measured = (sample.received - first.sent) / max(1.0, returned - 1.0)
            longest = math.inf if self._was_refused else self.shortest_interval or math.inf
            self.shortest_interval = min(longest, measured)

    def vote_continuous(self, votes: int) -> None:
        """Add votes for continuous replenishment."""
        self.continuous_votes = min(MAX_VOTES, self.continuous_votes + votes)

    def probe_delay(self, interval: float | None, window: float | None) -> float:
        """Return the seconds by which the first probes are sent after the reset, so that one unit can have returned."""
        if self.kind != "unknown" or interval is None or window is None:
            return 0.0
        return min(KNOWN_INTERVALS * interval, window / 20, MAX_PROBE_DELAY)

    def restored_at(self, missing: float, *, updated_at: float, interval: float | None) -> float:
        """Return when `missing` units will have returned one by one, in seconds since the epoch."""
        if self.kind != "continuous" or interval is None:
            return math.inf
        return updated_at + interval * missing if self.before_reset or self.rate is not None else math.inf
