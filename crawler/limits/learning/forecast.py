"""What a user may want to know of a quota before it is used up."""

from __future__ import annotations

import math
from typing import Final

import attrs

from crawler.limits.events import QuotaEvent
from crawler.limits.quotas.quota import Quota

__all__ = ["Forecast", "event"]

LOW: Final = 0.2
"""Share of a limit under which a quota is low."""
CERTAIN: Final = 0.9
"""A breach is foretold if it comes within this share of the time to the reset: pacing alone comes close to 1."""


def event(kind: str, quota: Quota, *, breach_at: float | None = None, fits: float | None = None) -> QuotaEvent:
    """An event of a policy as it is now."""
    return QuotaEvent(
        kind=kind,
        policy=quota.name,
        limit=quota.limit,
        remaining=quota.remaining,
        reset_at=quota.ends.hi if quota.ends.hi < math.inf else None,
        breach_at=breach_at,
        fits=fits,
    )


@attrs.define(eq=False)
class Forecast:
    """Says each thing once a window."""

    quota: Quota
    """Of which policy."""
    rate: float = 0.0
    """Units a second that we use, smoothed over a tenth of the window and at least 5 s."""
    _at: float = -math.inf
    _epoch: int = -1
    _said: set[str] = attrs.field(factory=set)

    def update(self, now: float, *, cost: float, inflight: float, backlog: float) -> list[QuotaEvent]:
        """What one more answer makes known.

        Parameters:
            now: seconds since the epoch: when it came.
            cost: units that its request took.
            inflight: units on their way.
            backlog: units that wait.
        """
        quota = self.quota
        self._count(now, cost)
        if quota.epoch != self._epoch:
            self._epoch = quota.epoch
            self._said.clear()
        left = quota.remaining
        if left is None:
            return []
        events = []
        fits = max(0.0, left - inflight)
        if quota.limit and left < LOW * quota.limit and self._first("low"):
            events.append(event("low", quota))
        if left <= inflight + quota.usage.reserve(quota.pressure) and self._first("critical"):
            events.append(event("critical", quota))
        speed = self.rate + quota.usage.others
        if (
            backlog > fits
            and speed > 0
            and -math.inf < quota.ends.lo < math.inf
            and quota.restoration.kind != "continuous"
        ):
            breach_at = now + fits / speed
            if breach_at - now < CERTAIN * (quota.ends.lo - now) and self._first("forecast"):
                events.append(event("forecast", quota, breach_at=breach_at, fits=fits))
        return events

    def _count(self, now: float, cost: float) -> None:
        memory = max(5.0, (self.quota.window.length or 0.0) / 10)
        passed = max(0.0, now - self._at)
        self.rate = self.rate * math.exp(-passed / memory) + cost / memory
        self._at = max(self._at, now)

    def _first(self, kind: str) -> bool:
        if kind in self._said:
            return False
        self._said.add(kind)
        return True
