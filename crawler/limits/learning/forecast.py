"""`Forecast`: warn about a quota before it is used up."""

from __future__ import annotations

import math
from typing import Final

import attrs

from crawler.limits.events import QuotaEvent
from crawler.limits.quotas.quota import Quota

__all__ = ["Forecast", "quota_event"]

LOW_SHARE: Final = 0.2
"""Share of the limit below which a quota is low."""
BREACH_SHARE: Final = 0.9
"""Share of the time to the reset within which a breach is forecast. Pacing alone comes close to 1."""
MIN_AVERAGING: Final = 5.0
"""Seconds over which the rate of use is averaged at least; a tenth of the window if that is more."""


def quota_event(kind: str, quota: Quota, *, breach_at: float | None = None, fits: float | None = None) -> QuotaEvent:
    """Return an event with the present values of a quota."""
    return QuotaEvent(
        kind=kind,
        policy=quota.name,
        limit=quota.limit,
        remaining=quota.remaining,
        reset_at=quota.reset.latest if quota.reset.latest < math.inf else None,
        breach_at=breach_at,
        fits=fits,
    )


@attrs.define(eq=False, repr=False)
class Forecast:
    """Reports each event of a quota once per window."""

    quota: Quota
    rate: float = 0.0
    """Units per second that we use, as a moving average."""
    _updated_at: float = -math.inf
    _window: int = -1
    _reported: set[str] = attrs.field(factory=set)

    def update(self, now: float, *, cost: float, inflight: float, backlog: float) -> list[QuotaEvent]:
        """Return the events that one response causes."""
        quota = self.quota
        self._update_rate(now, cost)
        if quota.window_count != self._window:
            self._window = quota.window_count
            self._reported.clear()
        remaining = quota.remaining
        if remaining is None:
            return []
        events = []
        fits = max(0.0, remaining - inflight)
        if quota.limit and remaining < LOW_SHARE * quota.limit and self._is_new("low"):
            events.append(quota_event("low", quota))
        if remaining <= inflight + quota.usage.reserve(quota.rate_of_others) and self._is_new("critical"):
            events.append(quota_event("critical", quota))
        rate = self.rate + quota.usage.others
        if (
            backlog > fits
            and rate > 0
            and -math.inf < quota.reset.earliest < math.inf
            and quota.replenishment.kind != "continuous"
        ):
            breach_at = now + fits / rate
            if breach_at - now < BREACH_SHARE * (quota.reset.earliest - now) and self._is_new("forecast"):
                events.append(quota_event("forecast", quota, breach_at=breach_at, fits=fits))
        return events

    def _update_rate(self, now: float, cost: float) -> None:
        averaging = max(MIN_AVERAGING, (self.quota.window.length or 0.0) / 10)
        passed = max(0.0, now - self._updated_at)
        self.rate = self.rate * math.exp(-passed / averaging) + cost / averaging
        self._updated_at = max(self._updated_at, now)

    def _is_new(self, kind: str) -> bool:
        """Return whether an event of this kind was not reported in this window, and remember it."""
        if kind in self._reported:
            return False
        self._reported.add(kind)
        return True
