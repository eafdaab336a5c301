"""`LimitLearner`: what is known of a server's limits, from what it declares and from its refusals.

Most servers declare no limit and refuse nothing. Their throttles have no learner, and this package is not imported.
"""

from __future__ import annotations

import math
import random
from typing import Any, Final

import attrs

from crawler.limits.backoff import stated_jitter
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import AttemptReport, Declared
from crawler.limits.headers.refusal_status import AMBIGUOUS_STATUSES
from crawler.limits.in_flight import Flight, Grant
from crawler.limits.json_numbers import json_number
from crawler.limits.learning.forecast import quota_event
from crawler.limits.learning.interval_quota import VARIES, IntervalQuota
from crawler.limits.learning.leaky_bucket import UNITS_PER_REFUSAL, LeakyBucketQuota, detect_leaky_bucket
from crawler.limits.learning.limit_search import LimitSearch
from crawler.limits.learning.quota_set import QuotaSet
from crawler.limits.learning.rate_fit import CLEAR_PROOF, PROOF, RateFit
from crawler.limits.learning.refusals import Refusals
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.declared_quota import DeclaredQuota
from crawler.limits.quotas.quota import Mode, Quota
from crawler.limits.quotas.shared_quotas import Flights

__all__ = ["LimitLearner"]

TOO_MANY_REQUESTS: Final = 429
LOOKS: Final = 4.0
"""How often a lane looks, in a round trip, whether the request in flight of another one has changed their quota."""
MIN_LOOK: Final = 0.001
"""Seconds, at least, between two looks."""
MAX_UNEXPLAINED: Final = 2
"""Searches without a result after which a single refusal is doubted."""
MAX_EXPECTED: Final = 2
"""Refusals in a row that a window which is used up explains: after the first one it holds requests back."""
MIN_RUN: Final = 3.0
"""Units in a row that show that a rate is served."""
MIN_RATE_SHARE: Final = 0.5
"""Share of a rate that was served below which refusals have another reason."""
MAX_WRONG_GUESSES: Final = 4
"""Guesses about an undeclared limit that may prove wrong. After that no limit of ours explains the refusals: other
clients use the same quota, or the server sheds load at random. Stated waits are still kept, and the average rate
that was served is tried once."""


@attrs.define(eq=False, repr=False, kw_only=True)
class LimitLearner:
    """The known limits of one lane or budget.

    Parameters:
        flight: the requests in flight.
        rng: source of jitter.
        since: when the first request was sent, in seconds since the epoch.
        served: units served since then.
        named: the quotas of all lanes that are named by an id.
    """

    flight: Flight
    rng: random.Random
    since: float
    served: float
    named: dict[str, DeclaredQuota] = attrs.field(factory=dict)
    quotas: QuotaSet = attrs.field(
        default=attrs.Factory(lambda self: QuotaSet(self.flight, self.named), takes_self=True), init=False
    )
    refusals: Refusals | None = attrs.field(default=None, init=False)
    is_urgent: bool = attrs.field(default=False, init=False)
    """Whether the server gets no more refused requests, so that each further one costs a long wait."""
    backlog: float = attrs.field(default=math.inf, init=False)
    """Units of the waiting requests when `quota_at` was last called."""
    rates: RateFit = attrs.field(factory=RateFit, init=False)
    """The latest requests since the first refusal."""
    _wrong_guesses: int = attrs.field(default=0, init=False)
    _begin: float = attrs.field(default=attrs.Factory(lambda self: self.since, takes_self=True), init=False)
    _total: float = attrs.field(default=attrs.Factory(lambda self: self.served, takes_self=True), init=False)
    """Units served since `_begin`."""
    _longest: float = attrs.field(default=0.0, init=False)
    """`learned_window` when it was last asked for."""
    _run: float = attrs.field(default=0.0, init=False)
    """Units served since the last refusal, at a rate that is no longer searched for."""
    _served_rate: float = attrs.field(default=0.0, init=False)
    """Highest learned rate at which `MIN_RUN` units were served in a row, in units per second."""
    _unexplained: int = attrs.field(default=0, init=False)
    """Searches since the last limit was found that found none although the server had refused a request."""

    # ---- when the next request may start -----------------------------------------------------------------------------

    def gate_at(self, now: float) -> float:
        """Return when the wait after a refusal ends, in seconds since the epoch; infinite: after a response arrives.

        Parameters:
            now: seconds since the epoch.
        """
        refusals = self.refusals
        if refusals is None:
            return -math.inf
        if len(self.flight) >= refusals.max_in_flight():
            return math.inf
        place_at = refusals.place_at(len(self.flight))
        if now < place_at:
            return place_at
        if refusals.probing and now >= refusals.gate:
            probe = self.flight.first_since(refusals.gate)
            if probe < math.inf:
                return refusals.assume_served_at(probe)
        return refusals.gate

    def quota_at(self, now: float, last: float, *, cost: float, backlog: float, mode: Mode) -> tuple[float, str]:
        """Return when every quota allows the next request, in seconds since the epoch, and what it waits for.

        Parameters:
            now: seconds since the epoch.
            last: when the last request started, in seconds since the epoch.
            cost: units of the next request.
            backlog: units of the waiting requests, including the next one.
            mode: how quotas are spent.

        Returns:
            The time, and ``quota``, ``pace`` or nothing.
        """
        self.backlog = backlog
        at, reason, flight = -math.inf, "", self.flight
        tests_limit = self.refusals is not None and self.refusals.suspects_concurrency
        for quota in self.quotas:
            if tests_limit and isinstance(quota, UndeclaredQuota):
                continue  # the request alone is to show whether there is such a limit
            flights: Flight | Flights = flight
            before = last
            if isinstance(quota, DeclaredQuota) and quota.flights is not None:
                flights, before = quota.flights, quota.flights.last
            inflight = quota.usage.units_in_flight(len(flights), flights.units)
            ready_at = quota.ready_at(now, cost=cost, inflight=inflight, in_flight_since=flights.has_since)
            if ready_at == math.inf and not flight:
                ready_at = now + max(MIN_LOOK, quota.usage.round_trip / LOOKS)  # no response of this lane will tell
            if ready_at > at:
                at, reason = ready_at, "quota"
            start_at = quota.start_at(before, cost=cost, inflight=inflight, backlog=backlog, mode=mode)
            if start_at > at:
                at, reason = start_at, "pace"
        return at, reason

    # ---- results -----------------------------------------------------------------------------------------------------

    def record_success(self, grant: Grant, report: AttemptReport) -> list[QuotaEvent]:
        """Learn from a request that was served. Return the events that it causes."""
        quotas, cost, flight = self.quotas, grant.cost, self.flight
        if self.refusals is not None:
            load = min(grant.load, len(flight) + 1)  # as few as may have been in flight when the server decided
            self.rates.record(report.sent, report.received, served=True, load=load)
            if self.refusals.bursts:
                self._learn_first_windows()
        self.served += cost * (report.status not in AMBIGUOUS_STATUSES)
        self._total += cost
        bucket = quotas.leaky_bucket()
        if bucket is not None:
            self._run += cost
            if self._run >= MIN_RUN:
                self._served_rate = max(self._served_rate, bucket.trusted_rate())
        events = quotas.observe(report, cost=cost, requests=len(flight), units=flight.units)
        known = quotas.undeclared()
        events += quotas.record_unreported(report, cost=cost)
        self._wrong_guesses += quotas.undeclared() is not known
        if known is not None and known.is_continuous:
            events.append(self._keep_rate_of(known, report.sent))
        if self.refusals is not None:
            events += self._end_wait(self.refusals, grant, report)
        return events + quotas.forecast(
            report.received, cost=cost, requests=len(flight), units=flight.units, backlog=self.backlog
        )

    def record_lost(self, cost: float) -> None:
        """Count a request of `cost` units as spent, because its response will never be known."""
        for quota in self.quotas:
            quota.spend(cost)

    def record_unrelated(self, cost: float, report: AttemptReport) -> list[QuotaEvent]:
        """Learn the quotas in a response that concerns another limit; count the request as spent of all others.

        Return the events that it causes.
        """
        events = self.quotas.observe(report, cost=cost, requests=len(self.flight), units=self.flight.units)
        reported = {observation.policy for observation in report.declared.observations}
        for quota in self.quotas:
            if quota.name not in reported:
                quota.spend(cost)
        return events

    def record_refusal(
        self, grant: Grant, report: AttemptReport, *, share: float = 0.0, untried: bool = False
    ) -> list[QuotaEvent]:
        """Learn from a request that was refused. Return the events that it causes.

        Parameters:
            grant: its start.
            report: the refusal.
            share: share of the requests that the server refuses without a limit, as far as is known.
            untried: whether hardly any request was ever served while so many were in flight.
        """
        declared, sent, received = report.declared, report.sent, report.received
        if self.refusals is None:
            self.refusals = Refusals()
            self.rates.assume(self.served, self.since, sent)
        refusals = self.refusals
        wait = declared.retry_after
        if wait is None:
            load = max(grant.load, len(self.flight) + 1)
            self.rates.record(sent, received, served=False, load=load)
        events = self.quotas.observe(report, cost=grant.cost, requests=len(self.flight), units=self.flight.units)
        if refusals.is_in_burst(grant.at) and not refusals.bursts:
            return events  # of a burst that has ended
        jitter = stated_jitter(wait or 0.0, random=self.rng)
        first = refusals.record_refusal(grant.at, sent, received, retry_after=wait, jitter=jitter)
        refusals.untried |= untried
        refusals.beside = min(refusals.beside, len(self.flight))
        refusals.last_in_flight = max(refusals.last_in_flight, self.flight.last_until(math.inf))
        silent = wait is None and self.quotas.are_all_undeclared()
        if wait is not None and first and self.quotas.are_all_undeclared():
            self._detect_leaky_bucket(refusals, (sent + received) / 2.0 + wait, first=first)
        if silent and self._is_doubtful(refusals, report, share, first=first):
            self._suspect_concurrency(refusals, received)  # one request more will tell
            return [*events, QuotaEvent(kind="refused", policy="")] if first else events
        bucket = self.quotas.leaky_bucket()
        if isinstance(bucket, IntervalQuota):
            bucket.beside, bucket.refused_in = self.flight.last_until(sent), received - sent
        cause = self._find_cause(grant.cost, declared, sent)
        ambiguous = wait is None and report.status in AMBIGUOUS_STATUSES
        if cause is None and ambiguous and refusals.is_undecided(self.flight.has_before(received)):
            self._suspect_concurrency(refusals, received)  # or only that page is broken; one more refusal will tell
        elif cause is None:
            starts = refusals.search is None
            if refusals.search is None:
                refusals.search = self._start_search(
                    received, certain=report.status == TOO_MANY_REQUESTS or wait is not None
                )
            refusals.reject_concurrency()
            refusals.wait_for_search(sent, received, first=first or starts, retry_after=wait)
            self._check_concurrency(refusals, received)
        else:
            refusals.reject_concurrency()
            if wait is None and cause.probe_at() <= received and not isinstance(cause, LeakyBucketQuota):
                refusals.back_off(received)
        if first:
            events.append(quota_event("refused", cause) if cause else QuotaEvent(kind="refused", policy=""))
        return events

    def assume_interval(self, seconds: float, report: AttemptReport) -> None:
        """Suppose that a rate without a burst is behind the refusals, unless another limit is known.

        Parameters:
            seconds: distance at which requests were served.
            report: the latest one.
        """
        if not self.quotas.by_name and (self.refusals is None or self.refusals.search is None):
            self.quotas.add(self._interval_quota("undeclared", 1.0 / seconds, report))

    def explains_chance(self, grant: Grant, report: AttemptReport) -> bool:
        """Return whether a limit explains the latest requests better than chance does, to which refusals are put down.

        Parameters:
            grant: the start of the request, which is not settled yet.
            report: a refusal that was put down to chance; it states nothing.
        """
        load = max(grant.load, len(self.flight))
        self.rates.record(report.sent, report.received, served=False, load=load)
        return self.rates.odds_of_limit() > CLEAR_PROOF

    def proves_chance(self, grant: Grant, report: AttemptReport) -> bool:
        """Return whether refusals certainly come at random. Then a limit that they seemed to show is forgotten.

        Parameters:
            grant: the start of the request, which is not settled yet.
            report: a refusal.
        """
        declared = report.declared
        if declared.retry_after is not None or declared.violated or declared.observations:
            return False
        bucket = self.quotas.leaky_bucket()
        if isinstance(bucket, IntervalQuota) and bucket.has_few_refusals():
            return False  # requests at the edge of an interval are refused now and then
        undeclared = self.quotas.undeclared()
        if undeclared is not None and undeclared.is_shorter_tried():
            return False  # the window may be longer after all
        if not self.rates.are_random():
            return False
        self.rates.record(report.sent, report.received, served=False, load=max(grant.load, len(self.flight)))
        self.forget_undeclared()
        return True

    def stated_wait(self, now: float) -> float:
        """Return the seconds to wait after a refusal as the server has stated, 0 if it states nothing.

        A quota of which nothing is left states that, too, although it may not say until when.
        """
        waits = [quota.probe_at() - now for quota in self.quotas if quota.is_declared() and quota.remaining == 0.0]
        stated = -math.inf if self.refusals is None else self.refusals.stated_until
        return max(0.0, stated - now, *waits)

    def learned_window(self) -> float:
        """Return the seconds of the longest window of an undeclared limit that was learned so far; 0: none was."""
        undeclared = self.quotas.undeclared()
        if undeclared is not None:
            self._longest = max(self._longest, undeclared.believed_length)
        return self._longest

    def is_limit_proven(self) -> bool:
        """Return whether a limit caused the refusals before the last success that ended a wait."""
        return self.refusals is not None and (self.refusals.was_proven or self.rates.odds_of_limit() > PROOF)

    def served_beside(self) -> int:
        """Return how many requests were served beside those refused before the last wait, if it was stated.

        0 means that few were, or that a rate is known, whose refusals do not depend on how many requests go at once.
        """
        return 0 if self.refusals is None or self.quotas.has_leaky_bucket() else self.refusals.served_beside

    def hold_back(self, received: float, until: float) -> None:
        """Note until when nothing starts after a refusal, beside its own wait; times in seconds since the epoch."""
        self.is_urgent = until > received
        if self.refusals is not None:
            self.refusals.delay_probe(until)

    def has_interval(self) -> bool:
        """Return whether a rate without a burst is known. It explains refusals before it that seemed to be random."""
        return isinstance(self.quotas.leaky_bucket(), IntervalQuota)

    def forget_undeclared(self) -> None:
        """Forget a limit that no response states, and the wait for it: refusals proved to come at random."""
        undeclared = self.quotas.undeclared()
        if undeclared is not None:
            self.quotas.remove(undeclared)
        if self.refusals is not None:
            self.refusals.forget()

    # ---- state -------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what the next run needs, as JSON values; empty if nothing was learned."""
        state: dict[str, Any] = {}
        if self.refusals is not None and (self.refusals.gate > -math.inf or self.refusals.margin):
            state["refused"] = [max(self.refusals.gate, 0.0), self.refusals.margin]
        if self.quotas.by_name:
            state["quotas"] = self.quotas.state()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned; unreadable values are ignored."""
        match state.get("refused"):
            case [until, margin]:
                refusals = Refusals(margin=json_number(margin, 0.0, 60.0) or 0.0)
                if json_number(until, 1e-9) is not None:
                    refusals.gate, refusals.last_received, refusals.probing, refusals.bursts = until, until, True, 1
                    refusals.stated_until = until
                self.refusals = refusals
        self.quotas.restore(state.get("quotas"))

    def resume(self, now: float) -> None:
        """Resume after an interrupted run. Requests then in flight are not known, so probes must tell what is left."""
        for quota in self.quotas:
            quota.resume(now)

    # ---- internals ---------------------------------------------------------------------------------------------------

    def _learn_first_windows(self) -> None:
        """Learn the length of windows that only refusals state: all that was served so far was served in the first."""
        for quota in self.quotas:
            if quota.is_declared() and quota.limit == self.served and quota.reset.is_known():
                quota.window.learn_from_first(quota.reset.earliest - self.since, quota.reset.latest - self.since)

    def _end_wait(self, refusals: Refusals, grant: Grant, report: AttemptReport) -> list[QuotaEvent]:
        """Record a success, which may end the wait after a refusal and reveal an undeclared limit."""
        searching = refusals.search is not None
        last_received = refusals.last_received
        ended, found = refusals.record_success(grant.at, report.sent, report.received, grant.cost)
        self._check_concurrency(refusals, report.received)
        if not ended:
            return []
        self._prove_bucket(grant.at - last_received)
        if ended == "concurrency" and (self.quotas.has_leaky_bucket() or self._prove_rate(report.sent)):
            return [QuotaEvent(kind="recovered", policy="")]
        if ended == "concurrency":
            undeclared = self.quotas.undeclared()
            if undeclared is not None and undeclared.is_weak:
                self.quotas.remove(undeclared)  # it would have refused that request, too
            return [QuotaEvent(kind="concurrency", policy=""), QuotaEvent(kind="recovered", policy="")]
        if searching:
            self.since, self.served = report.sent, grant.cost
        if self._falls_back_to_rate(refusals):
            found = LeakyBucketQuota.fitted("undeclared", 1.0 / self._average_interval(report.sent), report.sent)
            self.quotas.add(found)
            return [QuotaEvent(kind="recovered", policy=""), quota_event("policy_changed", found)]
        if found is None or self._wrong_guesses >= MAX_WRONG_GUESSES:
            self._unexplained += searching
            return [QuotaEvent(kind="recovered", policy="")]
        self._unexplained = 0
        if found.believed_length > 2.0 * (found.limit or 0.0) * self._average_interval(report.sent):
            found.too_short = 0.0  # twice as much was served before, so the window may be shorter
        if found.may_be_rate():
            rate, is_weak = (found.limit or 1.0) / found.believed_length, found.is_weak
            found = self._interval_quota(found.name, rate, report, is_weak=is_weak)
        self.quotas.add(found)
        return [QuotaEvent(kind="recovered", policy=""), quota_event("policy_changed", found)]

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

    def _prove_rate(self, now: float) -> bool:
        """Return whether a rate is certainly behind the refusals that state nothing. A new one is added."""
        refusals, known = self.refusals, self.quotas.undeclared()
        if refusals is None or self._wrong_guesses >= MAX_WRONG_GUESSES or not self.quotas.are_all_undeclared():
            return False
        if self.quotas.has_leaky_bucket():
            return self.rates.is_proven()
        explained = known is not None and refusals.in_row <= MAX_EXPECTED and known.expects_refusal(now)
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

    def _detect_leaky_bucket(self, refusals: Refusals, now: float, *, first: bool) -> None:
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

    def _prove_bucket(self, seconds: float) -> None:
        """Remove a new leaky bucket if a request so soon after a refusal was served."""
        bucket = self.quotas.leaky_bucket()
        if bucket is not None and not bucket.is_proven:
            if bucket.has_leaked(seconds) or bucket.used >= UNITS_PER_REFUSAL:
                bucket.is_proven = True
            else:
                self.quotas.remove(bucket)

    def _is_doubtful(self, refusals: Refusals, report: AttemptReport, share: float, *, first: bool) -> bool:
        """Return whether a refusal that states nothing may have come at random; parameters as of `record_refusal`."""
        if not self.flight.has_before(report.received) and self._prove_rate(report.sent):
            return False
        self._detect_leaky_bucket(refusals, (report.sent + report.received) / 2.0, first=first)
        doubtful = refusals.may_be_chance(share) or (refusals.in_row == 1 and self._is_unexpected(report.sent))
        bucket = self.quotas.leaky_bucket()
        if doubtful and bucket is not None:
            bucket.is_proven = False
        return doubtful

    def _is_unexpected(self, sent: float) -> bool:
        """Return whether the undeclared limit does not explain a single refusal, or none was found for several."""
        undeclared = self.quotas.undeclared()
        if undeclared is None:
            return self._unexplained >= MAX_UNEXPLAINED
        is_expected = undeclared.is_shorter_tried() or undeclared.expects_refusal(sent)
        return not (is_expected or undeclared.may_slide(sent, len(self.flight)))

    def _check_concurrency(self, refusals: Refusals, now: float) -> None:
        """Find out whether too many requests at once caused a refusal, once all that were in flight are decided."""
        if refusals.may_be_concurrency(now) or refusals.awaits_others(now):
            self._suspect_concurrency(refusals, now)

    def _suspect_concurrency(self, refusals: Refusals, now: float) -> None:
        """Send one request alone as soon as those in flight are decided."""
        last_started = self.flight.last_until(refusals.last_received)  # minus infinite: all are decided
        refusals.suspect_concurrency(max(now, last_started + refusals.patience))

    def _find_cause(self, cost: float, declared: Declared, sent: float) -> Quota | None:
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

    def _start_search(self, received: float, *, certain: bool) -> LimitSearch:
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
