"""`Rate`: how fast a counter grows now."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["Rate"]

WINDOW: Final = 10.0
"""Seconds over which a rate is measured."""
STEP: Final = 0.25
"""Minimum number of seconds between two values that are kept."""


class Rate:
    """The growth of a counter per second, over the last seconds.

    Parameters:
        window: Seconds over which it is measured.
    """

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._values: deque[tuple[float, float]] = deque()

    def note(self, now: float, value: float) -> None:
        """Record the value of the counter at `now`, in seconds. A clock that goes back starts a new measurement."""
        values = self._values
        if values and now < values[-1][0]:
            values.clear()
        if len(values) > 1 and now - values[-2][0] < STEP:
            values.pop()
        values.append((now, value))
        while len(values) > 2 and values[1][0] <= now - self._window:
            values.popleft()

    def per_second(self) -> float:
        """Return the growth per second; 0 until two values are known."""
        if len(self._values) < 2:
            return 0.0
        (began, first), (ended, last) = self._values[0], self._values[-1]
        return max(0.0, (last - first) / (ended - began)) if ended > began else 0.0
