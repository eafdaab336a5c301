"""`Engine`: what spiders and components reach as ``crawler.engine``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from crawler_plugins.scrapy.download_slots import DownloadSlot, DownloadSlots
from crawler_plugins.scrapy.handlers import host_of

if TYPE_CHECKING:
    import crawler

__all__ = ["Engine"]

NOT_RUNNING: Final = "crawler.engine can be used while the crawl runs, from the signal spider_opened on"


class Downloader:
    """What extensions read of the downloader: how much is in flight.

    Parameters:
        middleware: Has the downloader middlewares.
        slots: The slots of hosts.
        statistics: Returns the statistics of the crawl.
    """

    def __init__(self, middleware: Any, slots: DownloadSlots, statistics: Callable[[], Any]) -> None:
        self.middleware = middleware
        self.slots = slots
        self._statistics = statistics

    @property
    def active(self) -> range:
        """As many elements as requests are in flight."""
        return range(self._statistics().in_flight)

    def get_slot_key(self, request: Any, _spider: Any = None) -> str:
        """Return the key of the slot of a request."""
        return str(request.meta.get("download_slot") or host_of(request.url))

    _get_slot_key = get_slot_key  # its only name before Scrapy 2.12

    def _get_slot(self, request: Any, _spider: Any = None) -> tuple[str, DownloadSlot]:
        """Return the key of the slot of a request, and the slot."""
        key = self.get_slot_key(request)
        return key, self.slots.slot(key)


class Slot:
    """What extensions read of the scheduler: how many requests wait, and how many are in flight.

    Parameters:
        statistics: Returns the statistics of the crawl.
        add: Adds a request of Scrapy to the crawl.
    """

    def __init__(self, statistics: Callable[[], Any], add: Callable[[Any], None]) -> None:
        self._statistics = statistics
        self._add = add
        self.scheduler = self

    def enqueue_request(self, request: Any) -> bool:
        """Add a request to the crawl."""
        self._add(request)
        return True

    def __len__(self) -> int:
        """Return how many requests wait."""
        waiting: int = self._statistics().waiting
        return waiting

    def __bool__(self) -> bool:
        """Return that it is there."""
        return True

    def has_pending_requests(self) -> bool:
        """Return whether requests wait."""
        return len(self) > 0

    @property
    def inprogress(self) -> range:
        """As many elements as requests are in flight."""
        return range(self._statistics().in_flight)


class Engine:
    """The methods of Scrapy's engine that projects call, carried out by the crawl.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        add: Adds a request of Scrapy to the crawl.
        fetch: Fetches a request of Scrapy now.
        fetch_plainly: The same, past the components.
        components: The downloader middlewares, the spider middlewares and the pipelines, for the methods of the crawler
            that find one of them.
        scraping: The responses in callbacks and pipelines.
    """

    def __init__(
        self,
        scrapy: Any,
        add: Callable[[Any], None],
        fetch: Callable[[Any], Awaitable[Any]],
        fetch_plainly: Callable[[Any], Awaitable[Any]],
        components: tuple[list[Any], list[Any], list[Any]],
        scraping: Collection[Any],
    ) -> None:
        downloader, spider, pipelines = (SimpleNamespace(middlewares=found) for found in components)
        self.slot = self._slot = Slot(self._statistics, add)
        slots = DownloadSlots(scrapy.settings, lambda: self._running)
        self.downloader = Downloader(downloader, slots, self._statistics)
        self.scraper = SimpleNamespace(
            spidermw=spider,
            itemproc=pipelines,
            is_idle=lambda: not scraping,
            slot=SimpleNamespace(active=scraping, queue=()),
        )
        self.crawler = scrapy
        self.settings = scrapy.settings
        self.signals = scrapy.signals
        self.spider: Any = scrapy.spider
        self.running = False
        self.paused = False
        self.start_time: float | None = None
        self._add = add
        self._fetch = fetch
        self._fetch_plainly = fetch_plainly
        self._crawl: crawler.Crawl | None = None
        self._start_soon: Any = None

    def open(self, crawl: crawler.Crawl, start_soon: Callable[[Callable[[], Awaitable[None]]], None]) -> None:
        """Begin.

        Parameters:
            crawl: The running crawl.
            start_soon: Starts a task in the context of its caller. The crawl recognises there that a downloader
                middleware, which holds a start of its host, fetches something else.
        """
        self._crawl, self.running, self.start_time = crawl, True, crawl.clock()
        self.crawler.crawling = True
        self._start_soon = start_soon

    def crawl(self, request: Any, spider: Any = None) -> None:
        """Add a request to the crawl."""
        self._add(request)

    def download(self, request: Any, spider: Any = None) -> Any:
        """Fetch a request through the downloader middlewares, and return a Deferred of its response."""
        return self._fetched(self._fetch(request))

    def fetch_for_handler(self, request: Any) -> Any:
        """Fetch a request past the components, and return a Deferred of its response."""
        return self._fetched(self._fetch_plainly(request))

    def _fetched(self, fetching: Awaitable[Any]) -> Any:
        """Return a Deferred of a response."""
        if self._start_soon is None:
            raise RuntimeError(NOT_RUNNING)
        done: Any = Deferred()

        async def fetch() -> None:
            try:
                response = await fetching
            except Exception:
                done.errback(Failure())
            else:
                done.callback(response)

        self._start_soon(fetch)
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
        self._running.control.pause()

    def unpause(self) -> None:
        """Start requests again."""
        self.paused = False
        self._running.control.resume()

    def needs_backout(self) -> bool:
        """Return whether no request is wanted now: as many are in flight, or wait to be, as may be."""
        statistics = self._running.control.statistics()
        return statistics.in_flight + statistics.waiting >= self._running.settings.workers

    def spider_is_idle(self, spider: Any = None) -> bool:
        """Return whether nothing is in flight and nothing waits."""
        statistics = self._running.control.statistics()
        return not (statistics.in_flight or statistics.waiting)

    def _statistics(self) -> Any:
        return self._running.control.statistics()

    @property
    def _running(self) -> crawler.Crawl:
        if self._crawl is None:
            raise RuntimeError(NOT_RUNNING)
        return self._crawl
