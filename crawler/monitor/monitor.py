"""`Monitor`: takes snapshots of a running crawl."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from crawler.errors import HookError
from crawler.monitor.hosts import Host, busiest
from crawler.monitor.quotas import forecast, seconds_for
from crawler.outages.outages import NETWORK
from crawler.printable import printable_line
from crawler.redaction import redact

if TYPE_CHECKING:
    from crawler.hooks.crawl import Crawl
    from crawler.hooks.crawl_statistics import CrawlStatistics
    from crawler.messages import Failure

__all__ = ["Monitor", "Problem", "Rate", "Snapshot"]


class Rate:
    """The growth of a counter per second, over the last seconds.

    Parameters:
        window: Seconds over which it is measured.
    """

    def __init__(self, window: float = 10.0) -> None:  # seconds over which a rate is measured
        self._window = window
        self._values: deque[tuple[float, float]] = deque()

    def note(self, now: float, value: float) -> None:
        """Record the value of the counter at `now`, in seconds. A clock that goes back starts a new measurement."""
        values = self._values
        if values and now < values[-1][0]:
            values.clear()
        if len(values) > 1 and now - values[-2][0] < 0.25:  # seconds between two values that are kept
            values.pop()
        values.append((now, value))
        while len(values) > 2 and values[1][0] <= now - self._window:
            values.popleft()

    def per_second(self) -> float:
        """Return the growth per second; 0 until two values are known."""
        if len(self._values) < 2:
            return 0.0
        (began, first), (ended, last) = self._values[0], self._values[-1]
        return max(0.0, (last - first) / (ended - began)) if ended > began else 0.0


MAX_PROBLEMS: Final = 100
"""Maximum number of kinds of failures that are kept."""


class Problem(Struct, kw_only=True):
    """A kind of failure, with the last request that failed in this way."""

    time: float
    """When the last one failed, in seconds since the epoch."""
    kind: str
    """Exact kind of the failure, such as ``connect_failed.refused``."""
    message: str
    """The message of the last one, on one line."""
    url: str
    """URL of the last one."""
    count: int = 1
    """Number of failures of this kind in this run."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """The state of a crawl at one moment. All values are JSON values; text is safe to be shown in a terminal."""

    time: float
    """Seconds since the epoch."""
    seconds: float
    """Seconds since the start of this run."""
    spider: str
    """Name of the spider."""
    stopping: str | None
    """Why the crawl ends; `None` while it runs."""
    pages: int
    """Responses whose callback succeeded, in all runs of the job."""
    items: int
    """Items that were committed, in all runs of the job."""
    requests: int
    """Requests that were sent, in all runs of the job."""
    retries: int
    """Attempts that were followed by another one."""
    failed: int
    """Requests and pages that failed."""
    filtered: int
    """Requests that were not made."""
    body_bytes: int
    """Decoded bytes of all bodies."""
    pages_per_second: float
    """Pages a second now."""
    average: float
    """Pages a second since the start of this run."""
    bytes_per_second: float
    """Decoded bytes a second now."""
    in_flight: int
    """Pages that are being fetched or handled."""
    waiting: int
    """Requests that wait."""
    held_by_others: bool = False
    """Whether all requests that wait are for hosts that other workers of the job hold."""
    next_start: float | None
    """When the next request may start, in seconds since the epoch; `None` if it is not known."""
    seconds_left: float | None
    """Minimum number of seconds until nothing waits, if no further requests are found; `None` if unknown."""
    network_down_since: float | None
    """When the network went down, in seconds since the epoch; `None` if it is up."""
    down: Sequence[str]
    """Origins and proxies that cannot be reached."""
    hosts: Sequence[Host]
    """The busiest hosts."""
    host_count: int
    """Hosts with requests in memory."""
    statuses: dict[int, int]
    """Responses by HTTP status."""
    problems: Sequence[Problem]
    """The kinds of failures of this run, the latest first."""


class Monitor:
    """Measures the rates of a crawl, keeps its last failures, and takes snapshots.

    Take a snapshot at least every few seconds: rates are measured between them.

    Parameters:
        crawl: The running crawl.
    """

    def __init__(self, crawl: Crawl) -> None:
        self._crawl = crawl
        self._began = crawl.clock()
        self._earlier = crawl.stats.pages
        self._pages, self._bytes = Rate(), Rate()
        self._sent: dict[str, Rate] = {}
        self._problems: dict[str, Problem] = {}

    def note_failure(self, failure: Failure) -> None:
        """Count a failure; see `Plugin.failed`."""
        error, now = failure.error, self._crawl.clock()
        where = f"{error.plugin}.{error.hook}: " if isinstance(error, HookError) else ""
        message = printable_line(redact(f"{where}{error}"))
        url = printable_line(redact(failure.request.url))
        found = self._problems.pop(error.full_reason, None)
        count = 1 if found is None else found.count + 1
        self._problems[error.full_reason] = Problem(
            time=now, kind=error.full_reason, message=message, url=url, count=count
        )
        if len(self._problems) > MAX_PROBLEMS:
            del self._problems[next(iter(self._problems))]

    def snapshot(self, hosts: int = 10) -> Snapshot:
        """Return the state of the crawl.

        Parameters:
            hosts: Maximum number of hosts to describe.
        """
        crawl, stats = self._crawl, self._crawl.stats
        now, time = crawl.control.statistics(), crawl.clock()
        seconds = max(0.0, time - self._began)
        self._pages.note(time, stats.pages)
        self._bytes.note(time, stats.bytes)
        shown = [self._measured(host, time) for host in busiest(crawl, now, hosts)]
        network = now.outages.get(NETWORK)
        return Snapshot(
            time=time,
            seconds=seconds,
            spider=printable_line(crawl.spider.name),
            stopping=None if crawl.reason is None else printable_line(crawl.reason),
            pages=stats.pages,
            items=stats.items,
            requests=stats.requests,
            retries=stats.retries,
            failed=stats.failed,
            filtered=stats.filtered.total(),
            body_bytes=stats.bytes,
            pages_per_second=self._pages.per_second(),
            average=(stats.pages - self._earlier) / seconds if seconds else 0.0,
            bytes_per_second=self._bytes.per_second(),
            in_flight=now.in_flight,
            waiting=now.waiting,
            held_by_others=crawl.job.durable and crawl.job.folder is None and _is_held_by_others(now),
            next_start=now.next_start if -math.inf < now.next_start < math.inf else None,
            seconds_left=seconds_left(now.waiting + now.in_flight, self._pages.per_second(), shown, time),
            network_down_since=None if network is None else network.since,
            down=[printable_line(name) for name in now.outages if name != NETWORK],
            hosts=shown,
            host_count=len(now.lanes),
            statuses=dict(stats.statuses),
            problems=list(reversed(self._problems.values())),
        )

    def _measured(self, host: Host, time: float) -> Host:
        """Return a host whose quotas have a forecast."""
        if not host.quotas:
            return host
        rate = self._sent.get(host.name)
        if rate is None:
            if len(self._sent) >= 1_000:  # the rate of further hosts is not measured
                del self._sent[next(iter(self._sent))]
            rate = self._sent[host.name] = Rate(60.0)
        rate.note(time, host.requests)
        quotas = tuple(forecast(gauge, rate.per_second(), time) for gauge in host.quotas)
        return msgspec.structs.replace(host, quotas=quotas)


def _is_held_by_others(now: CrawlStatistics) -> bool:
    """Return whether requests of a shared job wait, but none of them in this worker."""
    has_own = any(lane.in_flight or lane.waiting or lane.has_more for lane in now.lanes.values())
    return bool(now.waiting) and not now.in_flight and not has_own


def seconds_left(waiting: int, rate: float, hosts: Sequence[Host], now: float) -> float | None:
    """Return the minimum number of seconds until nothing waits; `None` if unknown."""
    if not waiting:
        return 0.0
    only = len(hosts) == 1
    units = {host.name: waiting if only else host.waiting for host in hosts}
    least = max((seconds_for(gauge, units[host.name], now) for host in hosts for gauge in host.quotas), default=0.0)
    if rate <= 0:
        return least or None
    return max(least, waiting / rate)
