"""`LimitDetector`: finds the limit behind refusals that do not state it, and gives up one that proves wrong.

A window is found by a search, whose probes show when units return (`LimitSearch`); a leaky bucket by the units served
between refusals (`detect_leaky_bucket`); a rate by likelihood (`RateFit`). A refusal that the known limit does not
explain may be chance, and is doubted first.
"""

from __future__ import annotations

from typing import Final

import attrs

from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import AttemptReport, Declared
from crawler.limits.headers.refusal_status import AMBIGUOUS_STATUSES
from crawler.limits.in_flight import Flight, Grant
from crawler.limits.learning.forecast import quota_event
from crawler.limits.learning.interval_quota import VARIES, IntervalQuota
from crawler.limits.learning.leaky_bucket import UNITS_PER_REFUSAL, LeakyBucketQuota, detect_leaky_bucket
from crawler.limits.learning.limit_search import LimitSearch
from crawler.limits.learning.quota_set import QuotaSet
from crawler.limits.learning.rate_fit import CLEAR_PROOF, PROOF, RateFit
from crawler.limits.learning.refusals import Refusals
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.quota import Quota

__all__ = ["LimitDetector"]

MIN_RUN: Final = 3.0
"""Units in a row that show that a rate is served."""
MIN_RATE_SHARE: Final = 0.5
"""Share of a rate that was served below which refusals have another reason."""
MAX_UNEXPECTED: Final = 3
"""Unexpected refusals that a leaky bucket explains. Each of them has lowered its rate to less than was served."""
MAX_WRONG_GUESSES: Final = 4
"""Guesses about an undeclared limit that may prove wrong. After that no limit of ours explains the refusals: other
clients use the same quota, or the server sheds load at random. Stated waits are still kept, and the average rate
that was served is tried once."""


@attrs.define(eq=False, repr=False, kw_only=True)
class LimitDetector:
    """What the results of one server show of the limits that it does not state."""

    quotas: QuotaSet
    flight: Flight
    since: float
    served: float
    is_urgent: bool = attrs.field(default=False, init=False)
    """Whether the server gets no more refused requests, so that each further one costs a long wait."""
    rates: RateFit = attrs.field(factory=RateFit, init=False)
    """The latest requests since the first refusal."""
    _wrong_guesses: int = attrs.field(default=0, init=False)
    _begin: float = attrs.field(default=attrs.Factory(lambda self: self.since, takes_self=True), init=False)
    _total: float = attrs.field(default=attrs.Factory(lambda self: self.served, takes_self=True), init=False)
    """Units served since `_begin`."""
    _run: float = attrs.field(default=0.0, init=False)
    """Units served since the last refusal, at a rate that is no longer searched for."""
    _served_rate: float = attrs.field(default=0.0, init=False)
    """Highest learned rate at which `MIN_RUN` units were served in a row, in units per second."""

    def begin_run(self, now: float) -> None:
        """Begin to count, with the first request of a run that knows limits of an earlier one."""
        self.since = self._begin = now

    # ---- served requests ---------------------------------------------------------------------------------------------

    def record_served(self, refusals: Refusals | None, grant: Grant, report: AttemptReport) -> None:
        """Count a request that was served, and compare it with those that were refused, if any was."""
        cost = grant.cost
        if refusals is not None:
            load = min(grant.load, len(self.flight) + 1)  # as few as may have been in flight when the server decided
            self.rates.record(report.sent, report.received, served=True, load=load)
            if refusals.bursts:
                self._learn_first_windows()
        self.served += cost * (report.status not in AMBIGUOUS_STATUSES)
        self._total += cost
        bucket = self.quotas.leaky_bucket()
        if bucket is not None:
            self._run += cost
            if self._run >= MIN_RUN:
                self._served_rate = max(self._served_rate, bucket.trusted_rate())

    def record_unreported(self, cost: float, report: AttemptReport) -> list[QuotaEvent]:
        """Count a request that was served for the quotas that its response does not mention. Return the events."""
        known = self.quotas.undeclared()
        events = self.quotas.record_unreported(report, cost=cost)
        self._wrong_guesses += self.quotas.undeclared() is not known
        if known is not None and known.is_continuous:
            events.append(self._keep_rate_of(known, report.sent))
        return events

    def end_wait(self, refusals: Refusals, grant: Grant, report: AttemptReport) -> list[QuotaEvent]:
        """Record a success, which may end the wait after a refusal and reveal an undeclared limit."""
        searching = refusals.search is not None
        last_received = refusals.last_received
        ended, found = refusals.record_success(grant.at, report.sent, report.received, grant.cost)
        if not ended:
            return []
        self._prove_bucket(grant.at - last_received)
        if ended == "concurrency":
            if self.quotas.has_leaky_bucket() or self._prove_rate(refusals, report.sent):
                return [QuotaEvent(kind="recovered", policy="")]
            self._forget_weak_window()
            return [QuotaEvent(kind="concurrency", policy=""), QuotaEvent(kind="recovered", policy="")]
        if searching:
            self.since, self.served = report.sent, grant.cost
        if self._falls_back_to_rate(refusals):
            found = LeakyBucketQuota.fitted("undeclared", 1.0 / self._average_interval(report.sent), report.sent)
            self.quotas.add(found)
            return [QuotaEvent(kind="recovered", policy=""), quota_event("policy_changed", found)]
        if found is None or self._wrong_guesses >= MAX_WRONG_GUESSES:
            return [QuotaEvent(kind="recovered", policy="")]
        if found.believed_length > 2.0 * (found.limit or 0.0) * self._average_interval(report.sent):
            found.too_short = 0.0  # twice as much was served before, so the window may be shorter
        if found.may_be_rate():
            rate, is_weak = (found.limit or 1.0) / found.believed_length, found.is_weak
            found = self._interval_quota(found.name, rate, report, is_weak=is_weak)
        self.quotas.add(found)
        return [QuotaEvent(kind="recovered", policy=""), quota_event("policy_changed", found)]

    def assume_interval(self, seconds: float, report: AttemptReport) -> None:
        """Suppose that a rate without a burst is behind the refusals."""
        self.quotas.add(self._interval_quota("undeclared", 1.0 / seconds, report))

    # ---- refused requests --------------------------------------------------------------------------------------------

    def start_comparison(self, now: float) -> None:
        """Compare requests from now on: the first one was refused, and sent at `now` (seconds since the epoch)."""
        self.rates.assume(self.served, self.since, now)

    def record_refused(self, grant: Grant, report: AttemptReport) -> None:
        """Compare a request that was refused with the others, unless the refusal states a wait."""
        if report.declared.retry_after is None:
            load = max(grant.load, len(self.flight) + 1)
            self.rates.record(report.sent, report.received, served=False, load=load)

    def detect_leaky_bucket(self, refusals: Refusals, now: float, *, first: bool) -> None:
        """Compare the units served until the last burst of refusals with those served since."""
        if self.quotas.has_leaky_bucket() or self._wrong_guesses >= MAX_WRONG_GUESSES:
            return
        known = self.quotas.undeclared()
        if known is not None and known.may_be_trial(len(self.flight)):
            return  # what is still being served may have used up the window
        found = first and detect_leaky_bucket(
            "undeclared",
            before=refusals.served_before,
            refused=refusals.bucket_full_at,
            served=refusals.served_since,
            refused_again=now,
        )
        if not found:
            refusals.compare_from(now, self.served)
            return
        if known is not None:
            found.assume_served(known.limit or 0.0, known.believed_length, now)
        self.quotas.clear()
        refusals.search = None
        found.is_proven = refusals.was_proven
        self.quotas.add(found)

    def is_doubtful(self, refusals: Refusals, report: AttemptReport, share: float, *, first: bool) -> bool:
        """Return whether a refusal that states nothing may have come at random."""
        if not self.flight.has_before(report.received) and self._prove_rate(refusals, report.sent):
            return False
        self.detect_leaky_bucket(refusals, (report.sent + report.received) / 2.0, first=first)
        doubtful = refusals.may_be_chance(share) or (refusals.in_row == 1 and self._is_unexpected(report.sent))
        bucket = self.quotas.leaky_bucket()
        if doubtful and bucket is not None:
            bucket.is_proven = False
        return doubtful

    def find_cause(self, cost: float, declared: Declared, sent: float) -> Quota | None:
        """Return the quota that caused a refusal, if it is known. A quota guessed wrong too often is removed."""
        cause = self.quotas.explain_refusal(cost, declared, sent)
        run, self._run = self._run, 0.0
        if isinstance(cause, LeakyBucketQuota):
            cause.is_proven = True  # a doubt is over
            if run < UNITS_PER_REFUSAL and cause.trusted_rate() < MIN_RATE_SHARE * self._served_rate:
                self.quotas.remove(cause)  # fewer requests bring no fewer refusals
                self._wrong_guesses, self._served_rate = self._wrong_guesses + 1, 0.0
                return None
        if isinstance(cause, UndeclaredQuota):
            self._wrong_guesses += cause.overestimated
            if self._wrong_guesses >= MAX_WRONG_GUESSES:
                self.quotas.remove(cause)
                return None
        return cause

    def start_search(self, received: float, *, certain: bool) -> LimitSearch:
        """Return a search for an unknown limit, or for the values of a known one that proved wrong."""
        undeclared = self.quotas.undeclared()
        if undeclared is None:
            name = "hidden" if self.quotas.by_name else "undeclared"
            return LimitSearch(name=name, since=self.since, served=self.served, started=received, certain=certain)
        self.quotas.remove(undeclared)
        self._wrong_guesses += 1
        since, served = undeclared.evidence()
        return LimitSearch(
            name=undeclared.name, since=since, served=served, started=received, certain=certain, limit_exists=True
        )

    # ---- limit or chance ---------------------------------------------------------------------------------------------

    def explains_chance(self, grant: Grant, report: AttemptReport) -> bool:
        """Return whether a limit explains the latest requests better than refusals at random do."""
        self.rates.record(report.sent, report.received, served=False, load=max(grant.load, len(self.flight)))
        return self.rates.odds_of_limit() > CLEAR_PROOF

    def proves_chance(self, grant: Grant, report: AttemptReport) -> bool:
        """Return whether refusals certainly come at random."""
        declared = report.declared
        if declared.retry_after is not None or declared.violated or declared.observations:
            return False
        undeclared = self.quotas.undeclared()
        if undeclared is not None and undeclared.is_shorter_tried():
            return False  # the window may be longer after all
        bucket = self.quotas.leaky_bucket()
        is_refuted = bucket is not None and bucket.unexpected >= MAX_UNEXPECTED
        if not (is_refuted or self.rates.are_random()):
            return False
        self.rates.record(report.sent, report.received, served=False, load=max(grant.load, len(self.flight)))
        return True

    def is_limit_proven(self, refusals: Refusals) -> bool:
        """Return whether a limit caused the refusals before the last success that ended a wait."""
        return refusals.was_proven or self.rates.odds_of_limit() > PROOF

    def forget(self) -> None:
        """Forget what refusals seemed to show."""
        self.rates = RateFit()
        while (quota := self.quotas.undeclared()) is not None:
            self.quotas.remove(quota)

    # ---- internals ---------------------------------------------------------------------------------------------------

    def _forget_weak_window(self) -> None:
        """Forget an uncertain window: it would have refused the request that was served alone, too."""
        undeclared = self.quotas.undeclared()
        if undeclared is not None and undeclared.is_weak:
            self.quotas.remove(undeclared)

    def _learn_first_windows(self) -> None:
        """Learn the length of windows that only refusals state: all that was served so far was served in the first."""
        for quota in self.quotas:
            if quota.is_declared() and quota.limit == self.served and quota.reset.is_known():
                quota.window.learn_from_first(quota.reset.earliest - self.since, quota.reset.latest - self.since)

    def _interval_quota(self, name: str, rate: float, report: AttemptReport, *, is_weak: bool = False) -> IntervalQuota:
        """Return a rate without a burst that a server has served up to a request; parameters as of `IntervalQuota`."""
        refused, took = self.rates.refused, self.rates.took
        arrived = report.sent + min(VARIES * took, (report.received - report.sent) / 2.0)
        return IntervalQuota.of(name, rate, arrived, refusals=refused, took=took, is_weak=is_weak)

    def _keep_rate_of(self, window: UndeclaredQuota, now: float) -> QuotaEvent:
        """Replace a window whose units return one by one by their rate; `now` in seconds since the epoch."""
        found = LeakyBucketQuota.fitted(window.name, window.steady_units() / window.believed_length, now)
        found.assume_uncertainty(window.rate_uncertainty)
        self.quotas.add(found)
        return quota_event("policy_changed", found)

    def _falls_back_to_rate(self, refusals: Refusals) -> bool:
        """Return whether to keep the average rate that was served, because every guess about a limit was wrong."""
        is_exhausted = self._wrong_guesses == MAX_WRONG_GUESSES and self.quotas.are_all_undeclared()
        return is_exhausted and refusals.was_proven and not self.rates.are_random()

    def _average_interval(self, now: float) -> float:
        """Return the seconds for each unit that was served so far, waits included."""
        return (now - self._begin) / max(1.0, self._total)

    def _prove_rate(self, refusals: Refusals, now: float) -> bool:
        """Return whether a rate is certainly behind the refusals that state nothing. A new one is added."""
        known = self.quotas.undeclared()
        if self._wrong_guesses >= MAX_WRONG_GUESSES or not self.quotas.are_all_undeclared():
            return False
        if self.quotas.has_leaky_bucket():
            return self.rates.is_proven()
        explained = known is not None and known.expects_refusal(now)
        if explained or refusals.served_since < 1 or not self.rates.is_proven(urgent=self.is_urgent):
            return False
        fit = self.rates.best()
        self.quotas.clear()
        if fit.has_no_burst():
            refused, took = self.rates.refused, self.rates.took
            found: LeakyBucketQuota = IntervalQuota.fitted("undeclared", fit.rate, now, refusals=refused, took=took)
        else:
            found = LeakyBucketQuota.fitted("undeclared", fit.rate, now)
            found.assume_uncertainty(fit.uncertainty)
            if known is not None:
                found.assume_served(known.limit or 0.0, known.believed_length, now)
        self.quotas.add(found)
        refusals.search = None
        return True

    def _prove_bucket(self, seconds: float) -> None:
        """Remove a new leaky bucket if a request so soon after a refusal was served."""
        bucket = self.quotas.leaky_bucket()
        if bucket is not None and not bucket.is_proven:
            if bucket.has_leaked(seconds) or bucket.used >= UNITS_PER_REFUSAL:
                bucket.is_proven = True
            else:
                self.quotas.remove(bucket)

    def _is_unexpected(self, sent: float) -> bool:
        """Return whether the undeclared limit that is known does not explain a single refusal."""
        known = self.quotas.undeclared()
        if known is None or known.is_shorter_tried() or known.expects_refusal(sent):
            return False
        return not known.may_slide(sent, len(self.flight))
