"""`Suspension`: for how long this machine was suspended: trio's clock leaves it out, and other workers do not."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["Suspension"]

SHORTEST: Final = 0.1
"""Seconds. The clocks of the system are read one after the other, so shorter differences say nothing."""


class Suspension:
    """Returns the seconds for which this machine was suspended since its start; 0 where the system does not say."""

    def __init__(self) -> None:
        self._boot_time = getattr(time, "CLOCK_BOOTTIME", None)  # on Linux
        self._seconds = 0.0

    def __call__(self) -> float:
        """Return the seconds so far. They never decrease."""
        if self._boot_time is not None:
            seconds = time.clock_gettime(self._boot_time) - time.clock_gettime(time.CLOCK_MONOTONIC)
            if seconds > self._seconds + SHORTEST:
                self._seconds = seconds
        return self._seconds
