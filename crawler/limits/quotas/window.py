"""`Window`: the length of a policy's windows, and the error in the resets that its server states."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Final

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.headers.declared import TimeRange
from crawler.limits.quotas.time_interval import CLOCKS_APART, ROUNDING, TimeInterval

__all__ = [
    "COMMON_LENGTHS", "DAY", "MARGIN", "Window", "longest_common", "next_common", "next_end", "next_midnight",
    "next_probe", "possible_lengths",
]  # fmt: skip

COMMON_LENGTHS: Final = (
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0,
    60.0, 120.0, 300.0, 600.0, 900.0, 1800.0,
    3600.0, 10800.0, 21600.0, 43200.0, 86400.0,
)  # fmt: skip
"""Window lengths in seconds that people choose."""
FRACTIONS: Final = (0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
"""Seconds in which a bucket of tokens may be full again."""
MAX_LATENESS: Final = 2.0
"""Seconds by which a stated reset may be later than the true one."""
MAX_UNCERTAINTY: Final = 0.5
"""Seconds; a reset that is less certain shows little about the length."""
MARGIN: Final = 0.3
"""Seconds added to the end of a window, whose beginning is known by our clock only."""
MAX_KEPT: Final = 16
"""Units, at most, that are kept to find out when a window ends."""
MAX_KEPT_OF_GUESS: Final = 4
"""The same if one window has shown a length."""
KNOWN_BY: Final = 2
"""Windows, by the end of which their length is known usually. Each further one leaves half as many units to find it."""
MAX_SPAN: Final = 2.0
"""Largest ratio of the longest and the shortest length that are possible, if none of them is a common one."""
MIN_SPENT: Final = 2
"""Units that are not kept."""
MAX_PAUSE: Final = 21600.0
"""Seconds; the longest pause between two probes for the end of a window."""
HOUR: Final = 3600.0
DAY: Final = 86400.0
MARGIN_DIVISOR: Final = 20.0
"""The margin of a probe is at most this fraction of the window."""
ALIGNED_LENGTH: Final = 60.0
"""Seconds of the shortest windows that may be aligned to the clock so that it matters."""
ALIGNED_AFTER: Final = 600.0
"""Seconds after which the window may be one that ends on the hour."""
MAX_EARLY: Final = 2
"""Windows in a row that are full again before their stated end, after which such ends are ignored."""
EARLY_SHARE: Final = 0.25
"""Share of the stated length by which it is full earlier, at least."""
TRUSTED_AGAIN: Final = 2.0
"""Times as long as units took to return before, after which a stated end that was ignored counts again."""
LONG_WINDOW: Final = 30.0
"""Seconds; in a window of this length a second of caution costs less than a refusal."""


def possible_lengths(began: TimeRange, after: float, until: float) -> list[float]:
    """Return the common lengths that a window can have, and those from a minute on of which it ended at a multiple."""
    lengths = {length for length in COMMON_LENGTHS if after - began[1] < length <= until - began[0]}
    by_clock = {length for length in COMMON_LENGTHS if began[1] // length == after // length < until // length}
    by_clock -= {*COMMON_LENGTHS[: COMMON_LENGTHS.index(ALIGNED_LENGTH)]}
    return sorted(lengths & by_clock or lengths | by_clock)


def longest_common(low: float, high: float) -> float | None:
    """Return the longest common length in [`low`, `high`] seconds, or `None` if there is none."""
    return next((length for length in reversed(COMMON_LENGTHS) if low <= length <= high), None)


def next_common(seconds: float) -> float:
    """Return the next longer common length; beyond a day, the next whole number of days."""
    place = bisect_right(COMMON_LENGTHS, seconds)
    if place < len(COMMON_LENGTHS):
        return COMMON_LENGTHS[place]
    return (seconds // COMMON_LENGTHS[-1] + 1) * COMMON_LENGTHS[-1]


def next_shorter(seconds: float) -> float:
    """Return the next shorter common length, 0 if there is none; below a second, parts of one are common."""
    return max((length for length in (*FRACTIONS, *COMMON_LENGTHS) if length < seconds), default=0.0)


def next_end(since: float, now: float) -> float:
    """Return when a window whose length is unknown may end next, in seconds since the epoch.

    That is one common length after its beginning, or the first multiple of one on the clock (UTC) from a minute on.
    """
    ends = [since + length for length in COMMON_LENGTHS]
    ends += [(since // length + 1) * length for length in COMMON_LENGTHS if length >= ALIGNED_LENGTH]
    end = min((end for end in ends if end > now), default=math.inf)
    return end + min(MARGIN, (end - since) / MARGIN_DIVISOR)


def next_probe(since: float, now: float, probes: int, *, share: float = 0.0) -> float:
    """Return when to look next for the end of a window whose length is unknown, in seconds since the epoch.

    That is one common length after its beginning, or on the hour or at midnight (UTC), where long windows often end, or
    after a pause that doubles, whichever comes first.
    """
    passed = 0.0 if math.isnan(since) else max(0.0, now - since)
    at = min(now - passed + next_common(passed) + MARGIN, now + max(share * passed, doubled(probes, cap=MAX_PAUSE)))
    return min(at, next_aligned(since, now))


def next_aligned(since: float, now: float) -> float:
    """Return when a window that is aligned to the clock may end, in seconds since the epoch; parameters as above."""
    if not now - since >= ALIGNED_AFTER:
        return math.inf
    return next_midnight(now) if now - since >= HOUR else (now // HOUR + 1) * HOUR + MARGIN


def next_midnight(now: float) -> float:
    """Return when the next day begins (UTC), where a quota of a day often ends; both in seconds since the epoch."""
    return (now // DAY + 1) * DAY + MARGIN


def _common_length_less_a_second(reset: TimeInterval, sent: float, received: float) -> float | None:
    """Return the common length that a window has if its reset is stated one second late."""
    low, high = reset.earliest - received - ROUNDING, reset.latest - sent - ROUNDING
    return longest_common(low, high) if high - low <= MAX_UNCERTAINTY else None


@attrs.define(eq=False, repr=False)
class Window:
    """The windows of one policy."""

    length: float | None = None
    """Seconds, declared or learned from resets. `None` means unknown."""
    declared: bool = False
    """Whether the server declares the length."""
    reset_stated: bool = False
    """Whether the server states when windows end."""
    correction: float = 0.0
    """Seconds to add to stated resets: positive if the server rounds down, negative if it states them late."""
    early: int = 0
    """Windows in a row that were full again long before their stated end."""
    log_confirmed: bool = False
    """Whether units returned exactly as the request log predicted, one window after our requests."""
    _first_request: TimeRange | None = None
    """When the first request of the present window was sent and answered, if it was ours."""
    _length_range: TimeRange = (0.0, math.inf)
    """Seconds that the windows so far may have lasted."""
    _never_late: bool = False
    _full_after: float = 0.0
    """Seconds after which such windows were full again."""
    _confirmations: int = 0
    _rounded_windows: int = 0

    def declare(self, length: float | None, reset: TimeRange | None) -> TimeInterval | None:
        """Take a declared length and a stated reset. Return the corrected reset, or `None` if none is stated."""
        if length is not None and length > 0:
            self.length, self.declared = length, True
        if reset is None:
            return None
        if self.is_wrong():
            self.reset_stated = False
            return None
        self.reset_stated = True
        return TimeInterval(reset[0] + self.correction, reset[1] + self.correction)

    def is_wrong(self) -> bool:
        """Return whether the stated ends are wrong by far, and ignored."""
        return self.early >= MAX_EARLY

    def judge_end(self, began: float, stated: TimeInterval, received: float) -> None:
        """Compare when a window was full again with its stated end; both in seconds since the epoch."""
        if not stated.is_known():
            return
        if stated.earliest - received > max(MAX_LATENESS, EARLY_SHARE * (stated.earliest - began)):
            self.early, self._full_after = self.early + 1, max(self._full_after, received - began)
        else:
            self.early = 0

    def judge_refusal(self, began: float, sent: float) -> None:
        """Trust stated ends again if a window lasts longer than those that seemed to prove them wrong."""
        if self.is_wrong() and sent - began > TRUSTED_AGAIN * self._full_after:
            self.early = 0

    def begin(self, reset: TimeInterval, *, last: TimeInterval, sent: float, received: float, first: bool) -> None:
        """Begin a window: learn its length, and narrow its end by the length."""
        if not self.declared:
            self._learn_length(reset, last, sent, received, first=first)
        if first and self.length is None:
            self._detect_late_resets(reset, last, sent, received)
        self._first_request = (sent, received) if first else None
        if first and self.length is not None and self.correction < 0:
            reset.earliest, reset.latest, reset.is_final = sent + self.length, received + self.length, True
        elif first and self.length is not None and self.is_certain():
            late = max(0.0, sent - last.earliest) if last.is_known() else 0.0
            careful = self.length >= LONG_WINDOW
            reset.narrow_to_window(sent + self.length, received + self.length, late=late, careful=careful)

    def shorten(self, low: float, high: float, *, opened: float, end: float) -> None:
        """Learn the true length, and how late resets are stated, from a window that ended before its stated end."""
        length = longest_common(max(low, ROUNDING), high)
        if length is None or self._never_late:
            return
        late = end - opened - length
        if 0.0 < late <= MAX_LATENESS:  # if it is more, the quota was restored early by other means
            self.length, self._confirmations = length, 2
            self.correction -= late

    def learn_from_probes(
        self, began: TimeRange, after: float, until: float, *, since: float | None, empty: bool
    ) -> None:
        """Learn the length of a window that states neither its length nor its end."""
        if self.declared:
            return
        low, high = self._length_range if since is None else self._narrow(after - began[1], until - since)
        lengths = [length for length in possible_lengths(began, after, until) if low < length <= high]
        longest = longest_common(low, high)
        if len(lengths) == 1 or (lengths and empty):
            self._learn(self.length if self.length in lengths else lengths[0])
        elif longest is None and high <= MAX_SPAN * low:
            self.length, self._confirmations = high, 2  # it is no common one
        elif longest is not None and (self.length or 0.0) > high:
            self.length, self._confirmations = longest, 1

    def learn_from_first(self, low: float, high: float) -> None:
        """Learn the length of the first window, if it is not known."""
        if self.length is None:
            self.length = longest_common(low - ROUNDING, high)

    def learn_from_empty(self, reset: TimeInterval, sent: float, received: float) -> None:
        """Learn the length from the stated end of a window that is used up, and its first request."""
        low, high = reset.earliest - received - CLOCKS_APART, reset.latest - sent + CLOCKS_APART
        is_certain = high - low <= MAX_UNCERTAINTY + 2 * CLOCKS_APART and not self.correction
        if is_certain and (length := longest_common(low, high)) is not None and length >= (self.length or 0.0):
            self._learn(length)

    def forget_length(self, passed: float = 0.0) -> None:
        """Forget a learned length that proved wrong."""
        self.length, self._confirmations, self.log_confirmed = None, 0, False
        self._narrow(passed, math.inf)

    def _narrow(self, low: float, high: float) -> TimeRange:
        """Return the seconds that all windows so far may have lasted.

        Those of this one if they contradict the others.
        """
        least, most = max(self._length_range[0], low), min(self._length_range[1], high)
        self._length_range = (least, most) if least < most else (low, high)
        return self._length_range

    def revert_shortening(self) -> float:
        """Forget that resets are stated late, for good. Return the seconds of the correction that was wrong."""
        late, self.correction, self.length, self._confirmations = -self.correction, 0.0, None, 0
        self._never_late = True
        return late

    def kept_until(
        self, left: float, limit: float, reset: TimeInterval, *, since: float, last: float, windows: int = 1
    ) -> float | None:
        """Return when the next one of the last requests may start, which find out when the window ends.

        A request that comes too early is served as long as units are left. `None` means that it is not kept.
        """
        if self.reset_stated:
            kept = reset.is_vague() and left <= 1 and last < reset.earliest
            return reset.earliest + MARGIN if kept else None
        most = MAX_KEPT if self.length is None else MAX_KEPT_OF_GUESS
        fewer = 1.0 if self.length is not None else 0.5 ** max(0, windows - KNOWN_BY)
        if self.is_certain() or left > max(1.0, fewer * min(most, limit - MIN_SPENT)):
            return None
        learned = -math.inf if self.length is None else math.nextafter(since + self.length, -math.inf)
        end = next_end(since, max(last, learned))
        return end if end < math.inf else None  # it lasts longer than any common length, or its beginning is unknown

    def is_certain(self) -> bool:
        """Return whether the length is declared, or was confirmed after it was learned."""
        return self.declared or self.log_confirmed or self._confirmations > 1

    def is_guess(self) -> bool:
        """Return whether a single window has shown the length. A longer one may have begun earlier."""
        return self._confirmations == 1 and not self.is_certain()

    def end(self, reset: TimeInterval) -> None:
        """End a window: learn whether the server rounds resets down."""
        self._rounded_windows = self._rounded_windows + 1 if reset.rounded_down else 0
        is_long = (self.length or 0.0) >= LONG_WINDOW
        if self.correction >= 0 and (self._rounded_windows > 1 or (self._rounded_windows and is_long)):
            self.correction = ROUNDING

    def _detect_late_resets(self, reset: TimeInterval, last: TimeInterval, sent: float, received: float) -> None:
        """Detect a server that adds a second to be safe: two windows of a common length plus one second."""
        length = None if self._first_request is None else _common_length_less_a_second(last, *self._first_request)
        if length is not None and length == _common_length_less_a_second(reset, sent, received):
            self.shorten(length, length, opened=received, end=reset.latest)

    def _learn_length(
        self, reset: TimeInterval, last: TimeInterval, sent: float, received: float, *, first: bool
    ) -> None:
        """Find the common length that fits the time from the first request, or from the last end, to the reset."""
        length = self._fit(reset.earliest - received, reset.latest - sent) if first else None
        if length is None and last.latest <= sent <= last.latest + 2 * ROUNDING < reset.earliest:
            length = self._fit(reset.earliest - last.latest, reset.latest - last.earliest)
        if length is not None:
            self.log_confirmed &= length == self.length
            self._learn(length)

    def _learn(self, length: float | None) -> None:
        self._confirmations = self._confirmations + 1 if length == self.length else 1
        self.length = length

    def _fit(self, low: float, high: float) -> float | None:
        """Return the longest common length in [`low`, `high`] seconds that also fits earlier windows, if one does."""
        both = max(low, self._length_range[0]), min(high, self._length_range[1])
        length = longest_common(*both)
        if length is not None:
            self._length_range = both
            return length
        length = longest_common(low, high)
        if length is None or length < (self.length or 0.0):
            return None
        self._length_range = low, high
        return length
