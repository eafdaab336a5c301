"""`Bracket`: between which two times something is restored, narrowed by every answer."""

from __future__ import annotations

import math
from typing import Final

import attrs

__all__ = ["ROUNDING", "Bracket"]

ROUNDING: Final = 1.0
"""Seconds: servers state times in whole ones."""


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

    def is_known(self) -> bool:
        """Whether both times are."""
        return -math.inf < self.lo and self.hi < math.inf

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
