"""`ClockSkew`: the difference between a server's clock and ours, narrowed by every response."""

from __future__ import annotations

from typing import Any

from crawler.limits.headers.declared import TimeRange
from crawler.limits.headers.reset_times import MAX_DISTANCE, clock_skew_range
from crawler.limits.json_numbers import json_number

__all__ = ["ClockSkew"]


class ClockSkew:
    """The clock skew of one server, intersected over all its responses.

    A ``Date`` field is cut to whole seconds, so one response determines the skew to within a second and a round trip.
    Several responses, cut at different fractions of a second, narrow it much further; the Network Time Protocol
    intersects its samples in the same way.
    """

    def __init__(self) -> None:
        self.range: TimeRange | None = None
        """Seconds by which the server's clock is ahead of ours, at least and at most. `None` means that no response
        had a ``Date``."""

    def observe(self, date: float, *, sent: float, received: float) -> None:
        """Narrow the skew by one response.

        A response that contradicts the earlier ones replaces them: one of the clocks was set. A date more than 400 days
        from our clock is ignored.
        """
        if abs(date - received) > MAX_DISTANCE:
            return
        low, high = clock_skew_range(date, sent=sent, received=received)
        if self.range is not None and low <= self.range[1] and self.range[0] <= high:
            low, high = max(low, self.range[0]), min(high, self.range[1])
        self.range = low, high

    def state(self) -> list[float]:
        """Return the range as JSON values; empty if nothing is known."""
        return list(self.range or ())

    def restore(self, state: Any) -> None:
        """Restore a saved range; anything else is ignored."""
        saved = state if isinstance(state, list) else []
        values = [json_number(value, -MAX_DISTANCE, MAX_DISTANCE) for value in saved]
        match values:
            case [float(low), float(high)] if low <= high:
                self.range = low, high
