"""Who uses a quota up: we or others, and what one request of ours takes of it."""

from __future__ import annotations

import math
from typing import Final

import attrs

__all__ = ["Usage"]

SMOOTHING: Final = 0.2
"""Weight of the newest price."""
DOUBT: Final = 5.0
"""Seconds: as if others had been seen to take nothing for so long before the first word."""
MEMORY: Final = 60.0
"""Seconds of earlier windows that count beside the present one."""


@attrs.define(eq=False)
class Usage:
    """What the answers of one window show."""

    counts_requests: bool = True
    """Whether one request takes what its grant says; if not, answers show what it takes."""
    others: float = 0.0
    """Units a second that others take."""
    price: float = 1.0
    """Units that one request takes, where requests are not what is counted."""
    spread: float = 0.0
    """How far prices lie from `price` on average, in units."""
    trip: float = 0.0
    """Seconds from a request to its answer, smoothed."""
    _remaining: float = math.nan
    _since: float = -math.inf
    _own: float = 0.0
    _answers: int = 0
    _priced: bool = False
    _expected: float = 0.0
    _memory: float = DOUBT
    _lasted: float = 0.0

    def open(self, remaining: float, received: float, used: float | None) -> None:
        """The first word of a window.

        Parameters:
            remaining: units left.
            received: seconds since the epoch.
            used: units that are used already, where that is known.
        """
        if not self.counts_requests and not self._priced and used:
            self.price = used  # at most this, until two answers can be compared
        self._expected = self.others
        self._memory = max(DOUBT, min(MEMORY, self._memory / 2.0 + self._lasted))
        self._remaining, self._since, self._own, self._answers, self._lasted = remaining, received, 0.0, 0, 0.0

    def answered(self, remaining: float, received: float, cost: float, inflight: float) -> None:
        """A later word of the same window.

        Parameters:
            remaining: units left.
            received: seconds since the epoch.
            cost: units that the answered request took by its grant.
            inflight: units that are on their way: without them a slow server's backlog looks like other clients.
        """
        self.spend(cost)
        taken = self._remaining - remaining
        if not self.counts_requests:
            self._learn_price(max(0.0, taken) / self._answers)
        else:
            by_others = max(0.0, taken - self._own - inflight)
            self._lasted = max(0.0, received - self._since)
            self.others = (self._expected * self._memory + by_others) / (self._memory + self._lasted)

    def spend(self, cost: float) -> None:
        """A request of ours that was counted although its answer said nothing, or never came."""
        self._own += cost
        self._answers += 1

    def travelled(self, seconds: float) -> None:
        """One more request and its answer took this long."""
        self.trip += SMOOTHING * (seconds - self.trip) if self.trip else seconds

    def pressure(self, window: float | None) -> float:
        """Units a second to leave to others; less than one in a window is chance."""
        return self.others if self.others * (window or MEMORY) >= 1.0 else 0.0

    def reserve(self, pressure: float) -> float:
        """Units to leave alone, since others may take them while a request is on its way."""
        return 1.0 + 2.0 * math.sqrt(pressure * self.trip) if pressure else 0.0

    def need(self, cost: float) -> float:
        """Units that one request is likely to take."""
        return cost if self.counts_requests else self.price + 2.0 * self.spread

    def inflight(self, requests: int, cost: float) -> float:
        """Units that so many requests take, which cost this much by their grants."""
        return cost if self.counts_requests else self.price * requests

    def _learn_price(self, price: float) -> None:
        if self._priced:
            self.spread += SMOOTHING * (abs(price - self.price) - self.spread)
            self.price += SMOOTHING * (price - self.price)
        else:
            self.price, self._priced = price, True
