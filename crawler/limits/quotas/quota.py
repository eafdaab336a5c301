"""`Quota`: one policy of a server, and the rules by which responses show how much of it is left.

1. *Causality.* Responses may overtake each other. A response may raise the remaining units only if its request was sent
   after the previous update was received. A response that was overtaken may only lower them.
2. *New windows.* A new window has begun if the stated reset lies at or after the latest end of the present window. It
   may lie exactly there, because the resets of a token bucket follow each other without a gap. If no later reset is
   stated, a causal response with more units left begins a new window.
3. *In flight.* Requests in flight count as spent until their responses arrive.
4. *One probe.* When the quota should be restored, exactly one request is sent. No other starts until its response
   arrives and opens the new window.
5. *Replenishment.* If half the quota or more returns together, the policy has fixed windows. If almost nothing returns,
   or the probe is refused, units return continuously: the next unit is expected after its share of the window, not at
   the stated reset.
6. *Other clients.* Units that are gone but were not used by us were used by other clients. They are expected to
   continue at that rate, and as many units are left to them.
7. *Refusals with quota left.* Such a refusal comes from another limit. See `crawler.limits.learning.refusals`.
8. *Undeclared quotas.* Requests that no response accounts for are counted here. `Quota.record_unreported` counts those
   of a policy that responses no longer mention, `crawler.limits.learning.undeclared` those of one never mentioned.
9. *Silence.* A response that does not mention a policy changes only the counts of rule 8, because responses from caches
   and of other limits do not mention it either.
10. *Request log.* As long as no other client uses the quota, there is room for a request one window after an earlier
    one was answered. This holds for every kind of replenishment and whatever reset is stated. See
    `crawler.limits.quotas.request_log`.
11. *Late resets.* A server may state resets late: a window ends before its stated end, or two windows last exactly a
    second longer than a common length. The window then ends one common length after our first request. A refusal at
    that time proves this wrong, and the correction is dropped for good.
12. *Policies without a remainder.* If only a limit and its window are declared, we count: by the request log, no window
    of that length contains more than the limit. A limit too large for the log is kept as an even rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, Literal

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.headers.declared import Observation, TimeRange
from crawler.limits.quotas.replenishment import Replenishment
from crawler.limits.quotas.request_log import RequestLog
from crawler.limits.quotas.sample import QuotaSample
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
STEADY_FACTOR: Final = 1.02
"""Factor between the average interval of one unit and the interval at which a continuous quota is spent."""
PLENTY_SHARE: Final = 0.2
"""Share of the limit above which a continuous quota is spent at once: while it is full, no unit returns."""
PEEK_SHARE: Final = 0.3
"""Share of a window between two requests if other clients are expected to use everything that is left."""
PROBE_SHARE: Final = 0.25
"""Share of a window so far that passes before its end is looked for, where neither length nor end are stated."""
MAX_EMPTY_WAIT: Final = 60.0
"""Seconds; the longest wait after a request that was served although nothing was left."""


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
    is_counted: bool = False
    """Whether the server states only a limit and a window, and never what is left (rule 12)."""
    _window_start: float = math.nan
    _first_request: TimeRange | None = None
    """When the first request of the window was sent and answered, if it was ours."""
    _last_sent: float = -math.inf
    """When the latest causal request was sent."""
    _empty_responses: int = 0
    """Causal responses of this window with less left than their request cost."""
    _unconfirmed: float = 0.0
    """Units spent since the last update that no response has confirmed."""
    _unreported: float = 0.0
    """Units of requests since the last update whose responses did not mention this policy."""
    _unreported_is_free: bool = False
    """Whether the server does not count requests whose responses do not mention this policy."""

    # ---- updates -----------------------------------------------------------------------------------------------------

    def observe(
        self,
        observation: Observation,
        *,
        sent: float,
        received: float,
        cost: float = 1.0,
        inflight: float = 0.0,
        refused: bool = False,
    ) -> bool:
        """Update the quota by one response. Return whether its limit or window changed.

        Parameters:
            observation: what the response states.
            sent: when the request was sent, in seconds since the epoch.
            received: when the response was received, in seconds since the epoch.
            cost: units of the request.
            inflight: units still in flight.
            refused: whether the response is a refusal.
        """
        before = self.limit, self.window.length
        reset = self.window.declare(observation.window, observation.reset)
        if observation.limit is not None:
            self.limit, self.limit_declared = observation.limit, True
        if observation.rate is not None and observation.rate > 0:
            self.replenishment.rate = observation.rate
        changed = self.window_count > 0 and before != (self.limit, self.window.length)
        stated = observation.remaining
        if stated is None and reset is None:
            self._count(sent, received, cost)
            return changed
        self.is_counted = False
        remaining = stated if stated is not None else self._estimate_remaining(reset, cost)
        if remaining is None:
            return changed
        if not self.limit_declared:
            self.limit = max(self.limit or 0.0, remaining if refused else remaining + cost)
        sample = QuotaSample(
            remaining=remaining,
            reset=reset,
            sent=sent,
            received=received,
            cost=cost,
            inflight=inflight,
            causal=sent >= self.updated_at,
            refused=refused,
            disrupted=refused or changed,
        )
        if self.remaining is None:
            self._open_window(sample)
        elif self._is_stale(sample):
            self._log_sample(sample, used=False)
            self.usage.spend(cost)
            return changed
        else:
            self._check_prediction(sample)
            if self._begins_window(sample):
                self._detect_late_reset(sample)
                self._learn_replenishment(sample)
                self._open_window(sample)
            else:
                self._update_window(sample)
        self._log_sample(sample, used=True)
        if sample.causal:
            self._last_sent = sent
        self.usage.record_round_trip(received - sent)
        self.updated_at = max(self.updated_at, received)
        return changed

    def record_unreported(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Count a request whose response does not mention this policy (rule 8). Return whether the policy can be kept.

        Parameters:
            sent: when the request was sent, in seconds since the epoch.
            received: when the response was received, in seconds since the epoch.
            cost: units of the request.
        """
        if self.remaining is None:
            if self.is_counted:
                self._log_request(sent, received, cost)
            return True
        if sent >= self.probe_at():
            if self.limit is None or self.window.length is None:
                return False
            self.start_counted_window(self.limit - cost, sent, received)
        elif not self._unreported_is_free:
            self._spend(cost)
            self._unreported += cost
        self._log_request(sent, received, cost)
        return True

    def start_counted_window(self, remaining: float, sent: float, received: float, margin: float = 0.0) -> None:
        """Begin a window that no response states, with its first request.

        Parameters:
            remaining: units left.
            sent: when the request was sent, in seconds since the epoch.
            received: when the response was received, in seconds since the epoch.
            margin: seconds to add to the window's end.
        """
        length = self.window.length or 0.0
        self.window.reset_stated = True
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
        self.usage.spend(cost)

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
        """Return when enough units are available, in seconds since the epoch; infinite: after a response arrives.

        Parameters:
            now: seconds since the epoch.
            cost: units of the next request's grant.
            inflight: units in flight.
            in_flight_since: whether a request that started at a given time or later is in flight.
        """
        need = self.usage.expected_cost(cost)
        if self.is_counted:
            return self._log_ready_at(need, inflight) if self._is_log_usable(now) else -math.inf
        available = self.available(now, inflight)
        if available >= need:
            return -math.inf
        probe_at = self.probe_at()
        log_usable = self._is_log_usable(now)
        log_ready_at = self._log_ready_at(need, inflight) if log_usable else math.inf  # rule 10
        if not self.window.log_confirmed:
            probe_at, log_ready_at = min(probe_at, log_ready_at), math.inf
        if now >= probe_at and in_flight_since(probe_at):  # rule 4
            probe_at = math.inf
        if log_usable:
            return min(probe_at, log_ready_at)
        if self.limit is not None and need + inflight > self.limit:
            return probe_at  # so many units never return one by one
        restored_at = self.replenishment.restored_at(
            need - available, updated_at=self.updated_at, reset=self.reset.latest, interval=self.interval
        )
        return min(probe_at, restored_at)

    def start_at(self, last: float, *, cost: float, inflight: float, backlog: float, mode: Mode) -> float:
        """Return when the next request starts if the remaining units are spread over the window, in epoch seconds.

        Parameters:
            last: when the last request started, in seconds since the epoch.
            cost: units of the next request's grant.
            inflight: units in flight.
            backlog: units of the waiting requests.
            mode: how the quota is spent.
        """
        if self.is_counted or mode == "burst" or self.remaining is None:
            return self._even_start_at(last, cost) if self.is_counted else -math.inf
        need, interval, share = self.usage.expected_cost(cost), self.interval, self._share(inflight)
        if mode == "auto" and (backlog * need <= share * cost or self._may_be_sliding(last)):
            return -math.inf
        continuous = self.replenishment.kind == "continuous"
        if interval is not None and (continuous or not self.window.reset_stated):
            plenty = continuous and share >= PLENTY_SHARE * (self.limit or math.inf)
            return -math.inf if plenty else last + STEADY_FACTOR * interval * need
        if share < need:
            return self._peek_at(last)
        if not self.reset.is_known() or not self.window.reset_stated or share + need <= 0.0:
            return -math.inf
        until = self.reset.earliest
        if mode == "auto" and self.replenishment.kind == "unknown" and not self.rate_of_others:
            until = self._window_start + UNKNOWN_SPREAD_SHARE * (until - self._window_start)
        return last + SPREAD_SHARE * max(0.0, until - last) * need / (share + need)

    def _even_start_at(self, last: float, cost: float) -> float:
        """Return when the next request starts at an even rate; at once if the request log decides (rule 12)."""
        if self.interval is None or self._is_log_usable(last):
            return -math.inf
        return last + STEADY_FACTOR * self.interval * self.usage.expected_cost(cost)

    def available(self, now: float, inflight: float) -> float:
        """Return the units that are certainly left (rules 3 and 6); 0 if that is unknown.

        Parameters:
            now: seconds since the epoch.
            inflight: units in flight.
        """
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
        if self._empty_responses > 1 and self.replenishment.kind != "continuous":  # served although nothing was left
            wait = doubled(self._empty_responses - 2, base=ROUNDING / 4, cap=MAX_EMPTY_WAIT)
            at = max(at, self.updated_at + wait)
        if self.window.length == DAY and not self.window.reset_stated:
            at = min(at, next_midnight(self.updated_at))
        if self.window.reset_stated:
            at += self.replenishment.probe_delay(self.interval, self.window.length)
        return at

    def is_declared(self) -> bool:
        """Return whether responses state it."""
        return True

    @property
    def interval(self) -> float | None:
        """Average seconds in which one unit is restored. `None` means unknown."""
        if self.replenishment.rate:
            return 1.0 / self.replenishment.rate
        return self.window.length / self.limit if self.window.length and self.limit else None

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
            and self.usage.counts_requests
            and not self.rate_of_others
            and self.log.is_complete(now, window.length)
        )

    def _log_ready_at(self, need: float, inflight: float) -> float:
        limit = self.limit or 0.0
        need = min(need, limit)  # a request that costs more than the limit waits for a window that is unused
        return self.log.ready_at(limit - inflight - need, self.window.length or 0.0)

    def _may_be_sliding(self, last: float) -> bool:
        """Return whether each unit may return one window after its use, so that spreading gains nothing."""
        if self.window.reset_stated and (self.replenishment.kind == "unknown" or self.replenishment.all_at_once):
            return False
        return self._is_log_usable(last)

    # ---- the rules ---------------------------------------------------------------------------------------------------

    def _estimate_remaining(self, reset: TimeInterval | None, cost: float) -> float | None:
        """Return the remaining units of a response that does not state them, or `None` if they are unknown."""
        restored = self.remaining is None or (reset is not None and reset.earliest >= self.reset.latest)
        remaining = self.limit if restored else self.remaining
        return None if remaining is None else max(0.0, remaining - cost)

    def _count(self, sent: float, received: float, cost: float) -> None:
        """Apply rule 12 to a response that states neither what is left nor when more returns."""
        if self.remaining is not None:
            self.record_unreported(sent=sent, received=received, cost=cost)
        elif self.limit is not None and self.window.length is not None:
            self.is_counted = True
            self._log_request(sent, received, cost)
            self.usage.record_round_trip(received - sent)
            self.updated_at = max(self.updated_at, received)

    def _is_stale(self, sample: QuotaSample) -> bool:
        """Return whether a response describes an earlier window."""
        slack = min(ROUNDING, (self.window.length or math.inf) / 4)
        return sample.reset is not None and not sample.causal and sample.reset.latest + slack <= self.reset.earliest

    def _begins_window(self, sample: QuotaSample) -> bool:
        """Apply rule 2. A response that was overtaken counts only if its reset is far off: those of units overlap."""
        if sample.reset is not None and sample.reset.earliest >= self.reset.latest < sample.reset.latest:
            return sample.causal or sample.reset.earliest >= self.reset.latest + (self.window.length or 4.0) / 2
        if sample.reset is None and sample.causal and sample.remaining >= (self.limit or math.inf) - sample.cost:
            return True  # nothing but this request was counted
        return sample.causal and sample.remaining > (self.remaining or 0.0) + self._unconfirmed

    def _check_prediction(self, sample: QuotaSample) -> None:
        """Apply rules 4 and 5 if a unit returned before the predicted time, or did not return in time."""
        if (self.remaining or 0.0) >= sample.cost or not sample.causal:
            return
        log_usable = self._is_log_usable(sample.sent)
        log_ready_at = self._log_ready_at(sample.cost, 0.0) if log_usable else math.inf
        early = sample.sent < min(self.probe_at(), log_ready_at)
        if self.replenishment.kind == "continuous":
            if early and sample.refused:
                self.replenishment.before_reset = False
            elif early and not sample.disrupted and not log_usable:
                self.replenishment.record_early_unit()
        elif sample.refused and not early:
            self._explain_refused_probe(sample)

    def _explain_refused_probe(self, sample: QuotaSample) -> None:
        """Learn from a refused probe: the stated reset was rounded down, or units return continuously."""
        window = self.window
        if not (window.declared or window.reset_stated):  # the length was a guess, and wrong
            window.forget_length()
            self.reset = TimeInterval()
        elif window.correction < 0:
            self._shift_resets(sample, window.revert_shortening())
        elif window.correction or (
            sample.reset is not None and sample.reset.earliest >= self.reset.latest + ROUNDING / 2
        ):
            self.replenishment.vote_continuous(2)
        else:
            window.correction = ROUNDING
            self._shift_resets(sample, ROUNDING)

    def _shift_resets(self, sample: QuotaSample, seconds: float) -> None:
        for reset in (self.reset, sample.reset):
            if reset is not None:
                reset.shift(seconds)

    def _is_first(self, sample: QuotaSample) -> bool:
        """Return whether only the request itself and those in flight used units of this window."""
        return self.limit is not None and sample.remaining >= self.limit - sample.cost - sample.inflight

    def _detect_late_reset(self, sample: QuotaSample) -> None:
        """Apply rule 11 if everything was restored before the stated reset."""
        early = sample.received < self.reset.earliest and sample.causal and not sample.disrupted
        if early and self._first_request is not None and not self.window.declared and self._is_first(sample):
            (sent, received), correction = self._first_request, self.window.correction
            low, high = self._last_sent - received, sample.received - sent
            self.window.shorten(low, high, opened=received, end=self.reset.latest)
            if sample.reset is not None:
                sample.reset.shift(self.window.correction - correction)

    def _learn_replenishment(self, sample: QuotaSample) -> None:
        limit = self.limit or 0.0
        self.replenishment.vote(
            sample,
            before=self.remaining or 0.0,
            updated_at=self.updated_at,
            reset=self.reset,
            limit=limit,
            interval=self.interval,
        )
        if not self.window.declared:
            self.replenishment.measure_rate(sample, limit)

    def _open_window(self, sample: QuotaSample) -> None:
        """Begin the first or a new window with a response."""
        reset = sample.reset or self._guess_reset(sample)
        first = self._is_first(sample)
        self._first_request = (sample.sent, sample.received) if first else None
        if sample.reset is not None:
            self.window.begin(reset, last=self.reset, sent=sample.sent, received=sample.received, first=first)
        self._start_window(sample.remaining, reset, sample.received)

    def _guess_reset(self, sample: QuotaSample) -> TimeInterval:
        """Return the end of a window whose reset is not stated."""
        is_full = 2.0 * sample.remaining >= (self.limit or 0.0) and not sample.refused
        if is_full and self.remaining is not None and self.remaining < sample.cost:
            self.window.learn_from_probes(self._last_sent - self._window_start, sample.received - self._window_start)
        length = self.window.length
        if length is None:
            return TimeInterval()
        rose = self.remaining is not None and sample.remaining > self.remaining
        return TimeInterval(self.updated_at + length if rose else sample.sent, sample.received + length)

    def _start_window(self, remaining: float, reset: TimeInterval, received: float) -> None:
        self.window.end(self.reset)
        self.window_count += 1
        self.reset, self.remaining, self._window_start = reset, remaining, received
        self._empty_responses, self._unconfirmed, self._unreported = 0, 0.0, 0.0
        self.usage.start_window(remaining, received, None if self.limit is None else self.limit - remaining)

    def _log_sample(self, sample: QuotaSample, *, used: bool) -> None:
        """Compare a response with our own log and add its request (rule 10).

        Parameters:
            sample: the response.
            used: whether the response updated the quota.
        """
        limit, length = self.limit, self.window.length
        if sample.disrupted:
            wrong = sample.refused and sample.remaining < sample.cost and self._is_log_usable(sample.sent)
            self.log.distrust_until(math.inf if wrong else sample.received)
        elif used and sample.causal and limit is not None and length is not None:
            certain, possible = self.log.count(sample.sent, sample.received, length)
            spent = limit - sample.cost - sample.remaining
            if spent > possible + sample.inflight:
                self.log.distrust_until(sample.received)
            elif spent < certain and self.replenishment.kind == "continuous":
                self.log.distrust_until(math.inf)  # not a sliding log: a bucket or a sliding counter
            elif spent < certain:
                self.replenishment.all_at_once = True
            elif 0 < possible < len(self.log):
                self.window.log_confirmed = True
        self._log_request(sample.sent, sample.received, sample.cost)

    def _log_request(self, sent: float, received: float, cost: float) -> None:
        self.log.add(sent, received, self.limit)
        if cost != 1.0:
            self.log.distrust_until(math.inf)

    def _update_window(self, sample: QuotaSample) -> None:
        """Update the present window by another response."""
        before = self.remaining or 0.0
        if sample.reset is not None:
            if sample.causal and self.replenishment.kind == "continuous":
                self.reset = sample.reset  # each unit has its own
            else:
                self.reset.narrow(sample.reset)
        if sample.causal:  # rule 1
            self.remaining = sample.remaining
            self._unreported_is_free |= self._unreported > 0 and sample.remaining > before - sample.cost
            self._empty_responses += sample.remaining < sample.cost
            self._unconfirmed = self._unreported = 0.0
        else:
            self.remaining = min(before, sample.remaining)
        if sample.disrupted:
            self.usage.start_window(sample.remaining, sample.received, None)
        else:
            self.usage.update(sample.remaining, sample.received, sample.cost, sample.inflight)

    def report(self) -> dict[str, Any]:
        """Return what is known of the quota as JSON values: the entry of this policy in the crawl's report."""
        known = {
            "unit": None if self.unit == "requests" else self.unit,
            "limit": self.limit,
            "remaining": self.remaining,
            "window": self.window.length,
            "rate": self.replenishment.rate,
            "reset_at": self.reset.latest if self.reset.latest < math.inf else None,
            "kind": self.replenishment.kind,
            "others": round(self.usage.others, 4) or None,
            "pad": self.window.correction or None,
        }
        return {name: value for name, value in known.items() if value is not None}
