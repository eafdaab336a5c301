"""`Start`: the start requests of a Scrapy spider, and how long an idle spider is kept open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any, Final

import trio
from scrapy import signals, version_info
from scrapy.exceptions import CloseSpider, DontCloseSpider
from scrapy.http import Request
from twisted.python.failure import Failure

import crawler
from crawler_plugins.scrapy.deferreds import is_pending, iterate, result_of
from crawler_plugins.scrapy.events import Signals
from crawler_plugins.scrapy.failures import failure_of
from crawler_plugins.scrapy.scheduling import Scheduling
from crawler_plugins.scrapy.scraper import Scraper
from crawler_plugins.scrapy.spider_middlewares import SpiderMiddlewares
from crawler_plugins.scrapy.start_items import StartItems

__all__ = ["Start", "start_output"]

IDLE: Final = 0.05
"""Seconds between two checks whether the spider is idle, if its signal has a receiver."""
IDLE_AGAIN: Final = 5.0
"""Seconds until an idle spider that is kept open is reported as idle again, unless a request is added meanwhile."""
EMPTY: Final = getattr(signals, "scheduler_empty", None)
"""The signal of a scheduler that has no requests, which Scrapy has since 2.13."""
HAS_START_ERROR: Final = version_info >= (2, 19)
"""Whether a start that raised is a reason of its own."""


class Start:
    """Takes what a spider starts with.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        sender: Sends signals.
        scheduling: Takes the requests.
        scraper: Notes errors.
        middlewares: The spider middlewares.
        items: Takes the items.
    """

    crawl: crawler.Crawl

    def __init__(
        self,
        scrapy: Any,
        sender: Signals,
        scheduling: Scheduling,
        scraper: Scraper,
        middlewares: SpiderMiddlewares,
        items: StartItems,
    ) -> None:
        self._scrapy = scrapy
        self._signals = sender
        self._scheduling = scheduling
        self._scraper = scraper
        self._middlewares = middlewares
        self._items = items
        self._is_broken = False
        self._has_ended = False

    def reason(self, reason: str) -> str:
        """Return why the spider is closed, as the installed Scrapy calls it.

        Parameters:
            reason: The same in the words of the crawl.
        """
        return "start_error" if self._is_broken and HAS_START_ERROR and reason == "finished" else reason

    def requests(self) -> Any:
        """Return the start requests as an iterator, or as an async one if the start has to be awaited."""
        given = start_output(self._scrapy.spider)
        if given is None or is_pending(given):
            given = _awaited(self._scrapy.spider, given)
        produced = self._middlewares.start(given)
        if hasattr(produced, "__aiter__") or self._signals.is_heard(signals.spider_idle):
            return self._from_async(produced)
        return self._from(produced)

    def _from(self, produced: Any) -> Iterator[crawler.Request]:
        try:
            for value in produced or ():
                request = self._entering(value)
                if request is not None:
                    yield request
        except Exception as error:
            self._note_error(error)
        self._has_ended = True

    async def _from_async(self, produced: Any) -> AsyncIterator[crawler.Request]:  # noqa: ASYNC900 - the crawl closes it
        try:
            async with aclosing(iterate(produced)) as values:
                async for value in values:
                    request = self._entering(value)
                    if request is not None:
                        yield request  # noqa: ASYNC119 - the crawl closes it
        except Exception as error:
            self._note_error(error)
        self._has_ended = True
        if self._signals.is_heard(signals.spider_idle):
            await self._wait_until_closed()

    def _entering(self, value: Any) -> crawler.Request | None:
        """Return a start request for the crawl; `None` if it is refused."""
        if isinstance(value, Request):
            try:
                return self._scheduling.enter_start(value)
            except Exception as error:
                self._note_error(error, "processing requests from start()")
                self.crawl.stop("shutdown")
                return None
        return None if value is None else self._items.carry(value)

    def _note_error(self, error: Exception, while_: str = "reading start items and requests") -> None:
        if not isinstance(error, CloseSpider):
            self._is_broken = True
            kind = type(error).__name__
            self.crawl.job.report_problem(f"Error while {while_}: {kind}: {error}", error)
        self._scraper.note_error(failure_of(error, None), None)

    async def report_empty(self) -> None:
        """Report whenever the crawl wants more requests than it has, until the start has ended.

        A start that is read lazily waits for that signal.
        """
        while EMPTY is not None and not self._has_ended:
            if self._signals.is_heard(EMPTY) and not self._scrapy.engine.needs_backout():
                self._signals.send(EMPTY)
            await trio.sleep(IDLE)

    async def _wait_until_closed(self) -> None:
        """Report the spider as idle whenever nothing is left to do, until no receiver keeps it open."""
        while self.crawl.reason is None:
            await trio.sleep(IDLE)
            if not self._is_idle():
                continue
            added = self._scheduling.added = trio.Event()
            results = self._signals.send(signals.spider_idle, quiet=(DontCloseSpider, CloseSpider))
            raised = [result.value for result in results if isinstance(result, Failure)]
            if any(isinstance(error, DontCloseSpider) for error in raised):
                with trio.move_on_after(IDLE_AGAIN):
                    await added.wait()
                continue
            for error in raised:
                if isinstance(error, CloseSpider):
                    self.crawl.stop(error.reason)
            await trio.sleep(IDLE)  # what a receiver has added arrives
            if self._is_idle():
                return

    def _is_idle(self) -> bool:
        statistics = self.crawl.control.statistics()
        return not (statistics.in_flight or statistics.waiting)


async def _awaited(spider: Any, given: Any) -> AsyncIterator[Any]:  # noqa: ASYNC900 - as those of spiders
    """Yield the values of a start that has to be awaited.

    Raises:
        TypeError: It results in none.
    """
    produced = await result_of(given)
    if produced is None:
        form = "an asynchronous generator, i.e. an async def method with yield statements"
        raise TypeError(f"{type(spider).__name__}.start() must be {form}, got {type(given)}")
    async with aclosing(iterate(produced)) as values:
        async for value in values:
            yield value  # noqa: ASYNC119 - the crawl closes it


def start_output(spider: Any) -> Any:
    """Return what the spider starts with: the output of its `start`, or of its `start_requests`.

    The method counts that the spider or a base class of the project defines, the nearest of both; else Scrapy's own.
    """
    kinds = type(spider).__mro__
    own = [kind for kind in kinds if not kind.__module__.startswith(("scrapy.", "crawler_plugins.scrapy"))]
    for kind in own:
        for name in ("start", "start_requests"):
            if name in vars(kind):
                return getattr(spider, name)()
    scrapys_own = getattr(spider, "start", None) or spider.start_requests
    return scrapys_own()
