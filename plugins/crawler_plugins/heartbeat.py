"""`Heartbeat`: log the progress of an unattended crawl at regular intervals."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from crawler import ConfigError, Crawl, Plugin

__all__ = ["Heartbeat"]

log = logging.getLogger("crawler.plugins.heartbeat")


class Heartbeat(Plugin):
    """Logs the progress of a crawl at regular intervals, at level WARNING so that it is shown by default.

    Parameters:
        every: Seconds between two messages, above 0.

    Raises:
        ConfigError: `every` is not above 0.
    """

    def __init__(self, every: float = 60.0) -> None:
        if not every > 0:
            raise ConfigError(f"heartbeat: every must be above 0 seconds, not {every}")
        self.every = every

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Log while the crawl runs."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._log, crawl)
            yield
            nursery.cancel_scope.cancel(reason="the crawl has ended")

    async def _log(self, crawl: Crawl) -> None:
        pages = 0
        while True:
            await trio.sleep(self.every)
            stats = crawl.stats
            rate = (stats.pages - pages) / self.every
            pages = stats.pages
            log.warning("%d pages (%.1f/s), %d items, %d failed", pages, rate, stats.items, stats.failed)
