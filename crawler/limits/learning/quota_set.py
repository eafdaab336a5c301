"""`QuotaSet`: every known quota of one server, declared or learned, and their forecasts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs

from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import AttemptReport, Declared, Observation
from crawler.limits.in_flight import Flight
from crawler.limits.learning.forecast import Forecast, quota_event
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota
from crawler.limits.learning.persistence import load_quota, save_quota
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.declared_quota import DeclaredQuota
from crawler.limits.quotas.quota import Quota
from crawler.limits.quotas.shared_quotas import find_shared

__all__ = ["QuotaSet"]

MAX_QUOTAS: Final = 16
"""Quotas that are kept. A further one replaces the quota that was not updated for the longest time."""
RATE_TOLERANCE: Final = 0.1
"""Relative difference of two rates, at most, that are the same."""


@attrs.define(eq=False, repr=False)
class QuotaSet:
    """The quotas of one server."""

    flight: Flight = attrs.field(factory=Flight)
    """The requests in flight of the lane."""
    named: dict[str, DeclaredQuota] = attrs.field(factory=dict)
    """The quotas of all lanes that are named by an id."""
    by_name: dict[str, Quota] = attrs.field(factory=dict, init=False)
    _forecasts: dict[str, Forecast] = attrs.field(factory=dict, init=False)

    def __iter__(self) -> Iterator[Quota]:
        return iter(self.by_name.values())

    def add(self, quota: Quota) -> None:
        """Add a quota, or replace the one of the same name."""
        if len(self.by_name) >= MAX_QUOTAS and quota.name not in self.by_name:
            self.remove(min(self, key=lambda other: other.updated_at))
        self.by_name[quota.name] = quota
        self._forecasts[quota.name] = Forecast(quota)

    def remove(self, quota: Quota) -> None:
        """Remove a quota."""
        del self.by_name[quota.name], self._forecasts[quota.name]

    def clear(self) -> None:
        """Remove every quota."""
        self.by_name.clear()
        self._forecasts.clear()

    # ---- responses ---------------------------------------------------------------------------------------------------

    def observe(self, report: AttemptReport, *, cost: float, requests: int, units: float) -> list[QuotaEvent]:
        """Update the quotas that a response mentions."""
        events = []
        for observation in report.declared.observations:
            quota = self.by_name.get(observation.policy)
            if self._is_refill(observation):
                if quota is not None:
                    self.remove(quota)
                continue
            if not isinstance(quota, DeclaredQuota):
                quota = DeclaredQuota(name=observation.policy, unit=observation.unit)
                self.add(quota)
            in_flight = requests, units
            if observation.has_id:
                quota = self._join(quota, observation)
                in_flight = (len(quota.flights), quota.flights.units) if quota.flights is not None else in_flight
            if quota.observe(
                observation,
                sent=report.sent,
                received=report.received,
                cost=cost,
                inflight=quota.usage.units_in_flight(*in_flight),
                refused=report.refused,
            ):
                events.append(quota_event("policy_changed", quota))
        return events

    def _is_refill(self, observation: Observation) -> bool:
        """Return whether a policy only says how fast a bucket is refilled that holds more than it allows at once."""
        limit, window = observation.limit, observation.window
        if observation.remaining is not None or limit is None or window is None:
            return False
        rates = (quota.replenishment.rate for quota in self if (quota.limit or 0.0) > limit)
        return any(rate is not None and abs(rate * window - limit) <= RATE_TOLERANCE * limit for rate in rates)

    def _join(self, quota: DeclaredQuota, observation: Observation) -> DeclaredQuota:
        """Return the quota that a response states, which other lanes may share. It replaces that of this lane."""
        shared = find_shared(self.named, quota, observation, self.flight)
        if shared is not quota:
            self.add(shared)
        return shared

    def record_unreported(self, report: AttemptReport, *, cost: float) -> list[QuotaEvent]:
        """Count a response for the quotas that it does not mention. Remove those that others have replaced."""
        events = []
        mentioned = {observation.policy for observation in report.declared.observations}
        for quota in list(self):
            if quota.name in mentioned:
                continue
            replaced = bool(mentioned) and not isinstance(quota, UndeclaredQuota) and report.sent >= quota.probe_at()
            if replaced or not quota.record_unreported(sent=report.sent, received=report.received, cost=cost):
                self.remove(quota)
                events.append(quota_event("policy_changed", quota))
        return events

    def forecast(self, now: float, *, cost: float, requests: int, units: float, backlog: float) -> list[QuotaEvent]:
        """Return the events that are due; parameters as of `observe` and `Forecast.update`."""
        events = []
        for forecast in self._forecasts.values():
            inflight = forecast.quota.usage.units_in_flight(requests, units)
            events += forecast.update(now, cost=cost, inflight=inflight, backlog=backlog)
        return events

    # ---- refusals ----------------------------------------------------------------------------------------------------

    def explain_refusal(self, cost: float, declared: Declared, sent: float) -> Quota | None:
        """Return the quota that caused a refusal and mark it as used up, or `None` if no known quota explains it."""
        cause: Quota | None = None
        for quota in self:
            if isinstance(quota, UndeclaredQuota):
                if cause is None and quota.explain_refusal(sent, declared.retry_after, in_flight=len(self.flight)):
                    cause = quota
            elif quota.is_cause(cost, sent):
                cause = quota
            elif quota.name in declared.violated:
                quota.exhaust()
                cause = quota
        return cause

    def left(self) -> float:
        """Return the requests that all quotas certainly allow now; 0 if one of them does not say."""
        counted = (quota.remaining if quota.usage.counts_requests else None for quota in self)
        return min((remaining or 0.0 for remaining in counted), default=0.0)

    def undeclared(self) -> UndeclaredQuota | None:
        """Return the quota that no response states, or `None` if there is none."""
        return next((quota for quota in self if isinstance(quota, UndeclaredQuota)), None)

    def are_all_undeclared(self) -> bool:
        """Return whether no response states any of the quotas."""
        return all(isinstance(quota, UndeclaredQuota) for quota in self)

    def leaky_bucket(self) -> LeakyBucketQuota | None:
        """Return the quota that is a leaky bucket, or `None` if there is none."""
        return next((quota for quota in self if isinstance(quota, LeakyBucketQuota)), None)

    def has_leaky_bucket(self) -> bool:
        """Return whether one of the quotas is a leaky bucket."""
        return self.leaky_bucket() is not None

    # ---- state -------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return the quotas by name as JSON values."""
        return {name: save_quota(quota) for name, quota in self.by_name.items()}

    def restore(self, state: Any) -> None:
        """Restore what `state` returned; unreadable quotas are ignored."""
        for name, saved in list(state.items())[:MAX_QUOTAS] if isinstance(state, dict) else ():
            quota = load_quota(name, saved) if isinstance(name, str) else None
            if quota is not None:
                self.add(quota)
