"""`QuotaSample`: what one response shows about one policy, with the context that the rules of a quota need."""

from __future__ import annotations

import attrs

from crawler.limits.quotas.time_interval import TimeInterval

__all__ = ["QuotaSample"]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class QuotaSample:
    """One response's observation of one policy."""

    remaining: float
    """Units left."""
    reset: TimeInterval | None
    """When units are restored. `None` means that the response does not state it."""
    sent: float
    """When the request was sent, in seconds since the epoch."""
    received: float
    """When the response was received, in seconds since the epoch."""
    cost: float
    """Units that the request cost."""
    inflight: float
    """Units of the requests still in flight."""
    causal: bool
    """Whether the request was sent after the previous update was received (rule 1)."""
    refused: bool
    """Whether the response is a refusal."""
    disrupted: bool
    """Whether units may be gone that no client used: a refusal or a changed limit took them."""

    @property
    def used(self) -> float:
        """Units that the request has used: none if it was refused."""
        return 0.0 if self.refused else self.cost
