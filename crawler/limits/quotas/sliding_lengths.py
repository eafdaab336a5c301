"""`SlidingLengths`: the common lengths of a sliding window that explain what responses state to be left.

A sliding window of which only the remaining units are stated returns each unit one length after its use. Each length
predicts from our own requests how much is left. One that predicts something else at any time is ruled out.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from crawler.limits.headers.declared import TimeRange
from crawler.limits.quotas.sample import QuotaSample
from crawler.limits.quotas.window import COMMON_LENGTHS

__all__ = ["SlidingLengths"]

MAX_LIMIT: Final = 150.0
"""Units of the largest limit whose requests are compared."""
MIN_RETURNS: Final = 2
"""Times, at least, that a part of what was used has returned as predicted."""


@attrs.define(eq=False, repr=False)
class SlidingLengths:
    """The lengths that are possible so far."""

    possible: list[float] = attrs.field(factory=lambda: list(COMMON_LENGTHS))
    """Those that no response has ruled out, in seconds."""
    _returned: float = 0.0
    """Units that have returned so far, while others had not."""
    _returns: int = 0
    """Times that some of the units used had returned, and more of them than before."""
    _total: int = 0
    """Requests that were served so far."""
    _served: deque[TimeRange] = attrs.field(factory=deque)
    """When the latest requests were sent and answered."""

    def record(self, sample: QuotaSample, limit: float) -> float | None:
        """Rule out the lengths that a response contradicts. Return the only one that is left, or `None`."""
        if limit > MAX_LIMIT or sample.cost != 1.0:
            self.possible = []
        if not self.possible:
            return None
        if sample.causal:
            self.possible = [length for length in self.possible if self._explains(length, sample, limit)]
            self._count_returns(sample, limit)
        if not sample.refused:
            self._total += 1
            self._served.append((sample.sent, sample.received))
            if len(self._served) > limit + 1:
                self._served.popleft()
        return self.possible[0] if len(self.possible) == 1 and self._returns >= MIN_RETURNS else None

    def _count_returns(self, sample: QuotaSample, limit: float) -> None:
        """Note whether a part of what was used has returned; at first a bucket that is refilled shows the same."""
        used = limit - sample.remaining - sample.cost
        returned = self._total - used
        if not sample.refused and used > 0.0 and returned > self._returned + sample.inflight:
            self._returned, self._returns = returned, self._returns + 1

    def _explains(self, length: float, sample: QuotaSample, limit: float) -> bool:
        """Return whether a sliding window of a length leaves as much as a response states."""
        most = sum(sample.sent < received + length for _, received in self._served) + sample.inflight
        if sample.refused:
            return most >= limit
        least = sum(sample.received < sent + length for sent, _ in self._served)
        return least <= limit - sample.cost - sample.remaining <= most
