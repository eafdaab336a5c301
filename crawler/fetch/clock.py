"""One clock for everything: the wall clock, read once, plus trio's clock since. So virtual time works everywhere."""

from __future__ import annotations

import time

import trio

__all__ = ["Clock"]


class Clock:
    """Seconds since the epoch that pass as trio's time does. Make it inside of `trio.run`."""

    def __init__(self) -> None:
        self._offset = time.time() - trio.current_time()

    def __call__(self) -> float:
        """Now, in seconds since the epoch."""
        return self._offset + trio.current_time()

    def from_trio(self, at: float) -> float:
        """A time of `trio.current_time` as one of this clock."""
        return at + self._offset

    def to_trio(self, at: float) -> float:
        """A time of this clock as one of `trio.current_time`."""
        return at - self._offset
