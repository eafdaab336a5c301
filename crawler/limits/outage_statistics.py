"""`OutageStatistics`: a host, a proxy or the network that is down."""

from __future__ import annotations

import attrs

__all__ = ["OutageStatistics"]


@attrs.frozen(kw_only=True)
class OutageStatistics:
    """An outage at one moment."""

    since: float
    """When it began, in seconds since the epoch."""
    next_probe: float
    """When it is tried again, in seconds since the epoch. In the past while a request finds out."""
    error: str
    """Message of the last failure."""
