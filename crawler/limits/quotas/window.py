"""`Window`: what is known of the windows of one policy: how long they are, and how the server rounds their ends."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Final

import attrs

from crawler.limits.quotas.time_interval import ROUNDING, Bracket

__all__ = ["COMMON", "Window", "longest_common", "next_common", "shortest_common"]

COMMON: Final = (
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0,
    60.0, 120.0, 300.0, 600.0, 900.0, 1800.0,
    3600.0, 10800.0, 21600.0, 43200.0, 86400.0,
)  # fmt: skip
"""Seconds: people choose their windows from these."""
LATEST: Final = 2.0
"""Seconds: stated ends are not later than that."""
EXACT: Final = 0.5
"""Seconds: a stated end that may lie anywhere in more than that says little of the length."""
LONG: Final = 30.0
"""Seconds: in a window of this length a second lost to caution is worth less than a refusal."""


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


def _usual_but_for_a_second(ends: Bracket, sent: float, received: float) -> float | None:
    low, high = ends.lo - received - ROUNDING, ends.hi - sent - ROUNDING
    return longest_common(low, high) if high - low <= EXACT else None


@attrs.define(eq=False)
class Window:
    """The windows of one policy."""

    length: float | None = None
    """Seconds, as declared or as learned from their ends."""
    declared: bool = False
    """Whether that is the server's word."""
    stated: bool = False
    """Whether the server states their ends."""
    pad: float = 0.0
    """Seconds that stated ends lie too early, since it rounds them down; negative: too late."""
    explained: bool = False
    """Whether what was restored was just what our requests of one window before had taken."""
    _opened: tuple[float, float] | None = None
    _fits: tuple[float, float] = (0.0, math.inf)
    """Seconds that the windows lasted, at least and at most."""
    _never_late: bool = False
    _same: int = 0
    _too_early: int = 0

    def declare(self, length: float | None, reset: tuple[float, float] | None) -> Bracket | None:
        """Takes the server's words. Returns the end that they state.

        Parameters:
            length: seconds of one window, if it says so.
            reset: seconds since the epoch, earliest and latest, if it says so.
        """
        if length is not None and length > 0:
            self.length, self.declared = length, True
        if reset is None:
            return None
        self.stated = True
        return Bracket(reset[0] + self.pad, reset[1] + self.pad)

    def begin(self, ends: Bracket, *, last: Bracket, sent: float, received: float, first: bool) -> None:
        """A window has begun: learns its length, and narrows its end by that.

        Parameters:
            ends: its end, as stated.
            last: the end of the one before.
            sent: seconds since the epoch: when the request went out whose answer says so.
            received: seconds since the epoch: when that came.
            first: whether that was the first request of the window.
        """
        if not self.declared:
            self._learn(ends, last, sent, received, first=first)
        if first and self.length is None:
            self._suspect(ends, last, sent, received)
        self._opened = (sent, received) if first else None
        if first and self.length is not None and self.pad < 0:
            ends.lo, ends.hi, ends.firm = sent + self.length, received + self.length, True  # no other word counts
        elif first and self.length is not None and self.is_sure():
            late = max(0.0, sent - last.lo) if last.is_known() else 0.0
            careful = self.length >= LONG
            ends.snap(sent + self.length, received + self.length, late=late, careful=careful)

    def shorten(self, low: float, high: float, *, opened: float, end: float) -> None:
        """A window was over before the end that was stated: learns its true length, and how late ends are.

        Parameters:
            low: seconds that it lasted at least.
            high: seconds that it lasted at most.
            opened: seconds since the epoch: when the answer to its first request came.
            end: seconds since the epoch: the latest time that was stated.
        """
        length = longest_common(max(low, ROUNDING), high)
        if length is None or self._never_late:
            return
        late = end - opened - length
        if 0.0 < late <= LATEST:  # more is no way to state an end: somebody gave us a new quota
            self.length, self._same = length, 2
            self.pad -= late

    def lengthen(self) -> float:
        """That stated ends are late was wrong. Returns the seconds by which we believed them to be."""
        late, self.pad, self.length, self._same = -self.pad, 0.0, None, 0
        self._never_late = True
        return late

    def is_sure(self) -> bool:
        """Whether the length is the server's word, or was confirmed after it was learned."""
        return self.declared or self.explained or self._same > 1

    def end(self, ends: Bracket) -> None:
        """A window has ended: what its answers showed of the server's rounding counts."""
        self._too_early = self._too_early + 1 if ends.rounded else 0
        if self.pad >= 0 and (self._too_early > 1 or (self._too_early and (self.length or 0.0) >= LONG)):
            self.pad = ROUNDING

    def _suspect(self, ends: Bracket, last: Bracket, sent: float, received: float) -> None:
        """Some add a second, to be on the safe side: twice a usual length and a second is no chance."""
        length = None if self._opened is None else _usual_but_for_a_second(last, *self._opened)
        if length is not None and length == _usual_but_for_a_second(ends, sent, received):
            self.shorten(length, length, opened=received, end=ends.hi)

    def _learn(self, ends: Bracket, last: Bracket, sent: float, received: float, *, first: bool) -> None:
        """The usual length that fits the time from its first request, or from the last end, to its end."""
        length = self._fitting(ends.lo - received, ends.hi - sent) if first else None
        if length is None and last.hi <= sent <= last.hi + 2 * ROUNDING < ends.lo:
            length = self._fitting(ends.lo - last.hi, ends.hi - last.lo)
        if length is not None:
            self._same = self._same + 1 if length == self.length else 1
            self.explained &= length == self.length
            self.length = length

    def _fitting(self, low: float, high: float) -> float | None:
        """The longest usual length between two numbers of seconds, and between those of earlier windows if it can."""
        both = max(low, self._fits[0]), min(high, self._fits[1])
        length = longest_common(*both)
        if length is not None:
            self._fits = both
            return length
        length = longest_common(low, high)
        if length is None or length < (self.length or 0.0):
            return None
        self._fits = low, high
        return length
