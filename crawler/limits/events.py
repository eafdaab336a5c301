"""`QuotaEvent`: a change of a quota that may interest users."""

from __future__ import annotations

import attrs

__all__ = ["QuotaEvent"]


@attrs.frozen(kw_only=True)
class QuotaEvent:
    """A change of a quota that may interest users."""

    kind: str
    """``forecast`` (it will be used up before its reset), ``low`` (less than a fifth is left), ``critical`` (the
    requests in flight use up what is left), ``refused``, ``recovered``, ``policy_changed``, or ``concurrency`` (there
    were too many requests in flight)."""
    policy: str
    """Name of the policy; empty if the event concerns the lane or budget as a whole."""
    limit: float | None = None
    """Units per window."""
    remaining: float | None = None
    """Units left."""
    reset_at: float | None = None
    """When the quota is restored, in seconds since the epoch."""
    breach_at: float | None = None
    """When the quota will be used up at the present rate, in seconds since the epoch."""
    scope: str = ""
    """Name of the lane or budget."""
    fits: float | None = None
    """Units that may still be used before the reset."""
