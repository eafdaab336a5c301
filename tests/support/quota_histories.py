"""Histories of responses that state a quota, for tests."""

from __future__ import annotations

from typing import Any

from crawler.limits.headers.declared import Observation
from crawler.limits.quotas.declared_quota import DeclaredQuota
from crawler.limits.quotas.quota import Quota

NOW = 1_800_000_000.0


def observation(remaining: float | None, reset: float | None = None, **values: Any) -> Observation:
    """Sixty per minute; `reset`: seconds after `NOW`, stated in whole seconds and rounded up."""
    time_range = None if reset is None else (NOW + reset - 1.0, NOW + reset)
    return Observation(policy="p", limit=60.0, window=60.0, remaining=remaining, reset=time_range, **values)


def quota(*responses: tuple[Observation, float, float], inflight: float = 0.0) -> DeclaredQuota:
    """A quota after these responses: observation, and seconds after `NOW` when it was requested and received."""
    made = DeclaredQuota(name="p")
    for stated, sent, received in responses:
        made.observe(stated, sent=NOW + sent, received=NOW + received, inflight=inflight)
    return made


def ready(made: Quota, now: float, *, inflight: float = 0.0, in_flight: tuple[float, ...] = ()) -> float:
    """Seconds after `NOW` when the next request may start; `in_flight`: when those in flight started."""
    at = made.ready_at(
        NOW + now,
        cost=1.0,
        inflight=inflight,
        in_flight_since=lambda since: any(NOW + at >= since for at in in_flight),
    )
    return at - NOW


def counted(limit: float, *sent: float) -> DeclaredQuota:
    """A policy of which only a limit per ten seconds is stated; `sent`: seconds after `NOW`."""
    made = DeclaredQuota(name="p")
    for at in sent:
        stated = Observation(policy="p", limit=limit, window=10.0)
        made.observe(stated, sent=NOW + at, received=NOW + at + 0.1)
    return made
