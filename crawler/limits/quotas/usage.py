"""`QuotaUsage`: how fast other clients use a quota up, and what one of our requests costs."""

from __future__ import annotations

import math
from typing import Final

import attrs

__all__ = ["QuotaUsage"]

SMOOTHING: Final = 0.2
"""Weight of the newest value in a moving average."""
DEVIATION_SMOOTHING: Final = 0.05
"""The same for the deviation of costs while it falls. It rises at once."""
PRIOR_DEVIATION: Final = 0.5
"""Deviation of the costs that is assumed at first, as a share of their average."""
PRIOR_SECONDS: Final = 5.0
"""Seconds before a window for which the use by others that is known so far counts."""
MIN_LOG_ODDS: Final = 9.0
"""Logarithm of the odds against chance, at least, at which each request is believed to cost several units."""
UNKNOWN_WINDOW: Final = 60.0
"""Seconds of a window whose length is not known."""


@attrs.define(eq=False, repr=False)
class QuotaUsage:
    """The use of one quota, as the responses of its windows show it."""

    counts_requests: bool = True
    """Whether a request costs the units of its grant. If not, its cost is learned from responses."""
    others: float = 0.0
    """Units per second used by other clients."""
    cost_per_request: float = 1.0
    """Average units per request, where something other than requests is counted."""
    cost_deviation: float = 0.0
    """Mean deviation from `cost_per_request`, in units."""
    round_trip: float = 0.0
    """Seconds from a request to its response, as a moving average."""
    _remaining: float = math.nan
    _since: float = -math.inf
    """When the present window, or the measurement of the cost of a request, began; in seconds since the epoch."""
    _ours: float = 0.0
    _responses: int = 0
    _cost_is_known: bool = False
    _divisor: int = 0
    """The largest number of which all that was used in this window was a multiple."""
    _supposed_unit: int = 0
    """The number that is counted for each request, because all that was used was a multiple of it; 0: none is."""
    _others_before: float = 0.0

    def start_window(
        self, remaining: float, received: float, used: float | None, *, max_others: float = math.inf
    ) -> None:
        """Begin a window with its first response."""
        if not self.counts_requests and not self._cost_is_known and used:
            self.cost_per_request = used  # an upper bound until two responses can be compared
        self._others_before = self.others = min(self.others, max_others)
        self._remaining, self._since = remaining, received
        self._ours, self._responses, self._divisor = 0.0, 0, 0

    def update(
        self, remaining: float, received: float, cost: float, inflight: float, *, causal: bool = True, rate: float = 0.0
    ) -> None:
        """Learn from a later response of the same window."""
        self.spend(cost)
        used = self._remaining - remaining
        if not self.counts_requests:
            if causal:
                used += rate * (received - self._since)
                self._learn_cost(max(0.0, used) / self._responses, self._responses)
                self._remaining, self._since, self._responses = remaining, received, 0
            else:
                in_flight = inflight / self.cost_per_request if self.cost_per_request else 0.0
                self.cost_per_request = max(self.cost_per_request, used / (self._responses + in_flight))
        else:
            by_others = max(0.0, used - self._ours - inflight)
            observed = max(0.0, received - self._since)
            self.others = (self._others_before * PRIOR_SECONDS + by_others) / (PRIOR_SECONDS + observed)

    def check_unit(self, used: float) -> None:
        """Learn that something larger than requests is counted, if all that is used is always a multiple of it.

        Others would hardly use such numbers by chance, but they may keep in step with us. The first other number
        refutes it.
        """
        if self._supposed_unit and used % self._supposed_unit:
            self.counts_requests, self._cost_is_known, self._supposed_unit = True, False, 0
            self._ours, self._responses = 0.0, 0  # `_remaining` and `_since` are those of the latest update
        if not self.counts_requests or used <= 0.0 or used % 1.0:
            return
        self._divisor = math.gcd(self._divisor, int(used))
        is_chance = (self.ours - 1.0) * math.log(self._divisor) < MIN_LOG_ODDS
        if not is_chance and used >= self._divisor * self.ours:
            self.counts_requests, self._cost_is_known, self.others = False, True, 0.0
            self.cost_per_request, self._supposed_unit = float(self._divisor), self._divisor

    def spend(self, cost: float) -> None:
        """Count a request of ours whose response did not state this policy or never arrived."""
        self._ours += cost
        self._responses += 1

    @property
    def ours(self) -> float:
        """Units of this window that we have used, the first one included."""
        return self._ours + 1.0

    def returned(self, remaining: float, received: float) -> tuple[float, float]:
        """Return the units, at least, that have returned since the window began, and the seconds since then."""
        return self._ours + remaining - self._remaining, received - self._since

    def record_round_trip(self, seconds: float) -> None:
        """Update the average time from request to response."""
        self.round_trip += SMOOTHING * (seconds - self.round_trip) if self.round_trip else seconds

    def rate_of_others(self, window: float | None) -> float:
        """Return the units per second to leave to other clients. Less than one unit per window counts as chance."""
        return self.others if self.others * (window or UNKNOWN_WINDOW) >= 1.0 else 0.0

    def reserve(self, rate_of_others: float) -> float:
        """Return the units to hold back because others may use them while a request travels."""
        return 1.0 + 2.0 * math.sqrt(rate_of_others * self.round_trip) if rate_of_others else 0.0

    def expected_cost(self, cost: float) -> float:
        """Return the units that one request with a grant of `cost` is likely to take."""
        return cost if self.counts_requests else self.cost_per_request + 2.0 * self.cost_deviation

    def average_cost(self, cost: float) -> float:
        """Return the units that many requests with a grant of `cost` take on average."""
        return cost if self.counts_requests else self.cost_per_request

    def units_in_flight(self, requests: int, cost: float) -> float:
        """Return the units of the requests in flight, as many as they are likely to take together at most."""
        if self.counts_requests:
            return cost
        uncertain = 2.0 * self.cost_deviation * (math.sqrt(requests + 1) - 1.0)  # beside that of the next request
        return self.cost_per_request * requests + uncertain

    def _learn_cost(self, cost: float, requests: int) -> None:
        """Learn from the average cost of some requests."""
        if self._cost_is_known:
            deviation = abs(cost - self.cost_per_request)
            weight = 1.0 if deviation > self.cost_deviation else DEVIATION_SMOOTHING
            self.cost_deviation += weight * (deviation - self.cost_deviation)
            weight = 1.0 - (1.0 - SMOOTHING) ** requests
            self.cost_per_request += weight * (cost - self.cost_per_request)
        else:
            self.cost_per_request, self.cost_deviation, self._cost_is_known = cost, cost * PRIOR_DEVIATION, True
