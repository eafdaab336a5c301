"""`EvenRate`: how a policy is kept whose server counts in another way than our log of requests.

A server that estimates a sliding window from two fixed ones refuses bursts that no window of the declared length
forbids. It serves an even rate of one unit less than the limit per window.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["EvenRate"]

PAUSE_UNITS: Final = 2.0
"""Intervals of one unit that pass after a refusal: the estimate may exceed the limit by a part of a unit."""
UNITS_PER_REFUSAL: Final = 25.0
"""Units that are served between two refusals, at least, or a whole window, if the rate explains the second one."""
SLOWER: Final = 1.02
"""Factor by which a second refusal lengthens the interval: the server restores less than it declares."""
LONGEST: Final = 2.0
"""Intervals of one unit by the declared rate, at most, between two units."""


@attrs.define(eq=False, repr=False)
class EvenRate:
    """The rate at which a policy is kept since a request was refused that our log allowed."""

    refused_at: float
    served: float = attrs.field(default=0.0, init=False)
    """Units served since then."""
    factor: float = attrs.field(default=1.0, init=False)
    """How many times as long the interval is as for one unit less than the limit per window."""

    def explain_refusal(self, sent: float, received: float, limit: float) -> bool:
        """Return whether a further refusal is no sign of another limit, and pause again.

        The rate is lower from then on, unless the request was in flight at the refusal before.
        """
        if sent > self.refused_at:
            if self.served < min(UNITS_PER_REFUSAL, limit):
                return False
            self.factor *= SLOWER
        self.refused_at, self.served = received, 0.0
        return True

    def interval(self, limit: float, window: float) -> float:
        """Return the seconds between two units."""
        return min(self.factor * window / max(limit - 1.0, limit / LONGEST), LONGEST * window / limit)

    def ready_at(self, limit: float, window: float) -> float:
        """Return when the pause ends, in seconds since the epoch; parameters as of `interval`."""
        return self.refused_at + PAUSE_UNITS * self.interval(limit, window)
