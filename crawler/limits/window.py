"""When a window ends: a bracket that every answer narrows, and the lengths that windows usually have."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Final

import attrs

__all__ = ["COMMON", "Bracket", "longest_common", "next_common", "shortest_common"]

COMMON: Final = (
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0,
    60.0, 120.0, 300.0, 600.0, 900.0, 1800.0,
    3600.0, 10800.0, 21600.0, 43200.0, 86400.0,
)  # fmt: skip
"""Seconds: people choose their windows from these."""
ROUNDING: Final = 1.0
"""Seconds: servers state times in whole ones."""


def shortest_common(low: float, high: float) -> float | None:
    """The shortest usual length in (`low`, `high`], in seconds."""
    return next((length for length in COMMON if low < length <= high), None)


def longest_common(low: float, high: float) -> float | None:
    """The longest usual length in [`low`, `high`], in seconds."""
    return next((length for length in reversed(COMMON) if low <= length <= high), None)


def next_common(seconds: float) -> float:
    """The first usual length that is longer; beyond a day: whole days."""
    place = bisect_right(COMMON, seconds)
    return COMMON[place] if place < len(COMMON) else (seconds // COMMON[-1] + 1) * COMMON[-1]


@attrs.define
class Bracket:
    """Something is restored not before `lo` and not after `hi`, in seconds since the epoch."""

    lo: float = -math.inf
    """The earliest time."""
    hi: float = math.inf
    """The latest time."""
    snapped: tuple[float, float] | None = None
    """When it ends by the length of the window and its first request, where that was ours."""
    firm: bool = False
    """Whether that counts more than words, which seem to be rounded down."""
    rounded: bool = False
    """Whether they are so for all that is known."""

    def narrow(self, other: Bracket) -> None:
        """Keeps what both say; where they contradict each other, the new word."""
        if self.firm:
            return
        lo, hi = max(self.lo, other.lo), min(self.hi, other.hi)
        if self.snapped is not None and ROUNDING / 2 < self.snapped[0] - other.hi <= ROUNDING:
            self.hi = self.snapped[1]
            self.firm = self.rounded = True
        else:
            self.lo, self.hi = (lo, hi) if lo <= hi else (other.lo, other.hi)

    def snap(self, lo: float, hi: float, *, late: float, careful: bool) -> None:
        """Narrows its end to that of a window that our own first request opened.

        No window that holds a request ends later than its length after it, so this is never too early. Words that are
        rounded down name ends that lie up to a second before; but so do those of a server whose windows begin by the
        clock if we came late, so that the begin stays as stated.

        Parameters:
            lo: seconds since the epoch: the length of the window after the request was sent.
            hi: seconds since the epoch: the length of the window after the answer came.
            late: seconds for which the last window may have been over.
            careful: whether to take the later end where it is not clear.
        """
        if not (self.lo - ROUNDING <= hi and lo <= self.hi + ROUNDING):
            return
        words = Bracket(self.lo, self.hi)
        if late < ROUNDING / 4:
            self.snapped = lo, hi
            self.hi = hi
            self.narrow(words)
        elif self.lo <= hi and lo <= self.hi:
            self.hi = min(self.hi, hi)
        elif careful and self.hi < lo:
            self.hi, self.firm = hi, True

    def shift(self, seconds: float) -> None:
        """Moves it into the future."""
        self.lo += seconds
        self.hi += seconds
