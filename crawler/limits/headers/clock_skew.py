"""`Skew`: how far a server's clock is from ours, ever more exactly with every answer."""

from __future__ import annotations

from typing import Any

from crawler.limits.headers.reset_times import FARTHEST, skew_of

__all__ = ["Skew"]


class Skew:
    """What all answers of one server together say of its clock.

    One ``Date`` is cut to whole seconds, so it tells the skew to a second and a round trip; several that were cut at
    different fractions tell it to much less (as the Network Time Protocol intersects its samples).
    """

    def __init__(self) -> None:
        self.bracket: tuple[float, float] | None = None
        """Seconds by which the server is ahead, at least and at most; `None`: it never sent a ``Date``."""

    def see(self, date: float, *, sent: float, received: float) -> None:
        """Takes an answer into account; one that contradicts all before means that a clock was set.

        A date that is more than 400 days from ours is none.

        Parameters:
            date: seconds since the epoch, of its ``Date`` field.
            sent: seconds since the epoch by our clock: when the request went out.
            received: when the answer was there.
        """
        if abs(date - received) > FARTHEST:
            return
        low, high = skew_of(date, sent=sent, received=received)
        if self.bracket is not None and low <= self.bracket[1] and self.bracket[0] <= high:
            low, high = max(low, self.bracket[0]), min(high, self.bracket[1])
        self.bracket = low, high

    def state(self) -> list[float]:
        """The bracket as JSON values; empty: nothing is known."""
        return list(self.bracket or ())

    def restore(self, state: Any) -> None:
        """Takes up a bracket; what is none is ignored."""
        if (
            isinstance(state, list)
            and len(state) == 2
            and all(isinstance(value, (int, float)) and abs(value) <= FARTHEST for value in state)
            and state[0] <= state[1]
        ):
            self.bracket = float(state[0]), float(state[1])
