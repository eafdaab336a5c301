"""`CrawlLimits`: stops a crawl at `max_pages`, `max_items`, `max_errors` and `max_seconds`.

Rule: a crawl fetches no page and stores no item that a limit does not allow. The counts are those of the whole job: of
its earlier runs and of all its workers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from crawler.engine.peers import Peers
    from crawler.engine.shutdown import Shutdown
    from crawler.settings import Settings
    from crawler.stats import Stats
    from crawler.store import Outcome

__all__ = ["CrawlLimits", "NoCrawlLimits"]


class CrawlLimits:
    """The limits of a crawl that has at least one."""

    def __init__(self, settings: Settings, stats: Stats, peers: Peers, shutdown: Shutdown) -> None:
        self._pages = math.inf if settings.max_pages is None else settings.max_pages
        self._items = math.inf if settings.max_items is None else settings.max_items
        self._errors = math.inf if settings.max_errors is None else settings.max_errors
        self._seconds = math.inf if settings.max_seconds is None else settings.max_seconds
        self._stats = stats
        self._peers = peers
        self._shutdown = shutdown

    def room(self, free: int, in_flight: int) -> int:
        """Return how many of `free` further pages may start beside those in flight, each of which may succeed."""
        return int(min(free, self._pages - self._total("pages") - in_flight))

    def within(self, outcomes: Sequence[Outcome]) -> int:
        """Return how many outcomes come before `max_items` is reached."""
        items = self._total("items")
        for index, outcome in enumerate(outcomes):
            if items >= self._items:
                return index
            items += len(outcome.items) + outcome.staged_items
        return len(outcomes)

    def check(self) -> None:
        """Stop the crawl if a limit was reached, in this run or in an earlier one of its job."""
        if self._total("pages") >= self._pages:
            self._shutdown.stop("max_pages")
        if self._total("items") >= self._items:
            self._shutdown.stop("max_items")
        if self._total("failed") >= self._errors:
            self._shutdown.stop("max_errors", by_limit=True)

    async def watch(self) -> None:
        """Stop the crawl after `max_seconds`."""
        await trio.sleep(self._seconds)
        self._shutdown.stop("max_seconds")

    def _total(self, name: str) -> int:
        """Return a count of all workers."""
        own: int = getattr(self._stats, name)
        return own + self._peers.counts.get(name, 0)


class NoCrawlLimits:
    """A crawl that ends when nothing is left to do. It asks nobody, for no page."""

    within = staticmethod(len)
    """Return how many of these outcomes may be committed."""

    def room(self, free: int, in_flight: int) -> int:
        """Return how many of `free` further pages may start beside those in flight, each of which may succeed."""
        return free

    def check(self) -> None:
        """Stop the crawl if a limit is reached."""
