"""`Heartbeat`: a line in the log now and then, for crawls that nobody watches."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from crawler import ConfigError, Crawl, Plugin

__all__ = ["Heartbeat"]

log = logging.getLogger("crawler.plugins.heartbeat")


class Heartbeat(Plugin):
    """Logs how a crawl is getting on, at level WARNING so that it shows by default.

    Parameters:
        every: seconds between two lines, above 0.

    Raises:
        ConfigError: `every` is not above 0.
    """

    def __init__(self, every: float = 60.0) -> None:
        if not every > 0:
            raise ConfigError(f"heartbeat: every must be above 0 seconds, not {every}")
        self.every = every

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Beats beside the crawl."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._beat, crawl)
            yield
            nursery.cancel_scope.cancel(reason="the crawl has ended")

    async def _beat(self, crawl: Crawl) -> None:
        pages = 0
        while True:
            await trio.sleep(self.every)
            stats = crawl.stats
            rate = (stats.pages - pages) / self.every
            pages = stats.pages
            log.warning("%d pages (%.1f/s), %d items, %d failed", pages, rate, stats.items, stats.failed)
