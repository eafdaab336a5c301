"""`OwnLog`: when our own last requests were counted, which tells for certain when a server has room for the next."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import attrs

__all__ = ["OwnLog"]

MOST: Final = 500
"""Units of the largest quota of which a log is kept."""
MARGIN: Final = 0.01
"""Seconds, or a thousandth of the window if that is more: for clocks that do not run alike."""


@attrs.define(eq=False)
class OwnLog:
    """The requests of one window and more, as long as nobody else was seen to use the quota.

    Whoever starts request n + `limit` one window after the answer to request n has at most `limit` requests in any
    window. No server that allows so many in so long refuses that:

    * A sliding log counts just that.
    * A fixed window, wherever it begins, is one of these windows.
    * A token bucket of that size that is filled at `limit` / window: what it holds after a time t that began full is
      limit + t · limit / window less the requests in t. If t is k windows and a rest, those are at most
      (k + 1) · limit, so that the rest's share or more is left. A leaky bucket is the same with another sign.

    Counters that estimate a sliding window from two fixed ones do refuse it; what they say is left is less than this
    log explains, as if others took it, and the log does not speak.
    """

    since: float = -math.inf
    """Seconds since the epoch: what happened until then is not known, and is gone one window later."""
    _trips: deque[tuple[float, float]] = attrs.field(factory=deque)
    _gap: bool = False

    def add(self, sent: float, received: float, limit: float | None) -> None:
        """One request was counted, at some time between these two (seconds since the epoch)."""
        if self._gap:
            self._gap, self.since = False, max(self.since, received)
        if limit is None or limit > MOST:
            self.since = max(self.since, received)
            return
        self._trips.append((sent, received))
        if len(self._trips) > limit + 1:
            self._trips.popleft()

    def lose(self) -> None:
        """Requests were counted of which we do not know when."""
        self._gap = True

    def doubt(self, received: float) -> None:
        """Not all that was counted until then (seconds since the epoch) was ours."""
        self.since = max(self.since, received)

    def speaks(self, now: float, window: float) -> bool:
        """Whether it knows of all requests of the last window."""
        return not self._gap and now >= self.since + window

    def ready_at(self, units: float, window: float) -> float:
        """Seconds since the epoch: when no more than `units` of it still count."""
        if self._gap or units < 0:
            return math.inf
        at = self.since
        if len(self._trips) > units:
            at = max(at, self._trips[len(self._trips) - 1 - int(units)][1])
        return at + window + max(MARGIN, window / 1000.0)

    def counted(self, sent: float, received: float, window: float) -> tuple[int, int]:
        """How many still count for a server that decides between these two times (seconds since the epoch).

        Returns:
            Those that do for certain, and those that may.
        """
        certain = sum(received < trip[0] + window for trip in self._trips)
        return certain, sum(sent < trip[1] + window for trip in self._trips)

    def __len__(self) -> int:
        return len(self._trips)
