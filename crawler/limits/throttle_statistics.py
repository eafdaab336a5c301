"""`ThrottleStatistics`: what one limit allows at one moment."""

from __future__ import annotations

from typing import Any

import attrs

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
