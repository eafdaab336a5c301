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
from crawler.limits.headers.declared import AttemptReport
from crawler.limits.headers.refusal_status import AMBIGUOUS_STATUSES, UNAVAILABLE
from crawler.limits.in_flight import Flight, Grant
from crawler.limits.json_numbers import json_number
from crawler.limits.learning.forecast import quota_event
from crawler.limits.learning.interval_quota import IntervalQuota
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota
from crawler.limits.learning.limit_detector import LimitDetector
from crawler.limits.learning.quota_set import QuotaSet
from crawler.limits.learning.refusals import Refusals
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.declared_quota import DeclaredQuota
from crawler.limits.quotas.quota import Mode
from crawler.limits.quotas.shared_quotas import Flights

__all__ = ["LimitLearner"]

TOO_MANY_REQUESTS: Final = 429
LOOKS: Final = 4.0
"""How often a lane looks, in a round trip, whether the request in flight of another one has changed their quota."""
MIN_LOOK: Final = 0.001
"""Seconds, at least, between two looks."""


@attrs.define(init=False, eq=False, repr=False, kw_only=True)
class LimitLearner:
    """The known limits of one lane or budget."""

    flight: Flight
    rng: random.Random
    quotas: QuotaSet
    detector: LimitDetector
    """Finds the limits that the server does not state."""
    refusals: Refusals | None = attrs.field(default=None, init=False)
    backlog: float = attrs.field(default=math.inf, init=False)
    """Units of the waiting requests when `quota_at` was last called."""

    def __init__(
        self,
        *,
        flight: Flight,
        rng: random.Random,
        since: float,
        served: float,
        named: dict[str, DeclaredQuota] | None = None,
    ) -> None:
        quotas = QuotaSet(flight, {} if named is None else named)
        detector = LimitDetector(quotas=quotas, flight=flight, since=since, served=served)
        self.__attrs_init__(flight=flight, rng=rng, quotas=quotas, detector=detector)

    # ---- when the next request may start -----------------------------------------------------------------------------

    def gate_at(self, now: float) -> float:
        """Return when the wait after a refusal ends, in seconds since the epoch; infinite: after a response arrives."""
        refusals = self.refusals
        if refusals is None:
            return -math.inf
        if len(self.flight) >= refusals.max_in_flight():
            return math.inf
        place_at = refusals.place_at(len(self.flight))
        if now < place_at:
            return place_at
        is_probed = refusals.probing and now >= refusals.gate and self.flight.has_since(refusals.gate)
        return math.inf if is_probed else refusals.gate

    def quota_at(self, now: float, last: float, *, cost: float, backlog: float, mode: Mode) -> tuple[float, str]:
        """Return when every quota allows the next request, in seconds since the epoch, and what it waits for.

        Returns the time, and ``quota``, ``pace`` or nothing.
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
        self.detector.record_served(self.refusals, grant, report)
        events = quotas.observe(report, cost=cost, requests=len(flight), units=flight.units)
        events += self.detector.record_unreported(cost, report)
        if self.refusals is not None:
            events += self.detector.end_wait(self.refusals, grant, report)
            self._check_concurrency(self.refusals, report.received)
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
        """Learn from a request that was refused. Return the events that it causes."""
        sent, received, detector = report.sent, report.received, self.detector
        if self.refusals is None:
            self.refusals = Refusals()
            detector.start_comparison(sent)
        refusals = self.refusals
        wait = report.declared.retry_after
        detector.record_refused(grant, report)
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
            detector.detect_leaky_bucket(refusals, (sent + received) / 2.0 + wait, first=first)
        if silent and detector.is_doubtful(refusals, report, share, first=first):
            self._suspect_concurrency(refusals, received)  # one request more will tell
            return [*events, QuotaEvent(kind="refused", policy="")] if first else events
        bucket = self.quotas.leaky_bucket()
        if isinstance(bucket, IntervalQuota):
            bucket.beside, bucket.refused_in = self.flight.last_until(sent), received - sent
        cause = detector.find_cause(grant.cost, report.declared, sent)
        ambiguous = wait is None and report.status in AMBIGUOUS_STATUSES
        if cause is None and ambiguous and refusals.is_undecided(self.flight.has_before(received)):
            self._suspect_concurrency(refusals, received)  # or only that page is broken; one more refusal will tell
        elif cause is None:
            starts = refusals.search is None
            if refusals.search is None:
                # a 503 with a wait may be that of a site that is being updated
                is_stated = wait is not None and report.status != UNAVAILABLE
                certain = report.status == TOO_MANY_REQUESTS or is_stated
                refusals.search = detector.start_search(received, certain=certain)
            refusals.is_unavailable = report.status == UNAVAILABLE
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
        """Suppose that a rate without a burst is behind the refusals, unless another limit is known."""
        if not self.quotas.by_name and (self.refusals is None or self.refusals.search is None):
            self.detector.assume_interval(seconds, report)

    def explains_chance(self, grant: Grant, report: AttemptReport) -> bool:
        """Return whether a limit explains the latest requests better than chance; see `LimitDetector`."""
        return self.detector.explains_chance(grant, report)

    def proves_chance(self, grant: Grant, report: AttemptReport) -> bool:
        """Return whether refusals certainly come at random. Then a limit that they seemed to show is forgotten."""
        is_proven = self.detector.proves_chance(grant, report)
        if is_proven:
            self.forget_undeclared()
        return is_proven

    def stated_wait(self, now: float) -> float:
        """Return the seconds to wait after a refusal as the server has stated, 0 if it states nothing.

        A quota of which nothing is left states that, too, although it may not say until when.
        """
        waits = [quota.probe_at() - now for quota in self.quotas if quota.is_declared() and quota.remaining == 0.0]
        stated = -math.inf if self.refusals is None else self.refusals.stated_until
        return max(0.0, stated - now, *waits)

    def is_limit_proven(self) -> bool:
        """Return whether a limit caused the refusals before the last success that ended a wait."""
        return self.refusals is not None and self.detector.is_limit_proven(self.refusals)

    def served_beside(self) -> int:
        """Return how many requests were served beside those refused before the last wait, if it was stated.

        0 means that few were, or that a rate is known, whose refusals do not depend on how many requests go at once.
        """
        return 0 if self.refusals is None or self.quotas.has_leaky_bucket() else self.refusals.served_beside

    def hold_back(self, received: float, until: float) -> None:
        """Note until when nothing starts after a refusal, beside its own wait; times in seconds since the epoch."""
        self.detector.is_urgent = until > received
        if self.refusals is not None:
            self.refusals.delay_probe(until)

    def has_interval(self) -> bool:
        """Return whether a rate without a burst is known. It explains refusals before it that seemed to be random."""
        return isinstance(self.quotas.leaky_bucket(), IntervalQuota)

    def probe_by(self, at: float) -> None:
        """Send the next probe at `at` (seconds since the epoch) at the latest, unless a longer wait is stated."""
        if self.refusals is not None:
            self.refusals.gate = max(self.refusals.stated_until, min(self.refusals.gate, at))

    def give_up(self) -> None:
        """Forget what refusals seemed to show, and end the wait for it: its requests fail."""
        if self.refusals is not None:
            self.detector.forget()
            self.refusals.forget()

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

    def _check_concurrency(self, refusals: Refusals, now: float) -> None:
        """Find out whether too many requests at once caused a refusal, once all that were in flight are decided."""
        if refusals.may_be_concurrency(now) or refusals.awaits_others(now):
            self._suspect_concurrency(refusals, now)

    def _suspect_concurrency(self, refusals: Refusals, now: float) -> None:
        """Send one request alone as soon as those in flight are decided."""
        last_started = self.flight.last_until(refusals.last_received)  # minus infinite: all are decided
        refusals.suspect_concurrency(max(now, last_started + refusals.patience))
