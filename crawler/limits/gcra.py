"""The generic cell rate algorithm: one float of state, an exact wait, and what was taken can be given back."""

from __future__ import annotations

import math

import attrs

__all__ = ["Gcra"]


@attrs.define(eq=False)
class Gcra:
    """At most `burst` starts at once, and one every `interval` seconds in the long run.

    Parameters:
        interval: seconds between starts.
        burst: starts that may come together after a pause, at least 1.
    """

    interval: float
    burst: int = 1
    due: float = -math.inf
    """Seconds: when the bucket would be empty again (the theoretical arrival time)."""

    def ready_at(self) -> float:
        """The time, in seconds, from which the next start is allowed."""
        return self.due - (self.burst - 1) * self.interval

    def take(self, now: float, cost: float = 1.0) -> None:
        """Counts a start at `now` that takes as much as `cost` usual ones."""
        self.due = max(now, self.due) + self.interval * cost

    def give_back(self, cost: float = 1.0) -> None:
        """Undoes one `take` whose request was never sent."""
        self.due -= self.interval * cost
