"""`Host`: the state of one host at one moment, and why it waits."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from msgspec import Struct

from crawler.hooks.crawl_statistics import LaneStatistics
from crawler.monitor.host_state import IN_TURN, SOON, HostState, duration, state_of
from crawler.monitor.quotas import QuotaGauge, gauges
from crawler.printable import printable_line

if TYPE_CHECKING:
    from crawler.hooks.crawl import Crawl
    from crawler.hooks.crawl_statistics import CrawlStatistics

__all__ = ["Host", "busiest", "describe", "lane_id", "lane_of"]

NO_LANE: Final = LaneStatistics(in_flight=0, waiting=0, has_more=False, ready_at=math.inf, attempts=0, robots="")


class Host(Struct, frozen=True, kw_only=True):
    """The state of one host, or of another lane, at one moment."""

    name: str
    """Name of the lane as it is shown: an origin, or the name that requests give."""
    state: HostState
    """The state in one word."""
    words: str
    """The same in words, with the reason and the time, such as ``waiting for quota, 41 s``."""
    in_flight: int
    """Requests that are being fetched or handled."""
    waiting: int
    """Requests that wait in memory."""
    has_more: bool
    """Whether more requests wait in the store."""
    requests: int
    """Requests sent so far."""
    refusals: int
    """Responses by which the server refused load."""
    concurrency: int
    """Requests that may be in flight now."""
    ready_at: float | None
    """When the next request may start, in seconds since the epoch; `None` if it is not known."""
    rates: tuple[str, ...] = ()
    """The rates that settings ask for."""
    delay: float = 0.0
    """Seconds between two starts, by settings or robots.txt."""
    quotas: tuple[QuotaGauge, ...] = ()
    """The quotas that are known."""
    id: str = ""
    """The exact name of the lane, percent-encoded: two lanes may be shown by the same name."""


def busiest(crawl: Crawl, now: CrawlStatistics, limit: int) -> list[Host]:
    """Return the hosts with the most requests in flight and waiting, the busiest first."""
    time = crawl.clock()
    names = heapq.nlargest(limit, now.lanes, key=lambda name: _load(now.lanes[name]))
    return [describe(name, crawl, now, time) for name in names]


def describe(name: str, crawl: Crawl, now: CrawlStatistics, time: float) -> Host:
    """Return the state of one host."""
    lane, limit = now.lanes.get(name, NO_LANE), now.limits.get(name)
    counts = crawl.stats.lanes.get(name)
    ready_at = max(lane.ready_at, -math.inf if limit is None else limit.ready_at)
    state, words = state_of(lane, limit, time, crawl.settings.attempts)
    if words == IN_TURN and not now.in_flight and SOON <= now.next_start - time < math.inf:  # its proxy may be down
        words = f"next in {duration(now.next_start - time)}"
    return Host(
        name=printable_line(name),
        id=lane_id(name),
        state=state,
        words=words,
        in_flight=lane.in_flight,
        waiting=lane.waiting,
        has_more=lane.has_more,
        requests=0 if counts is None else counts.requests,
        refusals=0 if counts is None else counts.refusals,
        concurrency=0 if limit is None else limit.concurrency,
        ready_at=ready_at if -math.inf < ready_at < math.inf else None,
        rates=() if limit is None else limit.rates,
        delay=0.0 if limit is None else limit.delay,
        quotas=() if limit is None else tuple(gauges(limit)),
    )


def lane_id(name: str) -> str:
    """Return the name of a lane, percent-encoded. That of an origin stays as it is."""
    return quote(name, safe=":/[]", errors="surrogatepass")


def lane_of(encoded: str) -> str:
    """Return the name of a lane that `lane_id` has encoded."""
    return unquote(encoded, errors="surrogatepass")


def _load(lane: LaneStatistics) -> tuple[bool, int, bool, int]:
    return (lane.in_flight > 0, lane.in_flight, lane.has_more, lane.waiting)
