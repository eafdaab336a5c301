"""`Quota`: one policy of a server, how much of it is left, and when the next request may start.

The comments refer to its rules by the numbers that ``docs/explanation/limit-rules.md`` gives them: rule 1 is R1 there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, Literal

import attrs

from crawler.limits.quotas.estimated_windows import EstimatedWindows
from crawler.limits.quotas.replenishment import Replenishment
from crawler.limits.quotas.request_log import RequestLog
from crawler.limits.quotas.time_interval import ROUNDING, TimeInterval
from crawler.limits.quotas.usage import QuotaUsage
from crawler.limits.quotas.window import DAY, Window, next_midnight, next_probe

__all__ = ["Mode", "Quota"]

Mode = Literal["auto", "smooth", "burst"]
"""How a quota is spent: ``smooth`` spreads it over the window, ``burst`` spends it at once and waits, ``auto`` spreads
it while the backlog does not fit."""

SPREAD_SHARE: Final = 0.97
"""Share of a window over which a quota is spread. The rest makes up for requests that start late."""
UNKNOWN_SPREAD_SHARE: Final = 0.25
"""The same while the kind of replenishment is unknown. If each unit returns one window after its use, units used late
return late in every following window."""
SEEN_INTERVALS: Final = 15.0
"""Intervals of one unit in which other clients that use a fifth of the quota are seen, with a probability of 95 %."""
SHORT_SPREAD: Final = 0.5
"""Share of a short window over which it is spread until it is known whether all of its units return together."""
STEADY_FACTOR: Final = 1.02
"""Factor between the average interval of one unit and the interval at which a continuous quota is spent."""
PLENTY_SHARE: Final = 0.2
"""Share of the limit above which a continuous quota is spent at once: while it is full, no unit returns."""
PEEK_SHARE: Final = 0.3
"""Share of a window between two requests if other clients are expected to use everything that is left."""
PROBE_SHARE: Final = 0.25
"""Share of a window so far that passes before its end is looked for, where neither length nor end are stated."""
SECOND_AFTER: Final = 0.3
"""Seconds from the first request to the second, at most: two responses show in which unit a reset is stated."""
LOOK_AFTER: Final = 120.0
"""Seconds between two requests, at most, or as many as the window has lasted, while units are left, until a window has
ended when it was stated to."""
SHORT_TRIPS: Final = 50.0
"""Round trips that a short window lasts, at most. Its units are spent at once."""


@attrs.define(eq=False, repr=False, kw_only=True)
class Quota:
    """One policy of a server: how much of it is left, and when more returns."""

    name: str
    """The policy's name in `crawler.limits.headers.declared.Observation`."""
    unit: str = "requests"
    """The unit that is counted."""
    limit: float | None = None
    """Units per window. `None` means unknown."""
    limit_declared: bool = False
    """Whether the server declares the limit."""
    remaining: float | None = None
    """Units left by the latest update. `None` means unknown; a probe will tell."""
    updated_at: float = -math.inf
    """When the latest update was received, in seconds since the epoch."""
    reset: TimeInterval = attrs.field(factory=TimeInterval)
    """When units are restored."""
    window_count: int = 0
    """Windows seen so far."""
    window: Window = attrs.field(factory=Window)
    """Length of the windows."""
    replenishment: Replenishment = attrs.field(factory=Replenishment)
    """How units are restored."""
    usage: QuotaUsage = attrs.field(
        default=attrs.Factory(lambda self: QuotaUsage(counts_requests=self.unit == "requests"), takes_self=True)
    )
    """How units are used, by us and by other clients."""
    log: RequestLog = attrs.field(factory=RequestLog)
    """When we used units."""
    estimated: EstimatedWindows | None = None
    """What was used, if the server estimates a sliding window from two fixed ones. `None` means that none is known."""
    is_counted: bool = False
    """Whether the server states only a limit and a window, and never what is left (rule 12)."""
    _window_start: float = math.nan
    _empty_responses: int = 0
    """Causal responses of this window with less left than their request cost."""
    _unconfirmed: float = 0.0
    """Units spent since the last update that no response has confirmed."""
    _unreported: float = 0.0
    """Units of requests since the last update whose responses did not mention this policy."""
    _unreported_is_free: bool = False
    """Whether the server does not count requests whose responses do not mention this policy."""

    # ---- updates -----------------------------------------------------------------------------------------------------

    def record_unreported(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Count a request whose response does not mention this policy (rule 8).

        Return whether the policy can be kept.
        """
        if self.remaining is None:
            if self.is_counted:
                self._log_request(sent, received, cost)
            return True
        if sent >= min(self.probe_at(), self.reset.latest):
            end_is_stated = self.limit_declared and self.reset.latest < math.inf
            if self.limit is None or not (self.window.length or end_is_stated):
                return False
            if self.window.length is not None:
                self.start_counted_window(self.limit - cost, sent, received)
            elif self._window_start < self.reset.latest or self.remaining < cost:  # a refusal will state its end
                self._start_window(max(0.0, self.limit - cost), self.reset, received)
            else:
                self._spend(cost)
        elif not self._unreported_is_free:
            self._spend(cost)
            self._unreported += cost * (sent >= self.updated_at)  # others may be in what was left then
        self._log_request(sent, received, cost)
        return True

    def start_counted_window(self, remaining: float, sent: float, received: float, margin: float = 0.0) -> None:
        """Begin a window that no response states, with its first request."""
        length = self.window.length or 0.0
        self.window.reset_stated, self.estimated = True, None
        self._start_window(max(0.0, remaining), TimeInterval(sent + length, received + length + margin), received)
        self.updated_at = max(self.updated_at, received)

    def spend(self, cost: float) -> None:
        """Count a request of `cost` units whose response will never be known."""
        self._spend(cost)
        self.log.mark_gap()

    def _spend(self, cost: float) -> None:
        units = cost if self.usage.counts_requests else self.usage.cost_per_request
        if self.remaining is not None:
            self.remaining = max(0.0, self.remaining - units)
            self._unconfirmed += units
        if self.estimated is not None:
            self.estimated.used += units
        self.usage.spend(cost)

    def is_cause(self, cost: float, sent: float) -> bool:
        """Return whether a refusal was due to this policy, which is used up then."""
        if self.is_counted:
            return self.log.explain_refusal(sent, self.updated_at, self.window.length or 0.0)
        if self.remaining is None or self.remaining >= cost:
            return False
        self.exhaust()
        return True

    def exhaust(self, until: float = -math.inf) -> None:
        """Record that a refusal was due to this policy: nothing is left before `until` (seconds since the epoch)."""
        self.remaining = 0.0
        self.log.mark_gap()
        if until > self.reset.latest:
            self.reset = TimeInterval(until, until)

    def resume(self, now: float) -> None:
        """Resume after an interrupted run. Requests then in flight are not known, so a probe must tell what is left."""
        self.remaining = None
        self.reset = TimeInterval(-math.inf, now)
        self.log.mark_gap()

    # ---- when the next request may start -----------------------------------------------------------------------------

    def ready_at(self, now: float, *, cost: float, inflight: float, in_flight_since: Callable[[float], bool]) -> float:
        """Return when enough units are available, in seconds since the epoch; infinite: after a response arrives."""
        need = self.usage.expected_cost(cost)
        if self.is_counted:
            return self._log_ready_at(need, inflight) if self._is_log_usable(now) else -math.inf
        available = self.available(now, inflight)
        if available >= need:
            return -math.inf
        if self.estimated is not None and self.estimated.is_usable():
            return self.estimated.ready_at(now, need=need, inflight=inflight, limit=self.limit or 0.0)
        renewed_at = self._renewed_at(now, need, inflight)
        probe_at = self.probe_at()
        log_usable = self._is_log_usable(now)
        log_ready_at = self._log_ready_at(need, inflight) if log_usable else math.inf  # rule 10
        if log_usable and self._is_log_alone():
            probe_at = math.inf  # only our own requests show when units return
        elif not self.window.log_confirmed:
            probe_at, log_ready_at = min(probe_at, log_ready_at), math.inf
        if now >= probe_at and in_flight_since(probe_at - self.log.round_trip):  # rule 4
            probe_at = math.inf
        if log_usable:
            return min(probe_at, log_ready_at, renewed_at)
        if self.limit is not None and need + inflight > self.limit:
            return probe_at  # so many units never return one by one
        restored_at = self.replenishment.restored_at(
            need - available, updated_at=self.updated_at, interval=self.interval
        )
        only_rate = self.reset.latest == math.inf and restored_at < math.inf  # nothing else shows when units return
        return restored_at if only_rate else min(probe_at, restored_at)

    def start_at(self, last: float, *, cost: float, inflight: float, backlog: float, mode: Mode) -> float:
        """Return when the next request starts if the remaining units are spread over the window, in epoch seconds."""
        is_estimated = mode == "auto" and self.estimated is not None and self.estimated.is_usable()
        if self.is_counted or mode == "burst" or self.remaining is None or is_estimated:
            return self._even_start_at(last, cost) if self.is_counted else -math.inf
        need, interval, share = self.usage.expected_cost(cost), self.interval, self._share(inflight)
        average = self.usage.average_cost(cost)
        if mode == "auto" and self._is_short():
            # the first of several responses shows best when a window began; a late one shows whether it is fixed
            return -math.inf if self.replenishment.all_at_once else last + SHORT_SPREAD * (interval or 0.0) * average
        fits = backlog * average <= share * cost
        if mode == "auto" and (fits or self._may_be_sliding(last)):
            return -math.inf
        continuous = self.replenishment.kind == "continuous"
        if self.is_declared() and self.limit is not None and not continuous:
            since, left = self._window_start, share / need
            windows = self.window_count
            kept_until = self.window.kept_until(left, self.limit, self.reset, since=since, last=last, windows=windows)
            if kept_until is not None:
                return kept_until
        if interval is not None and (continuous or not self.window.reset_stated):
            plenty = continuous and share >= PLENTY_SHARE * (self.limit or math.inf)
            factor = UNKNOWN_SPREAD_SHARE if self.replenishment.kind == "unknown" else STEADY_FACTOR
            return -math.inf if plenty else last + factor * interval * average
        return self._peek_at(last) if share < need else self._spread_at(last, need, share, mode)

    def _spread_at(self, last: float, need: float, share: float, mode: Mode) -> float:
        """Return when the next request starts so that the units are spread until the stated reset."""
        if not self.reset.is_known() or not self.window.reset_stated or share + need <= 0.0 or last == -math.inf:
            return -math.inf
        until, at_once = self.reset.earliest, math.inf
        if mode == "auto" and self.replenishment.kind == "unknown" and not self.rate_of_others:
            until = self._window_start + UNKNOWN_SPREAD_SHARE * (until - self._window_start)
            at_once = self._window_start + SEEN_INTERVALS * (self.interval or math.inf)
        at = min(at_once, last + SPREAD_SHARE * max(0.0, until - last) * need / (share + need))
        is_second = self.window_count == 1 and self.usage.ours < 2.0
        is_doubtful = mode == "auto" and is_second and not self.window.declared
        if is_doubtful and share >= 2.0 * need:
            at = min(at, last + SECOND_AFTER)
        if mode == "auto" and self._is_unproven():
            at = min(at, last + max(LOOK_AFTER, last - self._window_start))
        return at

    def _is_unproven(self) -> bool:
        """Return whether no window has ended yet when the server said that it would."""
        return not self.window.declared and (self.window_count == 1 or self.window.early > 0)

    def _even_start_at(self, last: float, cost: float) -> float:
        """Return when the next request starts at an even rate; at once if the request log decides (rule 12)."""
        if self.interval is None or self._is_log_usable(last):
            return -math.inf
        return last + STEADY_FACTOR * self.interval * self.usage.expected_cost(cost)

    def available(self, now: float, inflight: float) -> float:
        """Return the units that are certainly left (rules 3 and 6); 0 if that is unknown."""
        if self.remaining is None:
            return 0.0
        others = self.rate_of_others
        if not others:
            return self.remaining - inflight
        return self.remaining - inflight - others * (now - self.updated_at) - self.usage.reserve(others)

    def probe_at(self) -> float:
        """Return when a probe may find out whether units were restored (rule 4), in seconds since the epoch."""
        if self.reset.latest == math.inf:
            return next_probe(self._window_start, self.updated_at, self._empty_responses, share=PROBE_SHARE)
        if self.remaining is None:
            return self.reset.latest
        at = self.reset.latest
        if self.window.length == DAY and not self.window.reset_stated:
            at = min(at, next_midnight(self.updated_at))
        if self.window.reset_stated:
            at += self.replenishment.probe_delay(self.interval, self.window.length)
        return at

    def is_declared(self) -> bool:
        """Return whether responses state it."""
        return False

    @property
    def interval(self) -> float | None:
        """Average seconds in which one unit is restored. `None` means unknown."""
        if self.replenishment.rate:
            return 1.0 / self.replenishment.rate
        is_measured = self.replenishment.kind == "continuous"
        measured = self.replenishment.shortest_interval if is_measured else 0.0
        if not self.window.length or not self.limit:
            return measured or None
        return max(self.window.length / self.limit, measured)

    @property
    def rate_of_others(self) -> float:
        """Units per second to leave to other clients. 0 if units return continuously, which hides what others use."""
        if self.replenishment.kind == "continuous":
            return 0.0
        return self.usage.rate_of_others(self.window.length)

    def _share(self, inflight: float) -> float:
        """Return the units left to us until the reset if other clients continue at their rate (rule 6)."""
        share = (self.remaining or 0.0) - inflight
        if self.reset.is_known():
            share -= self.rate_of_others * max(0.0, self.reset.latest - self.updated_at)
        return share

    def _peek_at(self, last: float) -> float:
        """Return when to find out what is left although other clients are expected to use all of it."""
        if not self.rate_of_others:
            return -math.inf
        return min(max(self.updated_at, last) + PEEK_SHARE * (self.window.length or ROUNDING), self.probe_at())

    def _is_log_usable(self, now: float) -> bool:
        """Return whether our own log shows when there is room for a request (rule 10)."""
        window = self.window
        return (
            window.length is not None
            and self.limit is not None
            and window.is_certain()
            and (window.declared or self.replenishment.rate is None)  # a time to full shows no length of a window
            and self.usage.counts_requests
            and not self.rate_of_others
            and self.log.is_complete(now, window.length)
        )

    def _is_log_alone(self) -> bool:
        """Return whether no stated reset shows when a window ends, or only when a sliding one restores a unit."""
        if self.window.reset_stated:
            return self.window.log_confirmed and self.replenishment.is_sliding()
        return self.window.length != DAY

    def _log_ready_at(self, need: float, inflight: float) -> float:
        limit = self.limit or 0.0
        need = min(need, limit)  # a request that costs more than the limit waits for a window that is unused
        return self.log.ready_at(limit - inflight - need, self.window.length or 0.0)

    def _renewed_at(self, now: float, need: float, inflight: float) -> float:
        """Return when the present window has certainly ended, in epoch seconds; infinite: a probe has to tell (rule 4).

        It began before its first response, so all of its units return with that of its first request.
        """
        limit, length = self.limit or 0.0, self.window.length or 0.0
        counted = limit - (self.remaining or 0.0) >= self.usage.ours  # no unit of ours belongs to another window
        known = self._is_short() and self.replenishment.all_at_once and self._is_log_usable(now)
        if not known or not counted or need + inflight > limit:
            return math.inf
        return self.log.returned_at(self._window_start, length)

    def _is_short(self) -> bool:
        """Return whether windows are fixed, and so short that a round trip is a loss worth mentioning."""
        longest = SHORT_TRIPS * self.log.round_trip
        return self.replenishment.kind == "fixed" and (self.window.length or math.inf) <= longest

    def _may_be_sliding(self, last: float) -> bool:
        """Return whether each unit may return one window after its use, so that spreading gains nothing."""
        if self.window.reset_stated and (self.replenishment.kind == "unknown" or self.replenishment.all_at_once):
            return False
        return self._is_log_usable(last)

    # ---- windows and log ---------------------------------------------------------------------------------------------

    def _start_window(self, remaining: float, reset: TimeInterval, received: float) -> None:
        self.window.end(self.reset)
        self.window_count += 1
        self.reset, self.remaining, self._window_start = reset, remaining, received
        self._empty_responses, self._unconfirmed, self._unreported = 0, 0.0, 0.0
        most = self.limit / self.window.length if self.limit and self.window.length else math.inf
        used = None if self.limit is None else self.limit - remaining
        self.usage.start_window(remaining, received, used, max_others=most)

    def _log_request(self, sent: float, received: float, cost: float, *, refused: bool = False) -> None:
        self.log.add(sent, received, self.limit, refused=refused)
        if cost != 1.0:
            self.log.distrust_until(math.inf)

    def report(self) -> dict[str, Any]:
        """Return what is known of the quota as JSON values: the entry of this policy in the crawl's report."""
        known = {
            "unit": None if self.unit == "requests" else self.unit,
            "limit": self.limit,
            "remaining": self.remaining,
            "window": self.window.length,
            "window_is_guess": self.window.is_guess() or None,
            "rate": self.replenishment.rate,
            "reset_at": self.reset.latest if self.reset.latest < math.inf else None,
            "kind": self.replenishment.kind,
            "others": round(self.usage.others, 4) or None,
            "pad": self.window.correction or None,
        }
        return {name: value for name, value in known.items() if value is not None}
