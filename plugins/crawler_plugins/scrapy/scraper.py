"""`Scraper`: from a response or failure of the crawl to what the callback or errback of the spider produces."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from itemadapter import is_item
from scrapy import signals, version_info
from scrapy.exceptions import CloseSpider, IgnoreRequest, NotSupported
from scrapy.http import Request
from scrapy.spidermiddlewares.depth import DepthMiddleware
from scrapy.utils.spider import iterate_spider_output
from twisted.python.failure import Failure

import crawler
from crawler_plugins.scrapy import responses
from crawler_plugins.scrapy.attempts import Attempts
from crawler_plugins.scrapy.components import warn_of_deferred
from crawler_plugins.scrapy.deferreds import iterate, result_of
from crawler_plugins.scrapy.events import Signals, is_logged, log_result
from crawler_plugins.scrapy.failures import exception_of, failure_of
from crawler_plugins.scrapy.pipelines import Pipelines, plain_item
from crawler_plugins.scrapy.private import default_callback
from crawler_plugins.scrapy.reactor import asyncio_loop
from crawler_plugins.scrapy.requests import RequestTranslator, with_depth
from crawler_plugins.scrapy.scheduling import Scheduling
from crawler_plugins.scrapy.spider_middlewares import SpiderMiddlewares
from crawler_plugins.scrapy.start_items import StartItems

__all__ = ["Scraper"]

COUNTS_ALL: Final = version_info >= (2, 13)
"""Whether the installed Scrapy counts the exceptions of spiders in total, in addition to those of each class."""
ANY_ITEM: Final = version_info >= (2, 13)
"""Whether the installed Scrapy passes values of any type through the pipelines."""
log = logging.getLogger("scrapy.core.scraper")
engine_log = logging.getLogger("scrapy.core.engine")


def _is_known(_url: str) -> bool:
    """Return `False`: without a page, it is not known whether the crawl has seen a URL."""
    return False


class _Outputs:
    """What a callback or errback has yielded so far.

    Parameters:
        request: The request of Scrapy.
        depth: Its depth in the crawl, which differs if the engine of Scrapy was given it.
        response: The response of Scrapy; `None` if there is none.
        is_known: Returns whether the crawl has seen a URL.
    """

    __slots__ = ("depth", "is_known", "is_shifted", "misfits", "repeats", "response", "values")

    def __init__(self, request: Any, depth: int, response: Any, is_known: Callable[[str], bool] = _is_known) -> None:
        self.response = response
        self.depth = request.meta.setdefault("depth", 0)  # a response of a middleware may have another request
        self.is_shifted = self.depth != depth
        self.misfits: list[tuple[Any, ValueError]] = []
        self.is_known = is_known
        self.values: list[Any] = []
        self.repeats = 0


class Scraper:
    """Calls callbacks and errbacks through the spider middlewares, and passes on what they yield.

    What a callback has yielded before it raises is kept, as in Scrapy.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        sender: Sends signals.
        requests: Translates requests.
        attempts: Keeps the responses that downloader middlewares have made.
        scheduling: Takes the requests of callbacks.
        middlewares: The spider middlewares.
        pipelines: The item pipelines.
        items: The items of the start.
    """

    crawl: crawler.Crawl

    def __init__(
        self,
        scrapy: Any,
        sender: Signals,
        requests: RequestTranslator,
        attempts: Attempts,
        scheduling: Scheduling,
        middlewares: SpiderMiddlewares,
        pipelines: Pipelines,
        items: StartItems,
    ) -> None:
        self._scrapy = scrapy
        self._signals = sender
        self._requests = requests
        self._attempts = attempts
        self._scheduling = scheduling
        self._middlewares = middlewares
        self._pipelines = pipelines
        self._items = items
        self.active: set[Any] = set()
        """Responses in callbacks, and in pipelines."""
        self._has_depths = any(isinstance(one, DepthMiddleware) for one in middlewares.components)

    async def page(self, response: crawler.Response, **_: Any) -> list[Any]:
        """Return what the callback of a page produces; of a start item, what the pipelines make of it."""
        if self._items.is_carrier(response.url):
            return await self._through_pipelines(self._items.item_of(response.request), None)
        if "#" in response.request.meta:
            self.crawl.job.before_commit(self._requests.forget, response.request)
        return await self._scrape(self._received(response), response.request.depth, response.is_known)

    async def lost(self, failure: crawler.Failure) -> list[Any]:
        """Return what the errback of a failed request produces, or its callback if that handles the status."""
        error = failure.error
        if isinstance(error, crawler.HookError) and error.is_callback:
            return []  # it was logged
        is_refused = isinstance(error, crawler.BadStatus) and not isinstance(error, crawler.BadRedirect)
        if failure.response is not None and is_refused:
            return await self._scrape(self._received(failure.response), failure.request.depth)
        request, _ = self._attempts.take(failure.request)
        if request is None:
            request = self._requests.to_scrapy(failure.request)
        self._attempts.give_up(failure.request, is_retried=not request.meta.get("dont_retry"))
        cause = error.__cause__
        is_theirs = isinstance(error, crawler.HookError) or isinstance(cause, IgnoreRequest)
        raised = cause if is_theirs and cause is not None else exception_of(error)
        responses.note_retries(failure.attempts, request.meta)
        outputs = _Outputs(request, failure.request.depth, None)
        await self._fail(request, raised, outputs)
        return self._finished(outputs)

    async def _fail(self, request: Any, raised: BaseException, outputs: _Outputs) -> None:
        """Collect what the errback of a request produces. An error that it does not handle is logged."""
        try:
            produced = await result_of(iterate_spider_output(await result_of(_call_errback(request, raised))))
            await self._collect(produced, outputs)
        except Exception as caught:
            if not isinstance(raised, IgnoreRequest):
                self._log_download_error(request, raised)
            if caught is not raised:
                self.note_error(failure_of(caught, request), None)

    def _log_download_error(self, request: Any, raised: BaseException) -> None:
        """Log why a request failed, in one line: the crawl logs the tracebacks of hooks."""
        spider = self._scrapy.spider
        is_ours = isinstance(raised, (crawler.RequestError, NotSupported)) or raised.__cause__ is not None
        message = str(raised) if is_ours else f"{type(raised).__name__}: {raised}"
        entry = self._scrapy.logformatter.download_error(failure_of(raised, request), request, spider, message)
        log_result(log, entry, spider)

    def note_error(self, failure: Any, response: Any) -> None:
        """Log what a callback raised, count it, and send the signal; end the crawl if it is a `CloseSpider`."""
        scrapy = self._scrapy
        error = failure.value
        if isinstance(error, CloseSpider):
            self.crawl.stop(error.reason or "cancelled")
            return
        request = getattr(failure, "request", None)
        if request is not None:
            entry = scrapy.logformatter.spider_error(failure, request, response or failure, scrapy.spider)
            log_result(log, entry, scrapy.spider, exc_info=(type(error), error, error.__traceback__))
        self._signals.send(signals.spider_error, failure=failure, response=response)
        if COUNTS_ALL:
            scrapy.stats.inc_value("spider_exceptions/count")
        scrapy.stats.inc_value(f"spider_exceptions/{type(error).__name__}")
        self.crawl.count("spider_exceptions")

    def _received(self, response: crawler.Response) -> Any:
        """Return the response of Scrapy, and report it as received."""
        request, theirs = self._attempts.take(response.request)
        if theirs is None:
            request = self._requests.to_scrapy(response.request)
            theirs = responses.to_scrapy(response, request)
        for name, values in self._attempts.middlewares.default_fields.items():
            if not dict.__contains__(request.headers, name):  # the name has its form already
                dict.__setitem__(request.headers, name, list(values))
        responses.note_exchange(response, request.meta, self.crawl.settings.request_deadline)
        formatter, spider = self._scrapy.logformatter, self._scrapy.spider
        if is_logged(engine_log, formatter, "crawled"):
            log_result(engine_log, formatter.crawled(request, theirs, spider), spider)
        self._signals.send(signals.response_received, response=theirs, request=request)
        return theirs

    async def _scrape(self, response: Any, depth: int, is_known: Callable[[str], bool] = _is_known) -> list[Any]:
        """Return what the callback of a response produces, or its errback if its status is refused."""
        request = response.request
        outputs = _Outputs(request, depth, response, is_known)
        self.active.add(response)
        if self._has_depths and not outputs.depth:
            del request.meta["depth"]  # the middleware sets it, and counts the page
        try:
            callback = request.callback or default_callback(self._scrapy.spider)
            call = partial(_call, callback, response, **request.cb_kwargs)
            distinct = partial(self._distinct, outputs)
            produced = await self._middlewares.call(response, call, partial(_call_errback, request), distinct)
            await self._collect(produced, outputs)
        except crawler.CrawlerError:
            raise
        except Exception as error:
            self.note_error(failure_of(error, request), response)
        finally:
            self.active.discard(response)
        while outputs.misfits:
            unsent, misfit = outputs.misfits.pop()
            await self._fail(unsent, NotSupported(str(misfit)), outputs)
        if (loop := asyncio_loop()) is not None:
            await loop.catch_up()  # a receiver of a signal may have ended the crawl
        return self._finished(outputs)

    def _distinct(self, outputs: _Outputs, produced: Any) -> Any:
        """Return an output without requests that need not be made, as most links of a page are."""
        is_repeat = self._scheduling.repeats(outputs.is_known, outputs.depth + 1)

        def plain() -> Iterator[Any]:
            for value in produced or ():
                if isinstance(value, Request) and is_repeat(value):
                    outputs.repeats += 1
                else:
                    yield value

        async def asynchronous() -> AsyncIterator[Any]:  # noqa: ASYNC900 - as those of spiders
            async for value in produced:
                if isinstance(value, Request) and is_repeat(value):
                    outputs.repeats += 1
                else:
                    yield value

        return asynchronous() if hasattr(produced, "__aiter__") else plain()

    async def _collect(self, produced: Any, outputs: _Outputs) -> None:
        """Add requests and items to the outputs of a page, in the form of the crawl."""
        if hasattr(produced, "__aiter__"):
            async with aclosing(iterate(produced)) as values:
                async for value in values:
                    await self._take(value, outputs)
            return
        for value in produced or ():
            if isinstance(value, Request):  # as most values are
                self._take_request(value, outputs)
            else:
                await self._take(value, outputs)

    async def _take(self, value: Any, outputs: _Outputs) -> None:
        """Pass a request to the crawl, and an item through the pipelines."""
        if isinstance(value, Request):
            self._take_request(value, outputs)
        elif is_item(value) or (value is not None and ANY_ITEM):
            outputs.values += await self._through_pipelines(value, outputs.response)
        elif value is not None:
            kind = type(value).__name__
            log.error("Spider must return request, item, or None, got %r in %s", kind, outputs.response)

    async def _through_pipelines(self, value: Any, response: Any) -> list[Any]:
        """Return what the pipelines make of an item; nothing if they drop it, or if no output takes that."""
        item = await self._pipelines.process(value, response)
        if is_item(item):
            return [plain_item(item)]
        if item is not None:
            log.warning("outputs take no item of type %r, from %s", type(item).__name__, response or "the start")
        return []

    def _take_request(self, request: Any, outputs: _Outputs) -> None:
        entering = self._scheduling.enter(request, outputs.misfits)
        if entering is not None:
            outputs.values.append(with_depth(entering, outputs.depth + 1) if outputs.is_shifted else entering)

    def _finished(self, outputs: _Outputs) -> list[Any]:
        """Return the outputs of a page, and count its repeats."""
        if outputs.repeats:
            self._scrapy.stats.max_value("request_depth_max", outputs.depth + 1)
            self._scrapy.stats.inc_value("dupefilter/filtered", outputs.repeats)
        return outputs.values


def _call(callback: Callable[..., Any], response: Any, /, **arguments: Any) -> Any:
    return warn_of_deferred(callback(response, **arguments), callback, "spider callbacks")


def _call_errback(request: Any, error: BaseException) -> Any:
    """Call the errback of a request with an exception.

    Raises:
        BaseException: The request has no errback, or it returned the failure.
    """
    if request.errback is None:
        raise error
    produced = warn_of_deferred(request.errback(failure_of(error, request)), request.errback, "spider errbacks")
    if isinstance(produced, Failure):
        produced.raiseException()
    return produced
