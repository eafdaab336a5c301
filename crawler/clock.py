"""`Clock`: seconds since the epoch on trio's clock, so that virtual time works everywhere."""

from __future__ import annotations

import time

import trio

__all__ = ["Clock"]


class Clock:
    """Returns seconds since the epoch: the wall clock, read once, plus trio's time since. Make it inside `trio.run`.

    Parameters:
        earliest: The earliest time that the clock may show, in seconds since the epoch. Times saved by an earlier
            process are not in the future then, even if the wall clock was set back meanwhile.
    """

    def __init__(self, earliest: float = 0.0) -> None:
        self._trio_time = trio.lowlevel.current_clock().current_time  # trio.current_time looks the clock up each time
        self._offset = max(time.time(), earliest) - self._trio_time()

    def __call__(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self._offset + self._trio_time()

    def from_trio(self, at: float) -> float:
        """Convert a time of `trio.current_time` to one of this clock."""
        return at + self._offset

    def to_trio(self, at: float) -> float:
        """Convert a time of this clock to one of `trio.current_time`."""
        return at - self._offset
