"""`Engine`: what spiders and components reach as ``crawler.engine``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

if TYPE_CHECKING:
    import crawler

__all__ = ["Engine"]


class Engine:
    """The methods of Scrapy's engine that projects call, carried out by the crawl.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        add: Adds a request of Scrapy to the crawl.
        fetch: Fetches a request of Scrapy now.
        components: The downloader middlewares, the spider middlewares and the pipelines, for the methods of the crawler
            that find one of them.
    """

    def __init__(
        self,
        scrapy: Any,
        add: Callable[[Any], None],
        fetch: Callable[[Any], Awaitable[Any]],
        components: tuple[list[Any], list[Any], list[Any]],
    ) -> None:
        downloader, spider, pipelines = (SimpleNamespace(middlewares=found) for found in components)
        self.downloader = SimpleNamespace(middleware=downloader)
        self.scraper = SimpleNamespace(spidermw=spider, itemproc=pipelines)
        self.crawler = scrapy
        self.settings = scrapy.settings
        self.signals = scrapy.signals
        self.spider: Any = scrapy.spider
        self.running = False
        self.paused = False
        self.start_time: float | None = None
        self._add = add
        self._fetch = fetch
        self._crawl: crawler.Crawl | None = None

    def open(self, crawl: crawler.Crawl) -> None:
        """Begin, with the running crawl."""
        self._crawl, self.running, self.start_time = crawl, True, crawl.clock()

    def crawl(self, request: Any, spider: Any = None) -> None:
        """Add a request to the crawl."""
        self._add(request)

    def download(self, request: Any, spider: Any = None) -> Any:
        """Fetch a request through the downloader middlewares, and return a Deferred of its response."""
        done: Any = Deferred()

        async def fetch() -> None:
            try:
                response = await self._fetch(request)
            except Exception:
                done.errback(Failure())
            else:
                done.callback(response)

        self._running.start_soon(fetch)
        return done

    async def download_async(self, request: Any) -> Any:
        """Fetch a request through the downloader middlewares, and return its response."""
        return await maybe_deferred_to_future(self.download(request))

    def close_spider(self, spider: Any = None, reason: str = "cancelled") -> Any:
        """End the crawl."""
        self._running.stop(reason)
        return succeed(None)

    async def close_spider_async(self, *, reason: str = "cancelled") -> None:
        """End the crawl."""
        self._running.stop(reason)

    def stop(self) -> Any:
        """End the crawl."""
        return self.close_spider(reason="shutdown")

    async def stop_async(self) -> None:
        """End the crawl."""
        self._running.stop("shutdown")

    def pause(self) -> None:
        """Start no further requests."""
        self.paused = True
        self._running.pause()

    def unpause(self) -> None:
        """Start requests again."""
        self.paused = False
        self._running.resume()

    def needs_backout(self) -> bool:
        """Return whether no request is wanted now: as many are in flight as may be."""
        statistics = self._running.statistics()
        return statistics.in_flight >= self._running.settings.workers

    def spider_is_idle(self, spider: Any = None) -> bool:
        """Return whether nothing is in flight and nothing waits."""
        statistics = self._running.statistics()
        return not (statistics.in_flight or statistics.waiting)

    @property
    def _running(self) -> crawler.Crawl:
        if self._crawl is None:
            raise RuntimeError("crawler.engine can be used while the crawl runs, from the signal spider_opened on")
        return self._crawl
