"""`Clock`: seconds since the epoch on trio's clock, so that virtual time works everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

import trio

__all__ = ["Clock", "shared_clock"]


class Clock:
    """Returns seconds since the epoch: the wall clock, read once, plus trio's time since. Make it inside `trio.run`."""

    def __init__(
        self, earliest: float = 0.0, now: float | None = None, asleep: Callable[[], float] | None = None
    ) -> None:
        self._trio_time = trio.lowlevel.current_clock().current_time  # trio.current_time looks the clock up each time
        self._asleep = asleep
        self._offset = 0.0
        self._offset = max(time.time() if now is None else now, earliest) - self()

    def __call__(self) -> float:
        """Return the time, in seconds since the epoch."""
        if self._asleep is None:
            return self._offset + self._trio_time()
        return self._offset + self._trio_time() + self._asleep()

    def from_trio(self, at: float) -> float:
        """Convert a time of `trio.current_time` since the last suspension to one of this clock."""
        return at + self._offset + (0.0 if self._asleep is None else self._asleep())

    def to_trio(self, at: float) -> float:
        """Convert a time of this clock to one of `trio.current_time`, as it is without a further suspension."""
        return at - self._offset - (0.0 if self._asleep is None else self._asleep())


_CLOCKS: Final[trio.lowlevel.RunVar[WeakKeyDictionary[object, Clock]]] = trio.lowlevel.RunVar("shared clocks")


def shared_clock(
    owner: object, earliest: float = 0.0, now: float | None = None, asleep: Callable[[], float] | None = None
) -> Clock:
    """Return the clock of all crawls and clients in this event loop that share an object, made at its first use.

    They compare times with each other, so a step of the wall clock between their starts must not set them apart.
    """
    try:
        clocks = _CLOCKS.get()
    except LookupError:
        clocks = WeakKeyDictionary()
        _CLOCKS.set(clocks)
    found = clocks.get(owner)
    if found is None:
        found = clocks[owner] = Clock(earliest, now, asleep)
    return found
