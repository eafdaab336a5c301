"""`Attempts`: one attempt of the crawl through the downloader middlewares of a project."""

from __future__ import annotations

import logging
import weakref
from functools import partial
from typing import Any, Final

from scrapy import signals
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response
from scrapy.utils.python import global_object_name
from scrapy.utils.response import response_status_message

import crawler
from crawler import Drop, Retry
from crawler_plugins.scrapy import responses
from crawler_plugins.scrapy.components import build_components
from crawler_plugins.scrapy.downloader_middlewares import (
    DownloaderMiddlewares,
    is_done_around_caches,
    is_done_around_handlers,
    is_done_by_the_crawl,
)
from crawler_plugins.scrapy.events import Signals
from crawler_plugins.scrapy.failures import exception_of
from crawler_plugins.scrapy.fast_responses import HEAD
from crawler_plugins.scrapy.handlers import ORIGIN, Handlers, web_handlers
from crawler_plugins.scrapy.reception import Reception
from crawler_plugins.scrapy.requests import REDIRECTS, RequestTranslator
from crawler_plugins.scrapy.retries import Retries, is_for_robots
from crawler_plugins.scrapy.scheduling import Scheduling
from crawler_plugins.scrapy.start_items import StartItems

__all__ = ["Attempts"]

PARTS: Final = (signals.headers_received, signals.bytes_received)
"""Signals of the parts of a response."""
HEARD: Final = (
    signals.request_reached_downloader, *PARTS, signals.response_downloaded, signals.request_left_downloader,
)  # fmt: skip
"""Signals of an attempt."""
log = logging.getLogger("crawler.plugins.scrapy")
NO_ROBOTS: Final = f"{ORIGIN}robots.txt"
"""The URL of a robots.txt, which does not exist, for requests that do not go to the web."""


class Attempts:
    """Makes the attempts of requests.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        sender: Sends signals.
        requests: Translates requests.
        scheduling: Takes requests that middlewares return.
        accepted: Statuses that the spider handles.
        retries: Which statuses are followed by another attempt.
        handlers: Answers requests that do not go to the web.
    """

    def __init__(
        self,
        scrapy: Any,
        sender: Signals,
        requests: RequestTranslator,
        scheduling: Scheduling,
        accepted: frozenset[int],
        retries: Retries,
        handlers: Handlers,
    ) -> None:
        skip = is_done_around_handlers if web_handlers(scrapy.settings) else is_done_by_the_crawl
        if scrapy.settings.getbool("HTTPCACHE_ENABLED"):
            skip = partial(is_done_around_caches, skip)
        found = build_components(scrapy, "DOWNLOADER_MIDDLEWARES", skip=skip)
        self.middlewares = DownloaderMiddlewares(scrapy.spider, found)
        self._scrapy = scrapy
        self._signals = sender
        self._requests = requests
        self._scheduling = scheduling
        self._accepted = accepted
        self._retries = retries
        self._handlers = handlers
        self._obeys_robots = scrapy.settings.getbool("ROBOTSTXT_OBEY")
        self.counts = scrapy.settings.getbool("DOWNLOADER_STATS") and self.middlewares.counts
        """Whether requests and responses are counted as by `DownloaderStats`."""
        self._is_heard = False
        self._are_parts_heard = False
        self._made: dict[int, tuple[Any, Any]] = {}
        self._failed: dict[int, _Failed] = {}
        self._raised: dict[int, int] = {}
        self._begun: dict[int, int] = {}

    def open(self) -> None:
        """Begin: all receivers of signals are connected."""
        self._is_heard = any(map(self._signals.is_heard, HEARD))
        self._are_parts_heard = any(map(self._signals.is_heard, PARTS))

    def take(self, request: crawler.Request) -> tuple[Any, Any]:
        """Return the request and response of Scrapy that the middlewares have made of an attempt; else two `None`."""
        return self._made.pop(id(request), (None, None))

    def give_up(self, request: crawler.Request, *, is_retried: bool) -> None:
        """Count a request that has failed in all its attempts, of which it may have several."""
        failed = self._failed.pop(id(request), None)
        if failed is not None and failed.kind and is_retried and self._retries.has_attempts(request, 0):
            self._retries.give_up(request, failed.attempts, failed.reason)

    async def make(self, request: crawler.Request, send: Any) -> Any:
        """Make an attempt: the hook `fetch` of the spider."""
        if StartItems.is_carrier(request.url) or request.url == NO_ROBOTS:
            return StartItems.answer(request)
        if self._obeys_robots and is_for_robots(request):
            return await self._robots(request, send)
        if self._failed and (failed := self._failed.get(id(request))) and failed.kind:
            self._retries.repeat(request, failed.attempts, failed.reason, failed.kind)
            failed.kind = ""
        attempt = _Attempt(self, request, send)
        if self.middlewares or self._is_heard or self._handlers.takes(request.url):
            return await self._through_middlewares(attempt)
        try:
            answer = attempt.answer = await self._exchange(request, send, request)
        except crawler.RequestError as error:
            self.count(request.method)
            self.count(exception_of(error))
            raise
        is_response = isinstance(answer, crawler.Response)
        if is_response and self._concerns_middlewares(answer):
            return await self._through_middlewares(attempt)
        self.count(request.method)
        if is_response:
            self.count(answer.status)
        return answer

    async def _robots(self, request: crawler.Request, send: Any) -> Any:
        """Fetch a robots.txt through the middlewares. The crawl decides about retries and redirects.

        If a middleware raises an exception, the file is taken as missing, as in Scrapy.
        """
        attempt = _Attempt(self, request, send)
        original = self._open(attempt)
        original.meta["dont_obey_robotstxt"] = True
        original.meta.pop("is_start_request", None)
        try:
            result = await self.middlewares.download(original, attempt.exchange, _retry_nothing, self.count)
        except _Decided as decided:
            return decided.value
        except Exception as error:
            if isinstance(error.__cause__, crawler.RequestError):
                raise error.__cause__ from None
            if not isinstance(error, IgnoreRequest):
                log.error("Error downloading %s: %s", original, error, exc_info=error)
            result = Response(original.url, status=404)
        if isinstance(result, Request):
            is_redirect = attempt.answer is not None and attempt.answer.status in REDIRECTS
            return attempt.answer if is_redirect else self._requests.to_crawl(result)
        if result.status not in REDIRECTS:
            self._count_robots(result.status)
        self._signals.send(signals.response_received, response=result, request=original)
        return attempt.answer if attempt.received is result else responses.to_crawl(result, request)

    def _count_robots(self, status: int) -> None:
        for name in ("request_count", "response_count", f"response_status_count/{status}"):
            self._scrapy.stats.inc_value(f"robotstxt/{name}")

    async def _exchange(self, request: crawler.Request, send: Any, original: crawler.Request) -> Any:
        """Send a request. ``RETRY_EXCEPTIONS`` says after which errors it is sent again."""
        try:
            return await send(request)
        except crawler.RequestError as error:
            if isinstance(error, crawler.FetchError):
                error.retryable = self._retries.repeats(exception_of(error))
            if error.retryable and self._retries.codes:
                self._note_failed(original, str(error), global_object_name(type(exception_of(error))))
            raise

    def _note_failed(self, request: crawler.Request, reason: str = "", kind: str = "") -> None:
        """Note that an attempt has failed; with a kind, that it is not known yet whether another one follows."""
        if id(request) not in self._failed:
            self._failed[id(request)] = _Failed()
            weakref.finalize(request, self._failed.pop, id(request), None)
        failed = self._failed[id(request)]
        failed.attempts, failed.reason, failed.kind = failed.attempts + 1, reason, kind

    def count(self, what: str | int | Exception) -> None:
        """Count a request by its method, a response by its status, or an exception by its class."""
        if not self.counts or isinstance(what, _Decided):
            return
        if isinstance(what, str):
            names = ("request_count", f"request_method_count/{what}")
        elif isinstance(what, int):
            names = ("response_count", f"response_status_count/{what}")
        else:
            names = ("exception_count", f"exception_type_count/{global_object_name(type(what))}")
        for name in names:
            self._scrapy.stats.inc_value(f"downloader/{name}")

    def _concerns_middlewares(self, answer: crawler.Response) -> bool:
        """Return whether one of Scrapy's own middlewares may do something about a response."""
        if answer.status in REDIRECTS or answer.status in self._retries.codes:
            return True
        return self.middlewares.refreshes and b"refresh" in answer.body[:HEAD].lower()

    async def _through_middlewares(self, attempt: _Attempt) -> Any:
        """Return what the crawl gets: a response, a request to send instead, or a decision of another plugin."""
        request, original = attempt.request, self._open(attempt)
        try:
            result = await self.middlewares.download(original, attempt.exchange, attempt.retry, self.count)
        except _Decided as decided:
            return decided.value
        except IgnoreRequest as error:
            if request.errback is None:
                return Drop(str(error) or "ignored")
            raise crawler.Refused(str(error), by="middleware", request=request) from error
        except Exception as error:
            if isinstance(error.__cause__, crawler.RequestError):
                raise error.__cause__ from None
            raise
        if isinstance(result, Request):
            return self._scheduling.enter(result) or Drop("replaced", is_success=True)
        return self._finished(attempt, result)

    def _open(self, attempt: _Attempt) -> Any:
        """Return the request of Scrapy with which an attempt begins."""
        request = attempt.request
        if id(request) not in self._begun:
            weakref.finalize(request, self._begun.pop, id(request), None)
        self._begun[id(request)] = self._begun.get(id(request), 0) + 1
        attempt.original = self._requests.to_scrapy(request)
        attempt.before = _sent_form(attempt.original, self.middlewares.default_fields)
        return attempt.original

    def _finished(self, attempt: _Attempt, result: Any) -> Any:
        """Return what the crawl gets for the response that the middlewares return."""
        request = attempt.request
        if attempt.received is result:
            answer = attempt.answer if attempt.answer.request is request else attempt.answer.replace(request=request)
        else:
            answer = responses.to_crawl(result, request)
        if result.request is None:
            result.request = attempt.original
        self._made[id(request)] = (result.request, result)
        weakref.finalize(request, self._made.pop, id(request), None)
        return answer

    # ---- for one attempt ---------------------------------------------------------------------------------------------

    async def send(self, attempt: _Attempt, changed: Any) -> Any:
        """Send the request of an attempt as the middlewares have changed it, and return the response of Scrapy."""
        request = attempt.request
        if _sent_form(changed, self.middlewares.default_fields) != attempt.before:
            request = self._as_changed(request, changed)
        reception = Reception(self._signals, changed) if self._are_parts_heard else None
        responses.note_slot(request.url, changed.meta)
        try:
            if self._is_heard:
                self._signals.send(signals.request_reached_downloader, request=changed)
            if self._handlers.takes(request.url):
                if not request.url.startswith(ORIGIN):
                    self._scheduling.crawl.control.mark_sent()
                received = await self._handlers.download(changed)
                answer = responses.to_crawl(received, request)
            else:
                network = attempt.send if reception is None else partial(attempt.send, receive=reception.open)
                answer = await self._exchange(request, network, attempt.request)
                received = None
            attempt.answer = answer
            if not isinstance(answer, crawler.Response):
                raise _Decided(answer)
            changed.meta["download_latency"] = answer.first_byte
            if received is None:
                received = responses.to_scrapy(answer, changed) if reception is None else reception.response(answer)
            if self._is_heard:
                self._signals.send(signals.response_downloaded, request=changed, response=received)
        except crawler.RequestError as error:
            raise exception_of(error) from error
        finally:
            if self._is_heard:
                self._signals.send(signals.request_left_downloader, request=changed)
        return received

    def _as_changed(self, request: crawler.Request, changed: Any) -> crawler.Request:
        """Return a request as the middlewares have changed it."""
        made = self._requests.to_crawl(changed)
        names = ("url", "method", "body", "cookies", "proxy", "timeout", "session", "auth")
        return request.replace(headers=made.headers.pairs, **{name: getattr(made, name) for name in names})

    def retry(self, attempt: _Attempt, request: Any, result: Any) -> None:
        """Do what `RetryMiddleware` does with a response or an exception.

        Raises:
            _Decided: The request is sent again, or the crawl decides about that.
        """
        if request.meta.get("dont_retry"):
            return
        if isinstance(result, Exception):
            cause = result.__cause__
            if not isinstance(cause, crawler.RequestError):
                self._retry_raised(attempt.request, result)
            elif cause.retryable and self._retries.codes:
                if self._is_repeated(attempt.request, cause):
                    raise result
                self.give_up(attempt.request, is_retried=True)
            return
        answer = attempt.answer if attempt.received is result else responses.to_crawl(result, attempt.request)
        if result.status not in self._retries.codes:
            return
        reason = response_status_message(result.status)
        if self._retries.is_up_to_the_crawl(answer, self._accepted.__contains__):
            raise _Decided(answer)
        if self._retries.has_attempts(attempt.request, answer.attempt):
            self._note_failed(attempt.request)
            self._retries.repeat(attempt.request, answer.attempt, reason)
            raise _Decided(Retry(reason))
        self._retries.give_up(attempt.request, answer.attempt, reason)

    def _is_repeated(self, request: crawler.Request, error: crawler.RequestError) -> bool:
        """Return whether the crawl sends a request again after a network error."""
        return self._scheduling.crawl.control.retries.wait(request, self._begun[id(request)], error) is not None

    def _retry_raised(self, request: crawler.Request, error: Exception) -> None:
        """Repeat an attempt in which a component of the project raised an exception, if Scrapy does.

        Raises:
            _Decided: It is repeated.
        """
        if not self._retries.repeats(error):
            return
        attempt = self._raised.get(id(request), 0) + 1
        if self._retries.has_attempts(request, attempt):
            if attempt == 1:
                weakref.finalize(request, self._raised.pop, id(request), None)
            self._raised[id(request)] = attempt
            reason = global_object_name(type(error))
            self._retries.repeat(request, attempt, str(error) or reason, reason)
            raise _Decided(Retry(reason))
        self._retries.give_up(request, attempt, str(error))


class _Failed:
    """The attempts of a request that have failed.

    `kind` is the name of the last one's exception until another one follows; `reason` is its message.
    """

    __slots__ = ("attempts", "kind", "reason")

    def __init__(self) -> None:
        self.attempts = 0
        self.kind = self.reason = ""


class _Attempt:
    """One attempt, with what is known of it so far."""

    __slots__ = ("_attempts", "answer", "before", "original", "received", "request", "send")

    def __init__(self, attempts: Attempts, request: crawler.Request, send: Any) -> None:
        self._attempts = attempts
        self.request = request
        self.send = send
        self.original: Any = None
        """The request of Scrapy."""
        self.before: tuple[Any, ...] = ()
        """What of it is sent unless a middleware changes it."""
        self.answer: Any = None
        """The response of the crawl."""
        self.received: Any = None
        """The same as one of Scrapy."""

    async def exchange(self, changed: Any) -> Any:
        """Return the response of Scrapy to the request as middlewares have changed it."""
        if self.answer is None:
            self.received = await self._attempts.send(self, changed)
        else:
            self.received = responses.to_scrapy(self.answer, changed)
        return self.received

    def retry(self, request: Any, result: Any) -> None:
        """See `Attempts.retry`."""
        self._attempts.retry(self, request, result)


class _Decided(Exception):
    """Carries what the crawl gets through the downloader middlewares."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _retry_nothing(_request: Any, _result: Any) -> None:
    """Leave retries to the crawl."""


def _sent_form(request: Any, defaults: dict[bytes, Any]) -> tuple[Any, ...]:
    """Return what of a request is sent, to see whether a middleware has changed it."""
    options = [request.meta.get(key) for key in ("proxy", "download_timeout", "cookiejar", "dont_merge_cookies")]
    headers = defaults | {name: tuple(values) for name, values in request.headers.items()}
    return request.url, request.method, request.body, headers, repr(request.cookies), options
