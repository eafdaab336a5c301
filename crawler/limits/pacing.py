"""`Governor`: decides when the next request of one scope may start.

A scope is whatever shares a limit: a lane (an origin, unless a rule says otherwise), or a budget that lanes share.
A request passes its gate (a refusal's wait), then the forecast of what the server declared, then the pace.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any, Final

import attrs

from crawler.limits.events import QuotaEvent
from crawler.limits.gcra import Gcra
from crawler.limits.headers.declared import NOTHING, AttemptReport
from crawler.limits.headers.refusal_status import AMBIGUOUS_STATUSES
from crawler.limits.in_flight import Flight, Grant
from crawler.limits.json_numbers import json_number

if TYPE_CHECKING:
    from crawler.limits.learning.learner import LimitLearner
    from crawler.limits.quotas.quota import Mode

__all__ = ["LONGEST", "Governor"]

LONGEST: Final = 3600.0
"""Seconds: the server's word counts up to here."""


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
    _flight: Flight = attrs.field(factory=Flight, init=False)
    _last: float = attrs.field(default=-math.inf, init=False)
    _gate: float = attrs.field(default=-math.inf, init=False)
    _since: float = attrs.field(default=math.nan, init=False)
    _served: float = attrs.field(default=0.0, init=False)
    _lessons: LimitLearner | None = attrs.field(default=None, init=False)

    @property
    def inflight(self) -> int:
        """Grants that are neither given back nor settled."""
        return len(self._flight)

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
        lessons = self._lessons
        if lessons is None and not self.rates and self._gate <= now:
            return self._gate
        at, why = self._gate, "refusal"
        if lessons is not None:
            at = max(at, lessons.gate_at(now))
        for rate in self.rates:
            if rate.ready_at() > at:
                at, why = rate.ready_at(), "pace"
        if lessons is not None:
            allowed_at, reason = lessons.quota_at(now, self._last, cost=cost, backlog=backlog, mode=self.mode)
            if allowed_at > at:
                at, why = allowed_at, reason
        if at > now:
            self.blocked_by = why
        return at

    def take(self, now: float, *, cost: float = 1.0) -> Grant:
        """Counts a start."""
        grant = Grant(now, cost, self._last)
        if self._last == -math.inf:
            self._since = now
            if self._lessons is not None:  # those of an earlier run
                self._lessons.since = now
        self._flight.begin(grant)
        self._last = now
        if self.rates:
            for rate in self.rates:
                rate.take(now, cost)
        return grant

    def give_back(self, grant: Grant) -> None:
        """Undoes a start whose request was never sent."""
        if not self._flight.end(grant):
            return
        if self._last == grant.at:
            self._last = grant.before
        for rate in self.rates:
            rate.give_back(grant.cost)

    def lost(self, grant: Grant, report: AttemptReport | None = None) -> list[QuotaEvent]:
        """Count a start as spent that was neither served nor refused, as far as this limit is concerned.

        Parameters:
            grant: the start; one that is settled already changes nothing.
            report: an answer that concerns another limit; only the quotas that it declares count here.
        """
        if not self._flight.end(grant):
            return []
        if report is not None and report.declared.observations:
            return self._learns().record_unrelated(grant.cost, report)
        if self._lessons is not None:
            self._lessons.record_lost(grant.cost)
        return []

    def block(self, until: float) -> None:
        """Starts nothing before `until` (seconds since the epoch)."""
        self._gate = max(self._gate, until)

    # ---- what answers teach ------------------------------------------------------------------------------------------

    def settle(self, grant: Grant, exchange: AttemptReport) -> list[QuotaEvent]:
        """Learns from what came of a start.

        Parameters:
            grant: the start; one that is settled already changes nothing.
            exchange: what came of it.
        """
        if exchange.status == 0 and not exchange.refused:
            self.lost(grant)
            return []
        if not self._flight.end(grant):
            return []
        if self._lessons is None and not exchange.refused and exchange.declared is NOTHING:
            self._served += grant.cost * (exchange.status not in AMBIGUOUS_STATUSES)
            return []
        lessons = self._learns()
        return lessons.record_refusal(grant, exchange) if exchange.refused else lessons.record_success(grant, exchange)

    def expects_refusals(self) -> bool:
        """Whether it was learned from refusals that there is a limit of which no answer says a word."""
        return self._lessons is not None and self._lessons.quotas.undeclared() is not None

    def is_leaky(self) -> bool:
        """Whether a bucket is behind all refusals, so that they say nothing of how many requests may go at once."""
        return self._lessons is not None and self._lessons.quotas.has_leaky_bucket()

    def _learns(self) -> LimitLearner:
        """What it has learned, or the blank page for it."""
        if self._lessons is None:
            from crawler.limits.learning.learner import LimitLearner  # noqa: PLC0415 - most servers say nothing and refuse nothing

            self._lessons = LimitLearner(
                flight=self._flight,
                max_wait=self._longest,
                rng=self._chance or random.Random(),
                since=self._since,
                served=self._served,
            )
        return self._lessons

    # ---- what is known, and what outlives it -------------------------------------------------------------------------

    def policies(self) -> dict[str, dict[str, Any]]:
        """By name: limit, remaining, window and so on of every policy that is known, as JSON values."""
        return {} if self._lessons is None else {quota.name: quota.report() for quota in self._lessons.quotas}

    def state(self) -> dict[str, Any]:
        """What outlives this object, as JSON values; empty: nothing was learned."""
        state: dict[str, Any] = {} if self._gate == -math.inf else {"gate": self._gate}
        return state if self._lessons is None else state | self._lessons.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up where `state` left off; what cannot be read is ignored."""
        if not isinstance(state, dict):
            return
        gate = json_number(state.get("gate"))
        if gate is not None:
            self.block(gate)
        if state.keys() & {"refused", "quotas"}:
            self._learns().restore(state)

    def resume(self, now: float) -> None:
        """Goes on after a run that broke off: what was in flight then is not known, so that probes have to tell."""
        if self._lessons is not None:
            self._lessons.resume(now)
