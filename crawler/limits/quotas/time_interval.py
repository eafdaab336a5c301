"""`TimeInterval`: the interval in which a quota is restored, narrowed by every response."""

from __future__ import annotations

import math
from typing import Final

import attrs

from crawler.limits.headers.declared import TimeRange

__all__ = ["CLOCKS_APART", "ROUNDING", "TimeInterval"]

ROUNDING: Final = 1.0
"""Seconds by which stated times may be off, because servers state whole seconds."""
CLOCKS_APART: Final = 0.1
"""Seconds by which they may be off, because servers read them from another clock than that of their ``Date``."""

MINUTE: Final = 60.0


@attrs.define
class TimeInterval:
    """An event happens at `earliest` or later and at `latest` or earlier, in seconds since the epoch."""

    earliest: float = -math.inf
    latest: float = math.inf
    computed: TimeRange | None = None
    """The end of the window computed from its length and its first request, if that request was ours."""
    is_final: bool = False
    """Whether later statements are ignored, because the computed end is more reliable."""
    rounded_down: bool = False
    """Whether statements seem to be rounded down."""

    def is_known(self) -> bool:
        """Return whether both ends are known."""
        return -math.inf < self.earliest and self.latest < math.inf

    def is_vague(self) -> bool:
        """Return whether it is known to the minute only."""
        return self.is_known() and self.latest - self.earliest > MINUTE / 2

    def narrow(self, other: TimeInterval) -> None:
        """Intersect with another statement of the same event. If the two contradict each other, the new one counts."""
        if self.is_final:
            return
        earliest, latest = max(self.earliest, other.earliest), min(self.latest, other.latest)
        apart = math.inf if self.computed is None else self.computed[0] - other.latest
        if self.computed is not None and (ROUNDING / 2 < apart <= ROUNDING or 0.0 < apart <= CLOCKS_APART):
            self.latest, self.is_final = self.computed[1], True
            self.rounded_down = apart > CLOCKS_APART
        elif earliest <= latest:
            self.earliest, self.latest = earliest, latest
        else:
            self.earliest, self.latest = other.earliest, other.latest

    def narrow_to_window(self, earliest: float, latest: float, *, late: float, careful: bool) -> None:
        """Narrow the end of a window that our own first request opened to its length after that request.

        A window that contains a request ends at most its length later, so this is never too early. A server that rounds
        down states ends up to a second earlier. So does a server with clock-aligned windows if our first request came
        late; therefore `earliest` of this interval stays as stated.
        """
        if not (self.earliest - ROUNDING <= latest and earliest <= self.latest + ROUNDING):
            return
        stated = TimeInterval(self.earliest, self.latest)
        if late < ROUNDING / 4:
            self.computed = earliest, latest
            self.latest = latest
            self.narrow(stated)
        elif self.earliest <= latest and earliest <= self.latest:
            self.latest = min(self.latest, latest)
        elif careful and self.latest < earliest:
            self.latest, self.is_final = latest, True

    def shift(self, seconds: float) -> None:
        """Move the interval into the future."""
        self.earliest += seconds
        self.latest += seconds
