"""`DeclaredQuota`: a policy that responses state, and the rules by which they show how much of it is left.

These are the rules R1, R2, R5, R9 and R11 of ``docs/explanation/limit-rules.md``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import attrs

from crawler.limits.headers.declared import Observation, TimeRange
from crawler.limits.quotas.estimated_windows import MIN_STEPS, MIN_STEPS_SERVED, EstimatedWindows, length_between
from crawler.limits.quotas.quota import Quota
from crawler.limits.quotas.sample import QuotaSample
from crawler.limits.quotas.time_interval import ROUNDING, TimeInterval

if TYPE_CHECKING:
    from crawler.limits.quotas.shared_quotas import Flights

__all__ = ["DeclaredQuota"]

FIRST_ENDED: Final = 2
"""Windows so far when the first one has ended."""


@attrs.define(eq=False, repr=False, kw_only=True)
class DeclaredQuota(Quota):
    """A policy that responses state."""

    flights: Flights | None = None
    """The requests in flight of the lanes that share it. `None` means that it has no id, so that none can."""
    fitting: int = 0
    """Responses in a row that fit to the quota of the same id that other lanes share."""
    _first_request: TimeRange | None = None
    """When the first request of the window was sent and answered, if it was ours."""
    _last_sent: float = -math.inf
    """When the latest causal request was sent."""
    _seen_before: float = -math.inf
    """When the latest request of the window before was sent, which had not ended then."""
    _in_flight_then: float = 0.0
    """Units that were in flight when the window began, and may be missing in what was left then."""

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
        """Update the quota by one response. Return whether its limit or window changed."""
        known = self.limit, self.window.length
        reset = self.window.declare(observation.window, observation.reset)
        self.window.reset_stated |= observation.unusable_reset and not self.window.is_wrong()
        if observation.limit is not None:
            self.limit, self.limit_declared = observation.limit, True
        if observation.rate is not None and observation.rate > 0:
            self.replenishment.rate = observation.rate
        changed = self.window_count > 0 and known != (self.limit, self.window.length)
        self.estimated = self.estimated if known[1] == self.window.length else None
        stated = observation.remaining
        if stated is None and reset is None:
            self._count(sent, received, cost, refused=refused)
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
                self._begin_next_window(sample, self.reset, self.remaining)
            else:
                self._update_window(sample)
        self._log_sample(sample, used=True)
        self.usage.check_unit(0.0 if refused else (self.limit or 0.0) - remaining)
        if not self.window.declared:
            self.replenishment.check_interval(sample, self.limit or 0.0, self.interval)
            self._learn_length_when_empty(sample)
        if sample.causal:
            self._last_sent = sent
        self.usage.record_round_trip(received - sent)
        self.updated_at = max(self.updated_at, received)
        return changed

    def is_declared(self) -> bool:
        """Return `True`: responses state it."""
        return True

    # ---- the rules ---------------------------------------------------------------------------------------------------

    def _estimate_remaining(self, reset: TimeInterval | None, cost: float) -> float | None:
        """Return the remaining units of a response that does not state them, or `None` if they are unknown."""
        restored = self.remaining is None or (reset is not None and reset.earliest >= self.reset.latest)
        remaining = self.limit if restored else self.remaining
        return None if remaining is None else max(0.0, remaining - cost)

    def _count(self, sent: float, received: float, cost: float, *, refused: bool) -> None:
        """Apply rule 12 to a response that states neither what is left nor when more returns."""
        if self.remaining is not None:
            self.record_unreported(sent=sent, received=received, cost=cost)
        elif self.interval is not None:
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
        soon = ROUNDING / 2 if sample.refused else 0.0  # nothing has returned: the end was rounded down
        if sample.reset is not None and sample.reset.earliest >= self.reset.latest + soon < sample.reset.latest:
            return sample.causal or sample.reset.earliest >= self.reset.latest + (self.window.length or 4.0) / 2
        if self._is_served_again(sample):
            return True
        is_over = self.replenishment.kind == "fixed" and sample.sent >= self.reset.latest
        if is_over and sample.reset is None and self._is_longer(sample):
            return False
        is_full = sample.remaining >= (self.limit or math.inf) - sample.used  # nothing but this request was counted
        if sample.reset is None and sample.causal and (is_over or is_full):
            return True
        return sample.causal and sample.remaining > (self.remaining or 0.0) + self._unconfirmed

    def _is_longer(self, sample: QuotaSample) -> bool:
        """Return whether nothing returned when a guessed length had passed. Then the guess is forgotten."""
        before = self.remaining or 0.0
        if self.window.is_certain() or before < sample.cost or sample.remaining > before - sample.cost:
            return False
        self.window.forget_length(sample.sent - self._window_start)
        self.reset = TimeInterval()
        return True

    def _is_served_again(self, sample: QuotaSample) -> bool:
        """Return whether a request was served although nothing was left, when a window of whole seconds may have ended.

        Where windows are as short as the seconds in which resets are stated, the ends of two windows overlap.
        """
        nothing_left = sample.causal and not sample.refused and (self.remaining or 0.0) < sample.cost
        reset = sample.reset
        if reset is None:
            return nothing_left and self.reset.latest == math.inf
        return nothing_left and self.reset.earliest <= sample.received and (self.reset.latest < reset.latest)

    def _check_prediction(self, sample: QuotaSample) -> None:
        """Apply rules 4 and 5 if a unit returned before the predicted time, or did not return in time."""
        if (self.remaining or 0.0) >= sample.cost or not sample.causal:
            return
        log_usable = self._is_log_usable(sample.sent)
        log_ready_at = self._log_ready_at(sample.cost, 0.0) if log_usable else math.inf
        early = sample.sent < min(self.probe_at(), log_ready_at)
        if self.replenishment.kind == "continuous":
            self.replenishment.before_reset &= not (early and sample.refused)
        elif sample.refused and sample.sent >= self.probe_at():
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
        return self.limit is not None and sample.remaining >= self.limit - sample.used - sample.inflight

    def _detect_late_reset(self, sample: QuotaSample) -> None:
        """Apply rule 11 if everything was restored before the stated reset."""
        early = sample.received < self.reset.earliest and sample.causal and not sample.disrupted
        if early and self._first_request is not None and not self.window.declared and self._is_first(sample):
            (sent, received), correction = self._first_request, self.window.correction
            low, high = self._last_sent - received, sample.received - sent
            self.window.shorten(low, high, opened=received, end=self.reset.latest)
            if sample.reset is not None:
                sample.reset.shift(self.window.correction - correction)

    def _detect_estimate(self, sample: QuotaSample, last: TimeInterval, before: float) -> None:
        """Note that the server estimates a sliding window: hardly anything returned at the end of a fixed one.

        A sliding window of which each unit returns by itself states the end of the next unit, which comes soon.
        Parameters as of `_begin_next_window`.
        """
        limit, replenishment = self.limit or 0.0, self.replenishment
        is_shown = sample.refused or self.window.is_certain() or self.window_count == FIRST_ENDED
        few = not sample.refused and sample.remaining + sample.cost + sample.inflight < limit / 4.0
        is_gradual = replenishment.rate is None and (few or replenishment.kind == "continuous")
        if self.estimated is not None or not (is_shown and is_gradual and 2.0 * sample.remaining < limit):
            return
        steps = MIN_STEPS if sample.refused or self.window.declared else MIN_STEPS_SERVED
        length = length_between(last, self.reset, sent=sample.sent, assumed=self.window.length, steps=steps)
        if length is None and sample.refused and not self.window.is_certain():  # it may be no common one
            length = length_between(last, self.reset, sent=sample.sent, assumed=None)
        if length is not None:
            end = TimeInterval(self.reset.earliest, self.reset.latest)
            self.estimated = EstimatedWindows(end, length, max(0.0, limit - before))

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

    def _learn_length_when_empty(self, sample: QuotaSample) -> None:
        """Learn the length of a window that is used up from the stated reset and the first request that counts."""
        first = self.log.latest(self.limit or 0.0)
        if sample.reset is not None and first is not None and sample.remaining < sample.cost and not sample.inflight:
            self.window.learn_from_empty(sample.reset, *first)

    def _learn_length_from_probes(self, sample: QuotaSample, before: float) -> None:
        """Learn the length of a window that is full again, or of which half has returned, or more than at a rate.

        No unit had returned before the previous response, so that a rate is known to be low.
        """
        if self.window.log_confirmed:
            return
        began, after = self._window_start if self._first_request is None else self._first_request[0], self._last_sent
        at_rate = (sample.received - began) / max(after - self._window_start, ROUNDING / 10)
        returned, empty = sample.remaining + sample.cost - before, before < sample.cost
        if 2.0 * returned >= (self.limit or 0.0) or returned > 2.0 + at_rate or self._is_first(sample):
            since = self._seen_before if self._is_first(sample) else None
            self.window.learn_from_probes((began, self._window_start), after, sample.received, since=since, empty=empty)

    def _begin_next_window(self, sample: QuotaSample, last: TimeInterval, before: float) -> None:
        """Begin a window after another one, and learn from the two."""
        if self._window_start > last.latest:  # it was counted, and only its end was not known
            if sample.reset is not None:
                self.window.begin(
                    sample.reset, last=last, sent=self._window_start, received=sample.received, first=False
                )
                self.reset = sample.reset
            self._unreported = 0.0
            self._update_window(sample)
            return
        self._detect_late_reset(sample)
        if sample.reset is not None and sample.causal and not sample.disrupted and self._is_first(sample):
            self.window.judge_end(self._window_start, last, sample.received)
            if self.window.is_wrong():
                self.window.reset_stated, sample = False, attrs.evolve(sample, reset=None)
        self._learn_replenishment(sample)
        self._open_window(sample)
        if sample.reset is not None:
            self._detect_estimate(sample, last, before)

    def _open_window(self, sample: QuotaSample) -> None:
        """Begin the first or a new window with a response."""
        reset = sample.reset or self._guess_reset(sample)
        self._seen_before = self._last_sent
        first = self._is_first(sample)
        self._first_request = (sample.sent, sample.received) if first else None
        self._in_flight_then = sample.inflight
        if sample.reset is not None:
            self.window.begin(reset, last=self.reset, sent=sample.sent, received=sample.received, first=first)
        self._start_window(sample.remaining, reset, sample.received)

    def _guess_reset(self, sample: QuotaSample) -> TimeInterval:
        """Return the end of a window whose reset is not stated."""
        if self.remaining is not None and not (sample.refused or self.window.reset_stated):
            self._learn_length_from_probes(sample, self.remaining)
        length = self.window.length
        if length is None:
            return TimeInterval()
        return TimeInterval(sample.sent, sample.received + length)  # it may be stated later, and be earlier

    def _log_sample(self, sample: QuotaSample, *, used: bool) -> None:
        """Compare a response with our own log and add its request (rule 10)."""
        if used and self.estimated is not None:
            self.estimated.record(sample, self.limit or 0.0)
        if sample.refused:
            self._explain_refused_sample(sample)
        elif used and sample.causal and self.limit is not None and self.window.length is not None:
            certain, possible = self.log.count(sample.sent, sample.received, self.window.length)
            spent = self.limit - sample.cost - sample.remaining
            if spent > possible + sample.inflight or (spent < certain and sample.disrupted):
                self.log.distrust_until(sample.received)
            elif spent < certain and self.replenishment.kind == "continuous":
                self.log.distrust_until(math.inf)  # not a sliding log: a bucket or a sliding counter
            elif spent < certain:
                self.replenishment.all_at_once = True
            elif 0 < certain <= possible < len(self.log):
                self.window.log_confirmed = True
        elif sample.disrupted:
            self.log.distrust_until(sample.received)
        self._log_request(sample.sent, sample.received, sample.cost, refused=sample.refused)

    def _explain_refused_sample(self, sample: QuotaSample) -> None:
        """Find out what of the log was wrong, if it allowed a request that was refused."""
        wrong = sample.remaining < sample.cost and self._is_log_usable(sample.sent)
        length = self.window.length or 0.0
        if not wrong or not self.log.explain_refusal(sample.sent, sample.received, length):
            self.log.distrust_until(math.inf if wrong and sample.causal else sample.received)

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
            if sample.refused:
                self.window.judge_refusal(self._window_start, sample.sent)
            self._unconfirmed = self._unreported = 0.0
        else:
            self.remaining = min(before, sample.remaining)
        if sample.disrupted:
            self.usage.start_window(sample.remaining, sample.received, None)
        else:
            self.usage.update(
                sample.remaining,
                sample.received,
                sample.cost,
                sample.inflight,
                causal=sample.causal,
                rate=self.replenishment.rate or 0.0,
            )
            if self.usage.counts_requests and self.remaining < sample.cost and self.replenishment.kind == "unknown":
                returned, seconds = self.usage.returned(self.remaining, sample.received)
                self.replenishment.record_returned(returned - self._in_flight_then, seconds, self.interval)
