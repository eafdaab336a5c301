"""`Lifecycle`: opens and closes the parts of a project, and sends the signals of both, in Scrapy's order."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from scrapy import signals
from scrapy.exceptions import CloseSpider, IgnoreRequest, ScrapyDeprecationWarning
from scrapy.utils.python import global_object_name
from twisted.python.failure import Failure

import crawler
from crawler_plugins.scrapy.attempts import Attempts
from crawler_plugins.scrapy.components import PASSES_SPIDER, path_of, takes_spider
from crawler_plugins.scrapy.events import Signals
from crawler_plugins.scrapy.final_stats import note_memory, note_rates
from crawler_plugins.scrapy.handlers import Handlers
from crawler_plugins.scrapy.pipelines import Pipelines
from crawler_plugins.scrapy.retries import Retries
from crawler_plugins.scrapy.scheduling import Scheduling

__all__ = ["Lifecycle"]

log = logging.getLogger("scrapy.core.engine")


class Lifecycle:
    """Opens and closes a Scrapy spider.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        sender: Sends signals.
        pipelines: Are opened before the spider and closed first.
        scheduling: Has the scheduler and the duplicates filter.
        attempts: Has the downloader middlewares.
        handlers: The download handlers.
        retries: Counts the retries that Scrapy has counted.
    """

    def __init__(
        self,
        scrapy: Any,
        sender: Signals,
        pipelines: Pipelines,
        scheduling: Scheduling,
        attempts: Attempts,
        handlers: Handlers,
        retries: Retries,
    ) -> None:
        self._scrapy = scrapy
        self._signals = sender
        self._pipelines = pipelines
        self._scheduling = scheduling
        self._attempts = attempts
        self._handlers = handlers
        self._retries = retries

    async def open(self, crawl: crawler.Crawl) -> None:
        """Open the spider. A component that raises ``CloseSpider`` stops the crawl."""
        scrapy = self._scrapy
        log.info("Spider opened", extra={"spider": scrapy.spider})
        self._handlers.open()
        try:
            await self._pipelines.open()
        except CloseSpider as closing:
            crawl.stop(closing.reason)
        _call_stats(scrapy.stats, "open_spider", spider=scrapy.spider)
        for result in await self._signals.send_async(signals.spider_opened):
            if isinstance(result, Failure) and isinstance(result.value, CloseSpider):
                crawl.stop(result.value.reason)
        await self._signals.send_async(signals.engine_started)
        note_memory(scrapy.stats, "memusage/startup")
        await self._scheduling.open(crawl)
        self._attempts.open()

    async def close(self, crawl: crawler.Crawl, reason: str) -> None:
        """Close the spider.

        Parameters:
            crawl: The crawl that ends.
            reason: Scrapy's name of the reason, such as ``finished``.
        """
        about = {"spider": self._scrapy.spider}
        log.info("Closing spider (%s)", reason, extra=about)
        self._scrapy.engine.running = False
        await self._pipelines.close()
        await self._scheduling.duplicates.close(reason)
        self._count_exchanges(crawl)
        await self._signals.send_async(signals.spider_closed, reason=reason)
        note_rates(self._scrapy.stats, self._scrapy.spider)
        note_memory(self._scrapy.stats, "memusage/max")
        try:
            _call_stats(self._scrapy.stats, "close_spider", spider=self._scrapy.spider, reason=reason)
        except Exception:
            log.exception("Stats close failure", extra=about)
        log.info("Spider closed (%s)", reason, extra=about)
        await self._signals.send_async(signals.engine_stopped)
        await self._handlers.close()
        self._scrapy.crawling = False

    def _count_exchanges(self, crawl: crawler.Crawl) -> None:
        """Add what the crawl alone has counted to the stats of Scrapy."""
        counted = crawl.stats
        forbidden = counted.filtered["robots"]
        found = {
            "retry/count": counted.retries - self._retries.counted,
            "dupefilter/filtered": counted.filtered["duplicate"],
            "robotstxt/forbidden": forbidden,
        }
        if self._attempts.counts:
            found |= {
                "downloader/exception_count": forbidden,
                f"downloader/exception_type_count/{global_object_name(IgnoreRequest)}": forbidden,
                "downloader/response_bytes": counted.bytes,
            }
        for name, n in found.items():
            if n > 0:
                self._scrapy.stats.inc_value(name, n)


def _call_stats(stats: Any, name: str, **arguments: Any) -> None:
    """Call a method of a stats collector, which must be given the spider before Scrapy 2.14 only."""
    method = getattr(stats, name)
    if not takes_spider(method):
        arguments.pop("spider")
    elif not PASSES_SPIDER:
        message = f"The {name}() method of {path_of(stats)} requires a spider argument, which is deprecated"
        warnings.warn(message, ScrapyDeprecationWarning, stacklevel=2)
    method(**arguments)
