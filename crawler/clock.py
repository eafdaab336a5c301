"""One clock for everything: the wall clock, read once, plus trio's clock since. So virtual time works everywhere."""

from __future__ import annotations

import time

import trio

__all__ = ["Clock"]


class Clock:
    """Seconds since the epoch that pass as trio's time does. Make it inside of `trio.run`.

    Parameters:
        least: seconds since the epoch: what time it was at least. Where times of an earlier process are kept, a wall
            clock that was set back meanwhile must not make them the future.
    """

    def __init__(self, least: float = 0.0) -> None:
        self._offset = max(time.time(), least) - trio.current_time()

    def __call__(self) -> float:
        """Now, in seconds since the epoch."""
        return self._offset + trio.current_time()

    def from_trio(self, at: float) -> float:
        """A time of `trio.current_time` as one of this clock."""
        return at + self._offset

    def to_trio(self, at: float) -> float:
        """A time of this clock as one of `trio.current_time`."""
        return at - self._offset
