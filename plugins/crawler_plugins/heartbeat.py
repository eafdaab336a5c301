"""`Heartbeat`: log the progress of an unattended crawl at regular intervals."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import trio

from crawler import ConfigError, Crawl, Plugin

__all__ = ["Heartbeat"]

log = logging.getLogger("crawler.plugins.heartbeat")


class Heartbeat(Plugin):
    """Logs the progress of a crawl at regular intervals, at level WARNING so that it is shown by default.

    A message has the counts so far, the pages per second since the last message, the queue with the time that it needs
    at that rate, what requests waited for meanwhile, and what cannot be reached.

    Parameters:
        every: Seconds between two messages, above 0.

    Raises:
        ConfigError: `every` is not above 0.
    """

    def __init__(self, every: float = 60.0) -> None:
        if not 0 < every < math.inf:
            raise ConfigError(f"heartbeat: every must be above 0 seconds, not {every}")
        self.every = every
        self._pages = 0
        self._waited: Counter[str] = Counter()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Log while the crawl runs."""
        self._pages = crawl.stats.pages  # a job counts those of earlier runs as well
        crawl.start_soon(self._keep_logging, crawl)
        yield

    async def _keep_logging(self, crawl: Crawl) -> None:
        while True:
            await trio.sleep(self.every)
            log.warning("%s", ", ".join(self._parts(crawl)))

    def _parts(self, crawl: Crawl) -> Iterator[str]:
        """Yield the parts of a message."""
        stats, now = crawl.stats, crawl.control.statistics()
        rate = (stats.pages - self._pages) / self.every
        self._pages = stats.pages
        yield f"{stats.pages} pages ({rate:.1f}/s), {stats.items} items, {stats.failed} failed"
        left = f" ({_duration(now.waiting / rate)} at this rate)" if rate and now.waiting else ""
        yield f"{now.in_flight} in flight, {now.waiting} waiting{left}"
        waited = self._waits(crawl)
        if waited:
            yield "waited for " + " and ".join(f"{reason} {seconds:.0f} s" for reason, seconds in waited)
        pause = now.next_start - crawl.clock()
        if not now.in_flight and 1 <= pause < math.inf:
            yield f"next request in {_duration(pause)}"
        if now.outages:
            yield f"unreachable: {', '.join(sorted(now.outages)[:3])}{', …' if len(now.outages) > 3 else ''}"
        if crawl.reason is not None:
            yield f"stopping ({crawl.reason})"

    def _waits(self, crawl: Crawl) -> list[tuple[str, float]]:
        """Return the two longest waits since the last message: reason, and seconds over all lanes."""
        total: Counter[str] = Counter()
        for lane in crawl.stats.lanes.values():
            total.update(lane.waited)
        passed, self._waited = total - self._waited, total
        return [(reason, seconds) for reason, seconds in passed.most_common(2) if seconds >= 0.5]


def _duration(seconds: float) -> str:
    """Return a duration in words: ``40 s``, ``3 min``, ``1.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
