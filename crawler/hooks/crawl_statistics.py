"""The state of a running crawl, for plugins and views: `CrawlStatistics` and `UrlFacts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from crawler.limits.throttle_statistics import ThrottleStatistics
    from crawler.outages.breaker import OutageStatistics

__all__ = ["CrawlStatistics", "LaneStatistics", "UrlFacts"]


@attrs.frozen(kw_only=True)
class LaneStatistics:
    """The requests of one lane at one moment."""

    in_flight: int
    """Requests that are being fetched or handled."""
    waiting: int
    """Requests that wait in memory."""
    has_more: bool
    """Whether more requests wait in the store."""
    ready_at: float
    """When the next request may start if no limit holds it back, in seconds since the epoch: in the past, or when the
    first of the requests that have failed is tried again. Infinite if there is none."""
    attempts: int
    """Attempts of the next request so far."""
    robots: str
    """``fetching`` while the robots.txt of the lane is fetched, ``failed`` if it could not be fetched and is tried
    again, or empty."""


@attrs.frozen(kw_only=True)
class CrawlStatistics:
    """The state of a crawl at one moment."""

    in_flight: int
    """Pages that are being fetched or handled."""
    waiting: int
    """Requests that wait."""
    next_start: float
    """When the next request may start, in seconds since the epoch, as far as is known; infinite if it is not."""
    limits: Mapping[str, ThrottleStatistics]
    """The state of each limit, by the name of its lane or budget. Made when it is looked up."""
    lanes: Mapping[str, LaneStatistics] = attrs.field(factory=dict)
    """The requests of each lane in memory, by its name. Made when they are looked up."""
    outages: Mapping[str, OutageStatistics] = attrs.field(factory=dict)
    """Outages by origin, by proxy, or by ``network``. Requests wait until they end, and lose no attempts."""


@attrs.frozen(kw_only=True)
class UrlFacts:
    """The facts that a crawl knows about one URL."""

    url: str
    """The URL in its canonical form."""
    refused_by: str | None
    """Why it does not belong to the crawl, such as ``scope`` or ``exclude``; `None` if it does."""
    is_known: bool
    """Whether a request for it was made, and is waiting or settled. A job also knows older ones on the disk."""
    is_waiting: bool
    """Whether that request waits in memory."""
    robots_allows: bool | None
    """Whether robots.txt allows it; `None` if the file is not known yet."""
