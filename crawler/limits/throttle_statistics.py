"""`ThrottleStatistics`: what one limit allows at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import attrs

if TYPE_CHECKING:
    from crawler.limits.throttle import Throttle

__all__ = ["ThrottleStatistics"]


@attrs.frozen(kw_only=True)
class ThrottleStatistics:
    """The state of one limit at one moment."""

    ready_at: float
    """When the next request may start, in seconds since the epoch; infinite: after a response arrives."""
    blocked_by: str
    """What it waits for: ``refusal``, ``quota``, ``pace``, ``delay``, ``outage``, ``pause`` or nothing."""
    in_flight: int
    """Requests in flight."""
    concurrency: int
    """Requests that may be in flight now."""
    max_concurrency: int
    """Requests that may be in flight if the server keeps up."""
    delay: float
    """Seconds between two starts, as settings or a robots.txt ask for."""
    rates: tuple[str, ...]
    """The rates that settings ask for, such as ``60/min``."""
    policies: dict[str, dict[str, Any]]
    """What the server declared and what was learned, by policy, as JSON values."""

    @classmethod
    def of(cls, throttle: Throttle, now: float) -> Self:
        """Return what a limit allows at `now` (seconds since the epoch)."""
        ready_at = throttle.ready_at(now)
        return cls(
            ready_at=ready_at,
            blocked_by=throttle.blocked_by,
            in_flight=throttle.busy,
            concurrency=throttle.concurrency.limit,
            max_concurrency=throttle.concurrency.most,
            delay=throttle.pacing.delay,
            rates=throttle.pacing.pace.rate,
            policies=throttle.policies(),
        )
