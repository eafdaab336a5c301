"""`UndeclaredQuota`: a quota that a server does not declare, counted by ourselves and corrected by refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.quotas.quota import Mode, Quota
from crawler.limits.quotas.time_interval import ROUNDING, TimeInterval
from crawler.limits.quotas.window import MARGIN, next_shorter

__all__ = ["FEW_UNITS", "MAX_DOUBTS", "SHORTEST", "UndeclaredQuota"]

MARGIN_DIVISOR: Final = 50
"""The margin is at most this fraction of the window."""
BRISK_SHARE: Final = 0.05
"""Share of a window in which its units are spent, at least. Spent more slowly than at once, a wrong guess costs few
refusals."""
MAX_PAUSE: Final = 1.0
"""Seconds between two requests at that pace, at most. A refusal has arrived by then."""
UNCONFIRMED_SHARE: Final = 0.25
"""Share of a window, at most, over which its units are spent one by one until the limit is confirmed."""
MIN_SLIDING: Final = 16.0
"""Units of a window, at least, that a refusal shows to slide. Fewer may be served between refusals at random."""
SHORTEST: Final = 1.0
"""Seconds of the shortest windows that are looked for at once. Shorter ones are tried in later windows."""
FEW_UNITS: Final = 3.0
"""Units of a limit below which refusals at random may have shown it: so few may be served between them by chance."""
MAX_DOUBTS: Final = 3
"""Trials of one more unit, or probes of the search, that are refused before so small a limit is no longer doubted."""
WINDOWS_BEFORE_TRIAL: Final = 8
"""Windows used up without a refusal before more units are tried. They double with each refused trial."""
GUESS_UNCERTAINTY: Final = 0.5
"""Share by which a rate may be higher that is computed from a length which seemed to be too long."""
MIN_BLOCK: Final = 120.0
"""Seconds of a window that may be the time for which a server blocks those who exceed its limit."""
BLOCKED: Final = 10.0
"""How many times as long as its window a server may block."""
LONG: Final = 10.0
"""Seconds of a long window. A unit is tried before it ends: a shorter one may be a bucket that was full. Its margin
exceeds a round trip."""


@attrs.define(eq=False, repr=False, kw_only=True)
class UndeclaredQuota(Quota):
    """A quota that no response states. From time to time it tries whether the server allows more."""

    opened_at: float = -math.inf
    """When the first request of the present window was sent, in seconds since the epoch."""
    used: float = 0.0
    """Units served in the present window."""
    refusals: int = 0
    """Trials of one more unit that were refused, and probes of the search, up to `MAX_DOUBTS`: both prove the limit."""
    clean_windows: int = 0
    """Windows used up since the last refusal."""
    certain: bool = True
    """Whether a rate limit certainly caused the first refusal. If not, the next window already tries for more."""
    too_short: float = math.inf
    """Seconds after which a request was refused; a window may be shorter than believed, but not as short as that."""
    is_weak: bool = False
    """Whether a single refusal led to it, which may have come at random. Then the next refusal is doubted."""
    overestimated: bool = False
    """Whether the last refusal showed that the server allows less than the limit."""
    proven_at: float = -math.inf
    """When a window certainly began, with a probe after a refusal, in seconds since the epoch."""
    total: float = 0.0
    """Units served since `proven_at`."""
    slides: bool = False
    """Whether a refusal has shown that each unit returns one window after it was used."""
    is_continuous: bool = False
    """Whether a unit was served before the end of a window that was used up: units return one by one."""
    rate_uncertainty: float = 0.0
    """Share by which they may return faster than the length shows."""
    _believed_end: TimeInterval | None = None
    """When the window is believed to end, while one request tries whether a unit returns earlier."""
    _early_length: float = math.nan
    """The length, in seconds, that tells when that request is sent."""
    _longer_before: float = math.nan
    """The length, in seconds, that was believed before the latest shorter one."""
    _is_early_tried: bool = False
    """Whether that was ever tried."""
    _longer: float = math.nan
    """The length that is believed, in seconds, while a shorter one is tried."""
    block_tried: bool = False
    """Whether a much shorter length was tried, because the refusals may have been a block."""
    _trial: bool = False
    """Whether the present window tries one more unit than `limit`."""
    _refused_in_row: int = 0
    """Windows in a row that were refused."""
    _refused_window: float = math.nan
    """`opened_at` of the latest window that was refused."""

    @property
    def believed_length(self) -> float:
        """The length of a window in seconds, although a shorter one may be tried."""
        return (self.window.length or math.inf) if math.isnan(self._longer) else self._longer

    def record_unreported(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Count a request that was served. The first one after the end of a window opens the next."""
        length = self.window.length
        if self.limit is None or length is None:
            return False
        if self.proven_at == -math.inf:
            self.proven_at = sent
        self.total += cost
        self.usage.record_round_trip(received - sent)
        self.log.add(sent, received, self.limit)
        if self._believed_end is not None and sent >= self.probe_at():
            self._believe_continuous()
            return True
        if self.remaining is None or sent >= self.probe_at():
            if self._refused_window != self.opened_at:
                self._refused_in_row = 0
            self.clean_windows += self.used >= self.limit
            self._trial = self._is_trial_due()
            self.opened_at, self.used = sent, cost
            length = self._try_shorter(length)
            remaining = self.limit + self._trial - cost
            end = max(sent, received - self.log.earlier)
            self.start_counted_window(remaining, sent, end, _margin(length))
            return True
        self._spend(cost)
        self.used += cost
        if self.used > self.limit:
            if self._trial and self.is_small():
                return False
            self.limit = self.used
            if self._trial:  # the server allows more: try yet another unit
                self.remaining = cost
        return True

    def probe_at(self) -> float:
        """Return when the next window begins, in seconds since the epoch.

        A confirmed window returns all of its units at once, or the first one if it slides. Of a short one with few
        units it is not known whether it slides, so the first unit has time to return.
        """
        is_known = self.believed_length >= LONG or (self.limit or 0.0) >= MIN_SLIDING
        is_doubtful = self.is_small() or self.is_shorter_tried() or self._believed_end is not None
        if self.remaining is None or is_doubtful or not (is_known and self.is_confirmed()):
            return super().probe_at()
        return self.reset.latest

    def ready_at(self, now: float, *, cost: float, inflight: float, in_flight_since: Callable[[float], bool]) -> float:
        """Return when a request may start. If windows slide, none of the learned length contains more than `limit`.

        That holds for the first request after the probe, too. One that costs more than `limit` may start when the last
        window is empty: a learned limit may be wrong.
        """
        at = super().ready_at(now, cost=cost, inflight=inflight, in_flight_since=in_flight_since)
        length, limit = self.window.length, self.limit or math.inf
        may_be_fixed = self.total > 1.0 and not self.slides and cost <= limit
        if length is None or may_be_fixed or not self.log.is_complete(now, length):
            return at
        need = min(cost - self._trial, limit)
        return max(at, self._log_ready_at(need, inflight))

    def start_at(self, last: float, *, cost: float, inflight: float, backlog: float, mode: Mode) -> float:
        """Return when the next request starts at a brisk pace, in seconds since the epoch."""
        if mode != "auto" or self.interval is None:
            return super().start_at(last, cost=cost, inflight=inflight, backlog=backlog, mode=mode)
        pause = min(MAX_PAUSE, BRISK_SHARE * self.interval)
        if not self.is_confirmed() or not math.isnan(self._longer):
            pause = max(pause, min(2.0 * self.usage.round_trip, UNCONFIRMED_SHARE * self.interval))
        return last + pause * cost

    def explain_refusal(self, sent: float, retry_after: float | None = None, *, in_flight: int = 0) -> bool:
        """Learn from a refusal that no other policy explains. Return whether this quota explains it."""
        self.overestimated = False
        if (
            retry_after is not None
            and not self.is_confirmed()
            and sent + retry_after - 2 * ROUNDING > self.reset.latest
        ):
            return False  # the server itself says that the window is longer than learned
        if self.remaining is None or sent >= self.probe_at():
            return self._end_early() or self._end_shorter(sent)
        nearly_used = self.is_nearly_used()
        if not nearly_used and (self._end_shorter(sent) or self._begin_sliding(sent, in_flight)):
            self._try_early(sent, retry_after, in_flight)
            return True
        # a wait in whole seconds says nothing of the end of a shorter window
        is_told = retry_after is not None and (self.window.length or 0.0) > 2 * ROUNDING
        if is_told and self.opened_at == self.proven_at and sent + (retry_after or 0.0) - ROUNDING <= self.reset.latest:
            self.overestimated = not nearly_used  # the window ends as expected, so its limit is lower
            self.limit, self.clean_windows, self.remaining = max(1.0, self.used), 0, 0.0
            self.certain, self._trial = True, False
            if not nearly_used:
                self.too_short = min(self.too_short, sent - self.opened_at)
            return True
        if self.proven_at < self.opened_at and not nearly_used and not self.is_confirmed():
            return False  # the window is longer than learned: what seemed to be two windows is one
        is_explained = nearly_used or self.may_be_trial(in_flight)
        if self._trial:
            self.refusals += is_explained
            self.certain, self.is_weak = True, False
        if self._refused_window != self.opened_at:  # once per window
            self._refused_in_row, self._refused_window = self._refused_in_row + 1, self.opened_at
        waits_for_unit = not is_explained and self._try_early(sent, retry_after, in_flight)
        # one window may hold earlier requests
        if nearly_used or (self._refused_in_row > 1 and not is_explained and not waits_for_unit):
            self.overestimated = not nearly_used
            self.limit = max(1.0, self.used)
        self.clean_windows, self._trial = 0, False
        self.remaining = 0.0
        return True

    def expects_refusal(self, sent: float) -> bool:
        """Return whether a single refusal, of a request sent at `sent` (seconds since the epoch), is no surprise."""
        return not self.is_weak and (self.is_nearly_used() or sent >= self.probe_at())

    def is_shorter_tried(self) -> bool:
        """Return whether the present window is shorter than believed, to find out whether it may be."""
        return not math.isnan(self._longer)

    def may_slide(self, sent: float, in_flight: int) -> bool:
        """Return whether the last window, wherever it began, held as many units as the limit; a bucket serves more."""
        counted, _ = self.log.count(sent, sent, self.believed_length)
        limit = self.limit or 0.0
        return self.is_confirmed() and limit >= MIN_SLIDING and counted <= limit <= counted + in_flight

    def _is_log_usable(self, now: float) -> bool:
        return self.slides and super()._is_log_usable(now)

    def _begin_sliding(self, sent: float, in_flight: int) -> bool:
        """Return whether a refusal shows for the first time that windows slide; parameters as of `explain_refusal`."""
        if self.slides:
            return False
        self.slides = self.may_slide(sent, in_flight)
        return self.slides

    def may_be_trial(self, in_flight: int) -> bool:
        """Return whether a refused request may have been the trial of one more unit than the limit."""
        return self._trial and self.is_nearly_used(in_flight)

    def steady_units(self) -> float:
        """Return the units that a window allows if they are spread evenly, however the server counts."""
        return max(1.0, (self.limit or 0.0) - 1.0)

    def is_nearly_used(self, in_flight: int = 0) -> bool:
        """Return whether at most one unit of the present window is left; it may not count, as that for robots.txt."""
        return self.used + in_flight >= (self.limit or 0.0) - 1.0

    def is_small(self) -> bool:
        """Return whether the limit is so small that refusals at random may have shown it."""
        return (self.limit or 0.0) < FEW_UNITS

    def may_be_rate(self) -> bool:
        """Return whether a rate without a burst may have shown it: that serves one unit, or two in a short time."""
        return self.limit == 1.0 or (self.is_small() and self.believed_length <= SHORTEST)

    def evidence(self) -> tuple[float, float]:
        """Return what a new search can start from: a time in seconds since the epoch, and the units served since."""
        return (self.opened_at, self.used) if self.is_confirmed() else (self.proven_at, self.total)

    def resume(self, now: float) -> None:
        """Resume after an interrupted run. Requests then in flight are not known, so the window counts as used up."""
        if self.window.length is not None:
            self.exhaust(min(max(self.reset.latest, now), now + self.window.length))

    def is_confirmed(self) -> bool:
        """Return whether a window that certainly began when it was believed to was used up, and ended as expected."""
        return self.total - self.used >= (self.limit or 0.0)

    def _try_shorter(self, length: float) -> float:
        """Begin a window that is shorter than `length` (seconds) if that is possible. Return its length."""
        shorter = next_shorter(length)
        if not self.block_tried and length >= MIN_BLOCK and self.clean_windows:
            self.block_tried, self.too_short, shorter = True, 0.0, length / BLOCKED
        if shorter < SHORTEST and not self.is_confirmed():
            return length
        if shorter <= self.too_short:
            self._longer = math.nan
            return length
        self._longer_before, self._longer = self._longer, length
        self.window.length = shorter
        return shorter

    def _end_shorter(self, sent: float) -> bool:
        """Return to the length that is believed after a shorter one was refused; `False`: that one was refused."""
        if math.isnan(self._longer):
            return False
        self.window.length, self._longer, self.too_short = self._longer, math.nan, math.inf
        end = self.opened_at + self.window.length
        self.remaining, self.reset = 0.0, TimeInterval(end, max(end, sent) + _margin(self.window.length))
        return True

    def _try_early(self, sent: float, retry_after: float | None, in_flight: int) -> bool:
        """Try once, before the window ends, whether units return one by one; parameters as of `explain_refusal`.

        They do at a rate, and in a sliding window that is estimated from two fixed ones. Such a window may have seemed
        to be shorter than it is, because it served some units before its end. Return whether it is tried.
        """
        is_known = retry_after is not None or self.slides or self._is_early_tried
        if is_known or self.is_small() or self.is_nearly_used(in_flight):
            return False
        counted, _ = self.log.count(sent, sent, self._longer_before)
        length = self._longer_before if counted > (self.limit or 0.0) else self.window.length or 0.0
        at = sent + length / self.steady_units()
        if length < LONG or at >= self.reset.earliest:
            return False
        self._is_early_tried, self._early_length = True, length
        self._believed_end, self.reset = self.reset, TimeInterval(at, at)
        return True

    def _believe_continuous(self) -> None:
        """Note that units return one by one, because that request was served."""
        self.is_continuous = True
        self.rate_uncertainty = GUESS_UNCERTAINTY if self._early_length > self.believed_length else 0.0
        self.window.length, self._longer = self._early_length, math.nan

    def _end_early(self) -> bool:
        """Return whether the refused request was that one: no unit returns before the window ends."""
        if self._believed_end is None:
            return False
        self.reset, self._believed_end = self._believed_end, None
        return True

    def _is_trial_due(self) -> bool:
        if not self.certain or (self.is_small() and self.refusals < MAX_DOUBTS):
            return True
        return self.clean_windows >= doubled(self.refusals, base=WINDOWS_BEFORE_TRIAL, cap=math.inf)


def _margin(length: float) -> float:
    """Return the seconds that are added to the end of a window of that length, in seconds."""
    return min(MARGIN, length / MARGIN_DIVISOR)
