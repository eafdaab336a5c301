"""`QuotaEvent`: something that a user may want to know of a quota."""

from __future__ import annotations

import attrs

__all__ = ["QuotaEvent"]


@attrs.frozen(kw_only=True)
class QuotaEvent:
    """Something that a user may want to know of a quota."""

    kind: str
    """``forecast`` (it will be used up before its reset), ``low`` (less than a fifth is left), ``critical`` (all that
    is left is on its way), ``refused``, ``recovered``, ``policy_changed``, or ``concurrency`` (refused since too many
    were on their way at once)."""
    policy: str
    """Of which policy; empty: of the scope as a whole."""
    limit: float | None = None
    remaining: float | None = None
    reset_at: float | None = None
    """Seconds since the epoch."""
    breach_at: float | None = None
    """Seconds since the epoch: when what is left would be used up at the present rate."""
    scope: str = ""
    """The lane or budget, where the client tells it."""
    fits: float | None = None
    """Units that still fit before the reset."""
