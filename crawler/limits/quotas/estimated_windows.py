"""`EstimatedWindows`: two fixed windows, from which a server estimates how much was used in a sliding one.

Such a server counts what is used in the present window, and what was used in the one before by the share of it that the
sliding window still contains. It states the end of the present window, at which nothing returns at once: units return
evenly, as fast as they were used on average in the window before.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from crawler.limits.quotas.sample import QuotaSample
from crawler.limits.quotas.time_interval import ROUNDING, TimeInterval

__all__ = ["MIN_STEPS", "MIN_STEPS_SERVED", "EstimatedWindows", "length_between"]

MIN_STEPS: Final = 3.0
"""Times, at least, that the uncertainty of two stated ends fits into a window, if they show how long it lasts."""
MIN_STEPS_SERVED: Final = 10.0
"""The same if a request was served between them, and the length is not declared: a single unit may have returned."""
MAX_WRONG: Final = 3
"""Refusals of requests that should have been served, after which the server does something else."""


@attrs.define(eq=False, repr=False)
class EstimatedWindows:
    """The use of the present window and of the one before."""

    end: TimeInterval
    length: float
    before: float
    used: float = attrs.field(default=0.0, init=False)
    """Units used in the present window."""
    wrong: int = attrs.field(default=0, init=False)
    """Refusals of requests that should have been served."""
    late: float = attrs.field(default=0.0, init=False)
    """Seconds by which windows end later than stated: the server rounds down."""

    def record(self, sample: QuotaSample, limit: float) -> None:
        """Count a request in the window that its response states."""
        units = 0.0 if sample.refused else sample.cost
        expected_at = self.ready_at(sample.sent, need=sample.cost, inflight=sample.inflight, limit=limit)
        if sample.refused and sample.causal and expected_at <= sample.sent:
            self.wrong += 1
            self.end.shift(ROUNDING - self.late)
            self.late = ROUNDING
        stated = sample.reset
        if stated is None:
            windows = self._passed(sample.sent)
        else:
            windows = round((stated.earliest - self.end.earliest) / self.length)
        if windows < 0 and not sample.causal:
            self.before += units
            return
        self.before, self.used = self._counts_after(windows)
        self.end.shift(windows * self.length)  # back if a clock was set, or a wrong end was stated before
        if stated is not None:
            self.end.narrow(TimeInterval(stated.earliest + self.late, stated.latest + self.late))
        self.used += units
        # what is missing was used by others
        self.used = max(self.used, math.ceil(limit - sample.remaining - 1.0 - self._counted_before(sample.sent)))

    def ready_at(self, now: float, *, need: float, inflight: float, limit: float) -> float:
        """Return when a request may start, in seconds since the epoch; one that costs more than the limit is alone."""
        need = min(need, limit)
        passed = self._passed(now)
        end, (before, used) = self.end.latest + passed * self.length, self._counts_after(passed)
        used += inflight
        while limit - need - used < 0.0:
            end, before, used = end + self.length, used, 0.0
        free = limit - need - used
        return end - self.length * min(1.0, free / before) if before else -math.inf

    def is_usable(self) -> bool:
        """Return whether hardly any requests were refused that should have been served."""
        return self.wrong <= MAX_WRONG

    def _passed(self, at: float) -> int:
        """Return how many windows have ended since the present one began, at a time in seconds since the epoch."""
        return max(0, math.floor((at - self.end.latest) / self.length) + 1)

    def _counts_after(self, windows: int) -> tuple[float, float]:
        """Return the units used in the window before, and in the present one, when so many windows have ended."""
        if windows <= 0:
            return self.before, self.used
        return (self.used if windows == 1 else 0.0), 0.0

    def _counted_before(self, at: float) -> float:
        """Return how much of the window before counts at most, at a time in seconds since the epoch."""
        return self.before * min(1.0, max(0.0, (self.end.latest - at) / self.length))


def length_between(
    last: TimeInterval, end: TimeInterval, *, sent: float, assumed: float | None, steps: float = MIN_STEPS
) -> float | None:
    """Return the seconds of a window that two stated ends in a row show; `None` if they do not."""
    low, high = end.earliest - last.latest, end.latest - last.earliest
    length = (low + high) / 2.0 if assumed is None else assumed
    is_next = 2.0 * (end.earliest - sent) > high  # no whole window lies between the two
    is_sharp = high - low <= length / steps
    return length if is_next and is_sharp and max(low, 2.0 * ROUNDING) <= length <= high else None
