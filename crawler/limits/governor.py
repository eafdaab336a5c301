"""`Governor`: decides when the next request of one scope may start.

A scope is whatever shares a limit: a lane (an origin, unless a rule says otherwise), or a budget that lanes share.
A request passes its gate (a refusal's wait), then the forecast of what the server declared, then the pace.
"""

from __future__ import annotations

import math
import random
from typing import Any, Final

import attrs

from crawler.limits.backoff import stated_jitter
from crawler.limits.declared import NOTHING, Declared, Exchange
from crawler.limits.event import QuotaEvent
from crawler.limits.forecast import event
from crawler.limits.gcra import Gcra
from crawler.limits.leak import leak
from crawler.limits.learned import Learned, Search
from crawler.limits.policies import Policies
from crawler.limits.quota import Mode, Quota
from crawler.limits.refusals import Refusals
from crawler.limits.saved import number

__all__ = ["Governor", "Grant", "Mode", "QuotaEvent"]

LONGEST: Final = 3600.0
"""Seconds: the server's word counts up to here."""
UNAVAILABLE: Final = 503
"""Said by servers that are asked too much, and by pages that are broken."""
FICKLE: Final = 4
"""Times that what was learned of refusals proved wrong before it is clear that no limit of ours explains them: others
may use the same quota, or the server sheds load by chance. Each wait is kept all the same."""


@attrs.define(eq=False)
class Grant:
    """One start: given back if nothing was sent, settled by what came of it otherwise."""

    at: float
    """Seconds since the epoch."""
    cost: float
    """Units that it takes."""
    before: float = -math.inf
    """Seconds since the epoch: the start before it."""


@attrs.define(eq=False, kw_only=True)
class Governor:
    """The limits of one scope. Knows no clock: `now` is seconds since the epoch, and never goes back.

    Parameters:
        rates: what the user allows, all of them kept.
        mode: ``smooth`` spreads what is left over the window, ``burst`` spends it and waits, ``auto`` spreads while
            the backlog does not fit.
        longest: seconds that a server may at most make us wait by one word.
        chance: where jitter comes from.
    """

    rates: tuple[Gcra, ...] = ()
    mode: Mode = "auto"
    _longest: float = LONGEST
    _chance: random.Random | None = None
    blocked_by: str = attrs.field(default="", init=False)
    """What the last `ready_at` had to wait for: ``refusal``, ``quota``, ``pace`` or nothing."""
    _flying: set[Grant] = attrs.field(factory=set, init=False)
    _units: float = attrs.field(default=0.0, init=False)
    _last: float = attrs.field(default=-math.inf, init=False)
    _gate: float = attrs.field(default=-math.inf, init=False)
    _backlog: float = attrs.field(default=math.inf, init=False)
    _since: float = attrs.field(default=math.nan, init=False)
    _served: float = attrs.field(default=0.0, init=False)
    _policies: Policies = attrs.field(
        default=attrs.Factory(lambda self: Policies(self._longest), takes_self=True), init=False
    )
    _refusals: Refusals | None = attrs.field(default=None, init=False)
    _wrong: int = attrs.field(default=0, init=False)
    """Times that what was learned of refusals proved wrong."""

    @property
    def inflight(self) -> int:
        """Grants that are neither given back nor settled."""
        return len(self._flying)

    # ---- when --------------------------------------------------------------------------------------------------------

    def ready_at(self, now: float, *, cost: float = 1.0, backlog: float = math.inf) -> float:
        """Seconds since the epoch: when the next request may start, if nothing else happens before.

        Not later than `now`: at once. Infinite: not before something in flight comes back.

        Parameters:
            now: seconds since the epoch.
            cost: units that it takes.
            backlog: units that wait, itself included.
        """
        self.blocked_by = ""
        if not self._policies.quotas and not self.rates and self._refusals is None and self._gate <= now:
            return self._gate
        self._backlog = backlog
        at, why = self._gate_at(now), "refusal"
        for rate in self.rates:
            if rate.ready_at() > at:
                at, why = rate.ready_at(), "pace"
        for quota in self._policies:
            inflight = quota.usage.inflight(len(self._flying), self._units)
            free_at = quota.ready_at(now, cost=cost, inflight=inflight, flying=self._is_flying)
            if free_at > at:
                at, why = free_at, "quota"
            paced_at = quota.start_at(self._last, cost=cost, inflight=inflight, backlog=backlog, mode=self.mode)
            if paced_at > at:
                at, why = paced_at, "pace"
        if at > now:
            self.blocked_by = why
        return at

    def take(self, now: float, *, cost: float = 1.0) -> Grant:
        """Counts a start."""
        grant = Grant(now, cost, self._last)
        if self._last == -math.inf:
            self._since = now
        self._flying.add(grant)
        self._units += cost
        self._last = now
        if self.rates:
            for rate in self.rates:
                rate.take(now, cost)
        return grant

    def give_back(self, grant: Grant) -> None:
        """Undoes a start whose request was never sent."""
        if not self._release(grant):
            return
        if self._last == grant.at:
            self._last = grant.before
        for rate in self.rates:
            rate.give_back(grant.cost)

    def lost(self, grant: Grant) -> None:
        """A request went out and nobody will hear of its answer: it counts as spent."""
        if self._release(grant):
            for quota in self._policies:
                quota.spend(grant.cost)

    def expects_refusals(self) -> bool:
        """Whether it was learned from refusals that there is a limit of which no answer says a word."""
        return self._policies.learned() is not None

    def is_leaky(self) -> bool:
        """Whether a bucket is behind all refusals, so that they say nothing of how many requests may go at once."""
        return self._policies.has_leak()

    # ---- what answers teach ------------------------------------------------------------------------------------------

    def settle(self, grant: Grant, exchange: Exchange) -> list[QuotaEvent]:
        """Learns from what came of a start.

        Parameters:
            grant: the start; one that is settled already changes nothing.
            exchange: what came of it.
        """
        if exchange.status == 0 and not exchange.refused:
            self.lost(grant)
            return []
        if not self._release(grant):
            return []
        if exchange.refused:
            return self._refuse(grant, exchange)
        self._served += grant.cost
        policies, cost = self._policies, grant.cost
        if exchange.declared is NOTHING and not policies.quotas and self._refusals is None:
            return []
        flying, units = len(self._flying), self._units
        events = policies.hear(exchange, cost=cost, flying=flying, units=units)
        events += policies.pass_over(exchange, cost=cost)
        if self._refusals is not None:
            events += self._succeed(self._refusals, grant, exchange)
        return events + policies.foretell(
            exchange.received, cost=cost, flying=flying, units=units, backlog=self._backlog
        )

    def block(self, until: float) -> None:
        """Starts nothing before `until` (seconds since the epoch)."""
        self._gate = max(self._gate, until)

    # ---- what is known, and what outlives it -------------------------------------------------------------------------

    def policies(self) -> dict[str, dict[str, Any]]:
        """By name: limit, remaining, window and so on of every policy that is known, as JSON values."""
        return {quota.name: quota.report() for quota in self._policies}

    def state(self) -> dict[str, Any]:
        """What outlives this object, as JSON values; empty: nothing was learned."""
        state: dict[str, Any] = {}
        if self._gate > -math.inf:
            state["gate"] = self._gate
        if self._refusals is not None and (self._refusals.gate > -math.inf or self._refusals.pad):
            state["refused"] = [max(self._refusals.gate, 0.0), self._refusals.pad]
        if self._policies.quotas:
            state["quotas"] = self._policies.state()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up where `state` left off; what cannot be read is ignored."""
        if not isinstance(state, dict):
            return
        gate = number(state.get("gate"))
        if gate is not None:
            self.block(gate)
        match state.get("refused"):
            case [until, pad]:
                refusals = Refusals(pad=number(pad, 0.0, 60.0) or 0.0)
                if number(until, 1e-9) is not None:
                    refusals.gate, refusals.heard, refusals.probing, refusals.in_row = until, until, True, 1
                self._refusals = refusals
        self._policies.restore(state.get("quotas"))

    def resume(self, now: float) -> None:
        """Goes on after a run that broke off: what was in flight then is not known, so that probes have to tell."""
        for quota in self._policies:
            quota.resume(now)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _gate_at(self, now: float) -> float:
        refusals = self._refusals
        if refusals is None:
            return self._gate
        if refusals.probing and now >= refusals.gate:
            probe = min((grant.at for grant in self._flying if grant.at >= refusals.gate), default=math.inf)
            if probe < math.inf:
                return max(self._gate, refusals.passes_at(probe))
        if len(self._flying) >= refusals.most():
            return math.inf
        return max(self._gate, refusals.gate)

    def _is_flying(self, since: float) -> bool:
        return any(grant.at >= since for grant in self._flying)

    def _release(self, grant: Grant) -> bool:
        flying = self._flying
        if grant not in flying:
            return False
        flying.remove(grant)
        self._units = self._units - grant.cost if flying else 0.0
        return True

    def _succeed(self, refusals: Refusals, grant: Grant, exchange: Exchange) -> list[QuotaEvent]:
        searched = refusals.search is not None
        ended, found = refusals.served(exchange.sent, exchange.received, grant.cost)
        self._weigh(refusals, exchange.received)
        if not ended:
            return []
        if ended == "doubt":
            return [QuotaEvent(kind="concurrency", policy=""), QuotaEvent(kind="recovered", policy="")]
        if searched:
            self._since, self._served = exchange.sent, grant.cost
        if found is None or self._wrong >= FICKLE:
            return [QuotaEvent(kind="recovered", policy="")]
        self._policies.add(found)
        return [QuotaEvent(kind="recovered", policy=""), event("policy_changed", found)]

    def _refuse(self, grant: Grant, exchange: Exchange) -> list[QuotaEvent]:
        refusals = self._refusals = self._refusals or Refusals()
        declared, sent, received = exchange.declared, exchange.sent, exchange.received
        told = None if declared.retry_after is None else min(declared.retry_after, self._longest)
        self._chance = self._chance or random.Random()
        events = self._policies.hear(exchange, cost=grant.cost, flying=len(self._flying), units=self._units)
        if refusals.belongs(sent) and not refusals.in_row:
            return events  # of a burst that is over
        first = refusals.refused(
            sent, received, retry_after=told, jitter=stated_jitter(told or 0.0, random=self._chance)
        )
        if told is None and self._policies.are_learned():
            self._look_for_leak(refusals, (sent + received) / 2.0, first=first)
        guilty = self._explain(grant.cost, declared, sent)
        bare = told is None and exchange.status == UNAVAILABLE
        if guilty is None and bare and refusals.is_undecided(any(each.at < received for each in self._flying)):
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

    def _look_for_leak(self, refusals: Refusals, now: float, *, first: bool) -> None:
        """Compares what was served until the last burst of refusals with what was served since."""
        if self.is_leaky() or self._wrong >= FICKLE:
            return
        found = first and leak(
            "undeclared", before=refusals.before, refused=refusals.full, served=refusals.since, again=now
        )
        if not found:
            refusals.compare_from(now, self._served)
            return
        self._policies.drop_all()
        refusals.search = None
        self._policies.add(found)

    def _weigh(self, refusals: Refusals, now: float) -> None:
        """Once all that was in flight at an unexplained refusal is decided: was it a rate, or too many at once?"""
        if refusals.is_doubtful(now):
            self._doubt(refusals, now)

    def _doubt(self, refusals: Refusals, now: float) -> None:
        """One request goes alone as soon as what was in flight is decided."""
        burst = (grant.at for grant in self._flying if grant.at <= refusals.heard)
        refusals.doubt(max(now, max(burst, default=-math.inf) + refusals.patience))

    def _explain(self, cost: float, declared: Declared, sent: float) -> Quota | None:
        """The policy that a refusal is due to, as far as we know; none any more if guesses were wrong too often."""
        guilty = self._policies.explain(cost, declared, sent)
        if isinstance(guilty, Learned):
            self._wrong += guilty.was_wrong
            if self._wrong >= FICKLE:
                self._policies.drop(guilty)
                return None
        return guilty

    def _search(self, received: float, *, sure: bool) -> Search:
        """Starts to look for a limit of which nothing is known, or of which what we believed was wrong."""
        learned = self._policies.learned()
        if learned is None:
            name = "hidden" if self._policies.quotas else "undeclared"
            return Search(name=name, since=self._since, served=self._served, began=received, sure=sure)
        self._policies.drop(learned)
        self._wrong += 1
        since, served = learned.evidence()
        return Search(name=learned.name, since=since, served=served, began=received, sure=sure, known=True)
