"""What users ask a running crawl: `statistics`, what it does at one moment; `explain`, what it knows of one URL."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import attrs

from crawler import urls
from crawler.hooks.crawl_statistics import CrawlStatistics, LaneStatistics, UrlFacts
from crawler.messages import Request
from crawler.outages.outages import NETWORK

if TYPE_CHECKING:
    from crawler.engine.admission import Admission
    from crawler.frontier import Frontier
    from crawler.limits.throttle_statistics import ThrottleStatistics
    from crawler.outages.breaker import OutageStatistics

__all__ = ["explain", "statistics"]


def statistics(frontier: Frontier, *, live: int, now: float) -> CrawlStatistics:
    """Return how much is in flight and waiting, what each limit allows, and what is down."""
    outages = frontier.outages.statistics()
    return CrawlStatistics(
        in_flight=frontier.open_tickets,
        waiting=max(0, live - frontier.open_tickets),
        next_start=frontier.next_at(),
        limits=_LimitStatistics(frontier, outages, now),
        lanes=_LaneStatistics(frontier),
        outages=outages,
    )


def explain(url: str, admission: Admission, frontier: Frontier) -> UrlFacts:
    """Return what a crawl knows about a URL. Nothing is fetched."""
    request = Request(url)
    lane = frontier.lanes.get(urls.origin(request.url))
    waiting = () if lane is None else lane.first(10_000)  # a lane may have millions
    rules = None if lane is None else lane.robots.find(lane.name)
    return UrlFacts(
        url=request.url,
        refused_by=admission.refused_by(request),
        is_known=admission.is_known(request),
        is_waiting=any(pending.request.url == request.url for pending in waiting),
        robots_allows=None if rules is None else rules.allows(request.url),
    )


class _LimitStatistics(Mapping[str, "ThrottleStatistics"]):
    """Statistics of each limit. They are made when they are looked up: a crawl may have thousands."""

    def __init__(self, frontier: Frontier, outages: Mapping[str, OutageStatistics], now: float) -> None:
        self._throttles = frontier.limits.throttles
        self._lanes = frontier.lanes
        self._outages = outages
        self._now = now

    def __getitem__(self, name: str) -> ThrottleStatistics:
        found = self._throttles[name].statistics(self._now)
        lane = self._lanes.get(name)
        if lane is not None and lane.is_paused:
            return attrs.evolve(found, ready_at=math.inf, blocked_by="pause")
        outage = self._outages.get(name) or self._outages.get(NETWORK)
        if outage is None or outage.next_probe < found.ready_at:
            return found
        return attrs.evolve(found, ready_at=outage.next_probe, blocked_by="outage")

    def __iter__(self) -> Iterator[str]:
        return iter(self._throttles)

    def __len__(self) -> int:
        return len(self._throttles)


class _LaneStatistics(Mapping[str, LaneStatistics]):
    """Statistics of each lane in memory. They are made when they are looked up."""

    def __init__(self, frontier: Frontier) -> None:
        self._lanes = frontier.lanes
        self._robots = frontier.robots

    def __getitem__(self, name: str) -> LaneStatistics:
        lane = self._lanes[name]
        head = lane.head()
        fetching = "fetching" if lane.robots.pending else ""
        return LaneStatistics(
            in_flight=lane.open_tickets,
            waiting=len(lane),
            has_more=lane.more,
            ready_at=lane.first_at(),
            attempts=0 if head is None else head.attempts,
            robots=fetching or ("failed" if self._robots.has_failed(name) else ""),
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._lanes)

    def __len__(self) -> int:
        return len(self._lanes)
