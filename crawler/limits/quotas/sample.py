"""`QuotaSample`: what one answer says of one policy, with all that the rules ask of it."""

from __future__ import annotations

import attrs

from crawler.limits.quotas.time_interval import Bracket

__all__ = ["QuotaSample"]


@attrs.frozen(kw_only=True, eq=False)
class QuotaSample:
    """One word on one policy."""

    left: float
    """Units left."""
    ends: Bracket | None
    """When something is restored; `None`: not said."""
    sent: float
    """Seconds since the epoch: when it was asked for."""
    received: float
    """Seconds since the epoch: when it came."""
    cost: float
    """Units of its request."""
    inflight: float
    """Units that are still on their way."""
    causal: bool
    """Whether it was asked for after the last word had come (rule 1)."""
    refused: bool
    """Whether it is a refusal."""
    broken: bool
    """Whether units are gone that nobody used: taken by a refusal, or by another limit."""
