"""`LimitLearner`: what a scope has learned of the limits of its server, from its words and from its refusals.

Most servers say nothing and refuse nothing: their scopes have none, and what stands behind this is not even imported.
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
from crawler.limits.learning.forecast import event
from crawler.limits.learning.leaky_bucket import leak
from crawler.limits.learning.quota_set import QuotaSet
from crawler.limits.learning.refusals import Refusals
from crawler.limits.learning.undeclared import LimitSearch, UndeclaredQuota
from crawler.limits.quotas.quota import Mode, Quota

__all__ = ["LimitLearner"]

FICKLE: Final = 4
"""Times that what was learned of refusals proved wrong before it is clear that no limit of ours explains them: others
may use the same quota, or the server sheds load by chance. Each wait is kept all the same."""


def _policies(lessons: LimitLearner) -> QuotaSet:
    return QuotaSet(lessons.longest)


@attrs.define(eq=False, kw_only=True)
class LimitLearner:
    """Of one scope.

    Parameters:
        flight: what the scope has in flight.
        longest: seconds that a server may at most make us wait by one word.
        chance: where jitter comes from.
        since: seconds since the epoch: when the first request went out.
        served: units that were served since.
    """

    flight: Flight
    longest: float
    chance: random.Random
    since: float
    served: float
    policies: QuotaSet = attrs.field(default=attrs.Factory(_policies, takes_self=True), init=False)
    refusals: Refusals | None = attrs.field(default=None, init=False)
    backlog: float = attrs.field(default=math.inf, init=False)
    """Units that waited when it was asked for the last time."""
    _wrong: int = attrs.field(default=0, init=False)
    """Times that what was learned of refusals proved wrong."""

    # ---- when --------------------------------------------------------------------------------------------------------

    def gate_at(self, now: float) -> float:
        """Seconds since the epoch: when a refusal has been waited for; infinite: something in flight will tell."""
        refusals = self.refusals
        if refusals is None:
            return -math.inf
        if refusals.probing and now >= refusals.gate:
            probe = self.flight.first_since(refusals.gate)
            if probe < math.inf:
                return refusals.passes_at(probe)
        if len(self.flight) >= refusals.most():
            return math.inf
        return refusals.gate

    def quota_at(self, now: float, last: float, *, cost: float, backlog: float, mode: Mode) -> tuple[float, str]:
        """Seconds since the epoch: when every policy lets the next request go, and what it waits for until then.

        Parameters:
            now: seconds since the epoch.
            last: seconds since the epoch: the last start.
            cost: units that it takes.
            backlog: units that wait, itself included.
            mode: as of the governor.
        """
        self.backlog = backlog
        at, why, flight = -math.inf, "", self.flight
        for quota in self.policies:
            inflight = quota.usage.inflight(len(flight), flight.units)
            free_at = quota.ready_at(now, cost=cost, inflight=inflight, flying=flight.has_since)
            if free_at > at:
                at, why = free_at, "quota"
            paced_at = quota.start_at(last, cost=cost, inflight=inflight, backlog=backlog, mode=mode)
            if paced_at > at:
                at, why = paced_at, "pace"
        return at, why

    # ---- what answers teach ------------------------------------------------------------------------------------------

    def answered(self, grant: Grant, exchange: AttemptReport) -> list[QuotaEvent]:
        """A request was served."""
        policies, cost, flight = self.policies, grant.cost, self.flight
        self.served += cost * (exchange.status not in AMBIGUOUS_STATUSES)
        events = policies.hear(exchange, cost=cost, flying=len(flight), units=flight.units)
        events += policies.pass_over(exchange, cost=cost)
        if self.refusals is not None:
            events += self._succeed(self.refusals, grant, exchange)
        return events + policies.foretell(
            exchange.received, cost=cost, flying=len(flight), units=flight.units, backlog=self.backlog
        )

    def lost(self, cost: float) -> None:
        """Nobody will hear of an answer: it counts as spent."""
        for quota in self.policies:
            quota.spend(cost)

    def refused(self, grant: Grant, exchange: AttemptReport) -> list[QuotaEvent]:
        """A request was refused."""
        refusals = self.refusals = self.refusals or Refusals()
        declared, sent, received = exchange.declared, exchange.sent, exchange.received
        told = None if declared.retry_after is None else min(declared.retry_after, self.longest)
        events = self.policies.hear(exchange, cost=grant.cost, flying=len(self.flight), units=self.flight.units)
        if refusals.belongs(sent) and not refusals.in_row:
            return events  # of a burst that is over
        first = refusals.refused(
            sent, received, retry_after=told, jitter=stated_jitter(told or 0.0, random=self.chance)
        )
        if told is None and self.policies.are_learned():
            self._look_for_leak(refusals, (sent + received) / 2.0, first=first)
        guilty = self._explain(grant.cost, declared, sent)
        bare = told is None and exchange.status in AMBIGUOUS_STATUSES
        if guilty is None and bare and refusals.is_undecided(self.flight.has_before(received)):
            self._doubt(refusals, received)  # that page may just be broken: one more refusal, and it is a limit
        elif guilty is None:
            begins = refusals.search is None
            if refusals.search is None:
                refusals.search = self._search(received, sure=exchange.status == 429)
            refusals.wait_for_search(sent, received, first=first or begins, retry_after=told)
            self._weigh(refusals, received)
        elif told is None and guilty.restored_at() <= received:
            refusals.back_off(received)
        if first:
            events.append(event("refused", guilty) if guilty else QuotaEvent(kind="refused", policy=""))
        return events

    # ---- what outlives it --------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What outlives this object, as JSON values; empty: nothing was learned."""
        state: dict[str, Any] = {}
        if self.refusals is not None and (self.refusals.gate > -math.inf or self.refusals.pad):
            state["refused"] = [max(self.refusals.gate, 0.0), self.refusals.pad]
        if self.policies.quotas:
            state["quotas"] = self.policies.state()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up where `state` left off; what cannot be read is ignored."""
        match state.get("refused"):
            case [until, pad]:
                refusals = Refusals(pad=json_number(pad, 0.0, 60.0) or 0.0)
                if json_number(until, 1e-9) is not None:
                    refusals.gate, refusals.heard, refusals.probing, refusals.in_row = until, until, True, 1
                self.refusals = refusals
        self.policies.restore(state.get("quotas"))

    def resume(self, now: float) -> None:
        """Goes on after a run that broke off: what was in flight then is not known, so that probes have to tell."""
        for quota in self.policies:
            quota.resume(now)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _succeed(self, refusals: Refusals, grant: Grant, exchange: AttemptReport) -> list[QuotaEvent]:
        searched = refusals.search is not None
        ended, found = refusals.served(exchange.sent, exchange.received, grant.cost)
        self._weigh(refusals, exchange.received)
        if not ended:
            return []
        if ended == "doubt":
            return [QuotaEvent(kind="concurrency", policy=""), QuotaEvent(kind="recovered", policy="")]
        if searched:
            self.since, self.served = exchange.sent, grant.cost
        if found is None or self._wrong >= FICKLE:
            return [QuotaEvent(kind="recovered", policy="")]
        self.policies.add(found)
        return [QuotaEvent(kind="recovered", policy=""), event("policy_changed", found)]

    def _look_for_leak(self, refusals: Refusals, now: float, *, first: bool) -> None:
        """Compares what was served until the last burst of refusals with what was served since."""
        if self.policies.has_leak() or self._wrong >= FICKLE:
            return
        found = first and leak(
            "undeclared", before=refusals.before, refused=refusals.full, served=refusals.since, again=now
        )
        if not found:
            refusals.compare_from(now, self.served)
            return
        self.policies.drop_all()
        refusals.search = None
        self.policies.add(found)

    def _weigh(self, refusals: Refusals, now: float) -> None:
        """Once all that was in flight at an unexplained refusal is decided: was it a rate, or too many at once?"""
        if refusals.is_doubtful(now):
            self._doubt(refusals, now)

    def _doubt(self, refusals: Refusals, now: float) -> None:
        """One request goes alone as soon as what was in flight is decided."""
        refusals.doubt(max(now, self.flight.last_until(refusals.heard) + refusals.patience))

    def _explain(self, cost: float, declared: Declared, sent: float) -> Quota | None:
        """The policy that a refusal is due to, as far as we know; none any more if guesses were wrong too often."""
        guilty = self.policies.explain(cost, declared, sent)
        if isinstance(guilty, UndeclaredQuota):
            self._wrong += guilty.was_wrong
            if self._wrong >= FICKLE:
                self.policies.drop(guilty)
                return None
        return guilty

    def _search(self, received: float, *, sure: bool) -> LimitSearch:
        """Starts to look for a limit of which nothing is known, or of which what we believed was wrong."""
        learned = self.policies.learned()
        if learned is None:
            name = "hidden" if self.policies.quotas else "undeclared"
            return LimitSearch(name=name, since=self.since, served=self.served, began=received, sure=sure)
        self.policies.drop(learned)
        self._wrong += 1
        since, served = learned.evidence()
        return LimitSearch(name=learned.name, since=since, served=served, began=received, sure=sure, known=True)
