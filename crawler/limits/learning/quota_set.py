"""`QuotaSet`: every quota that is known of one scope, declared or learned, and what each of them foretells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs

from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import AttemptReport, Declared
from crawler.limits.learning.forecast import Forecast, event
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota
from crawler.limits.learning.persistence import load, save
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.quota import Quota

__all__ = ["QuotaSet"]

MOST: Final = 16
"""Policies that are remembered; a server that invents names displaces those not heard of for longest."""


@attrs.define(eq=False)
class QuotaSet:
    """The quotas of one scope, by name.

    Parameters:
        longest: seconds that a server may at most make us wait by one word.
    """

    longest: float
    quotas: dict[str, Quota] = attrs.field(factory=dict, init=False)
    _forecasts: dict[str, Forecast] = attrs.field(factory=dict, init=False)

    def __iter__(self) -> Iterator[Quota]:
        return iter(self.quotas.values())

    def add(self, quota: Quota) -> None:
        """One more, or another of that name."""
        if len(self.quotas) >= MOST and quota.name not in self.quotas:
            self.drop(min(self, key=lambda other: other.heard))
        quota.longest = self.longest
        self.quotas[quota.name] = quota
        self._forecasts[quota.name] = Forecast(quota)

    def drop(self, quota: Quota) -> None:
        """It does not hold any more."""
        del self.quotas[quota.name], self._forecasts[quota.name]

    def drop_all(self) -> None:
        """None of them holds."""
        self.quotas.clear()
        self._forecasts.clear()

    # ---- what answers say --------------------------------------------------------------------------------------------

    def hear(self, exchange: AttemptReport, *, cost: float, flying: int, units: float) -> list[QuotaEvent]:
        """Takes the words of an answer.

        Parameters:
            exchange: the answer.
            cost: units that it took.
            flying: requests that are in flight beside it.
            units: units that those take.
        """
        events = []
        for word in exchange.declared.observations:
            quota = self.quotas.get(word.policy)
            if quota is None or isinstance(quota, UndeclaredQuota):
                quota = Quota(name=word.policy, unit=word.unit)
                for known in self:  # policies of one server are of one kind, until they show otherwise
                    quota.restoration.expect(known.restoration)
                self.add(quota)
            if quota.observe(
                word,
                sent=exchange.sent,
                received=exchange.received,
                cost=cost,
                inflight=quota.usage.inflight(flying, units),
                refused=exchange.refused,
            ):
                events.append(event("policy_changed", quota))
        return events

    def pass_over(self, exchange: AttemptReport, *, cost: float) -> list[QuotaEvent]:
        """Counts an answer where it says nothing; a policy that others replaced when it ended is forgotten."""
        events = []
        named = {word.policy for word in exchange.declared.observations}
        for quota in list(self):
            if quota.name in named:
                continue
            replaced = bool(named) and not isinstance(quota, UndeclaredQuota) and exchange.sent >= quota.restored_at()
            if replaced or not quota.pass_over(sent=exchange.sent, received=exchange.received, cost=cost):
                self.drop(quota)
                events.append(event("policy_changed", quota))
        return events

    def foretell(self, now: float, *, cost: float, flying: int, units: float, backlog: float) -> list[QuotaEvent]:
        """What users may want to know before it happens; parameters as of `hear` and `Forecast.update`."""
        events = []
        for forecast in self._forecasts.values():
            inflight = forecast.quota.usage.inflight(flying, units)
            events += forecast.update(now, cost=cost, inflight=inflight, backlog=backlog)
        return events

    # ---- what refusals show ------------------------------------------------------------------------------------------

    def explain(self, cost: float, declared: Declared, sent: float) -> Quota | None:
        """The policy that a refusal is due to, as far as we know; it is used up then.

        Parameters:
            cost: units of the refused request.
            declared: what the refusal said.
            sent: seconds since the epoch: when the request went out.
        """
        guilty: Quota | None = None
        for quota in self:
            if isinstance(quota, UndeclaredQuota):
                if guilty is None and quota.refuse(sent, declared.retry_after):
                    guilty = quota
            elif quota.name in declared.violated or (quota.remaining is not None and quota.remaining < cost):
                quota.exhaust()
                guilty = quota
        return guilty

    def learned(self) -> UndeclaredQuota | None:
        """The one that no answer names, if there is one."""
        return next((quota for quota in self if isinstance(quota, UndeclaredQuota)), None)

    def are_learned(self) -> bool:
        """Whether no answer names any of them."""
        return all(isinstance(quota, UndeclaredQuota) for quota in self)

    def has_leak(self) -> bool:
        """Whether one of them is a bucket behind all refusals."""
        return any(isinstance(quota, LeakyBucketQuota) for quota in self)

    # ---- what outlives it --------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What outlives this object, as JSON values."""
        return {name: save(quota) for name, quota in self.quotas.items()}

    def restore(self, state: Any) -> None:
        """Takes up where `state` left off; what cannot be read is ignored."""
        for name, saved in list(state.items())[:MOST] if isinstance(state, dict) else ():
            quota = load(name, saved) if isinstance(name, str) else None
            if quota is not None:
                self.add(quota)
