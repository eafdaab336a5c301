"""`Attempts`: one attempt of the crawl through the downloader middlewares of a project."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request

import crawler
from crawler import Drop, Retry
from crawler_plugins.scrapy import responses
from crawler_plugins.scrapy.components import build_components
from crawler_plugins.scrapy.downloader_middlewares import BUILT_IN, DownloaderMiddlewares
from crawler_plugins.scrapy.failures import exception_of
from crawler_plugins.scrapy.requests import REDIRECTS, RequestTranslator
from crawler_plugins.scrapy.retries import Retries

__all__ = ["Attempts"]


class Attempts:
    """Makes the attempts of requests.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        requests: Translates requests.
        add: Adds a request of Scrapy to the crawl.
        accepted: Statuses that the spider handles.
        retries: Which statuses are followed by another attempt.
    """

    def __init__(
        self,
        scrapy: Any,
        requests: RequestTranslator,
        add: Callable[[Any], None],
        accepted: frozenset[int],
        retries: Retries,
    ) -> None:
        found = build_components(scrapy, "DOWNLOADER_MIDDLEWARES", skip=BUILT_IN)
        self._middlewares = DownloaderMiddlewares(scrapy.spider, found, self._follows, self._retries_itself)
        self._requests = requests
        self._add = add
        self._accepted = accepted
        self._retries = retries
        self._made: dict[int, tuple[Any, Any]] = {}

    def take(self, request: crawler.Request) -> tuple[Any, Any]:
        """Return the request and response of Scrapy that the middlewares have made of an attempt; else two `None`."""
        return self._made.pop(id(request), (None, None))

    async def make(self, request: crawler.Request, send: Any) -> Any:
        """Make an attempt: the hook `fetch` of the spider."""
        if not self._middlewares or request.url.endswith("/robots.txt"):
            result = await send(request)
            return (self._retry(result) or result) if isinstance(result, crawler.Response) else result
        return await self._through_middlewares(request, send)

    async def _through_middlewares(self, request: crawler.Request, send: Any) -> Any:
        original = self._requests.to_scrapy(request)
        before = _sent_form(original)
        received: list[tuple[crawler.Response, Any]] = []

        async def exchange(changed: Any) -> Any:
            try:
                answer = await send(request if _sent_form(changed) == before else self._changed(request, changed))
            except crawler.RequestError as error:
                raise exception_of(error) from error
            if not isinstance(answer, crawler.Response):
                raise _Decided(answer)
            received.append((answer, responses.to_scrapy(answer, changed)))
            return received[-1][1]

        try:
            result = await self._middlewares.download(original, exchange)
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
            self._add(result)
            return Drop("replaced", is_success=True)
        return self._finished(request, original, result, received)

    def _finished(
        self, request: crawler.Request, original: Any, result: Any, received: list[tuple[crawler.Response, Any]]
    ) -> Any:
        """Return what the crawl gets for the response that the middlewares return."""
        if received and received[-1][1] is result:
            answer = received[-1][0] if received[-1][0].request is request else received[-1][0].replace(request=request)
            retry = self._retry(answer)
            if retry is not None:
                return retry
        else:
            answer = responses.to_crawl(result, request)
        if result.request is None:
            result.request = original
        self._made[id(request)] = (result.request, result)
        weakref.finalize(request, self._made.pop, id(request), None)
        return answer

    def _changed(self, request: crawler.Request, changed: Any) -> crawler.Request:
        """Return a request as the middlewares have changed it."""
        made = self._requests.to_crawl(changed)
        names = ("url", "method", "body", "cookies", "proxy", "timeout", "session", "auth")
        return request.replace(headers=made.headers.pairs, **{name: getattr(made, name) for name in names})

    def _retry(self, response: crawler.Response) -> Retry | None:
        return self._retries.after(response, self._accepted.__contains__)

    def _follows(self, request: Any, response: Any) -> bool:
        """Return whether the crawl follows a response to another page."""
        if response.status not in REDIRECTS or b"Location" not in response.headers:
            return False
        handled = request.meta.get("handle_httpstatus_list", ()), self._accepted
        is_kept = request.meta.get("dont_redirect") or request.meta.get("handle_httpstatus_all")
        return not is_kept and not any(response.status in statuses for statuses in handled)

    def _retries_itself(self, request: Any, result: Any) -> bool:
        """Return whether the crawl sends a request again after a response or an error."""
        if request.meta.get("dont_retry"):
            return False
        if isinstance(result, Exception):
            cause = result.__cause__
            return isinstance(cause, crawler.RequestError) and cause.retryable and bool(self._retries.codes)
        return result.status in self._retries.codes


class _Decided(Exception):
    """Carries what another plugin has decided about an attempt through the downloader middlewares."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _sent_form(request: Any) -> tuple[Any, ...]:
    """Return what of a request is sent, to see whether a middleware has changed it."""
    options = [request.meta.get(key) for key in ("proxy", "download_timeout", "cookiejar", "dont_merge_cookies")]
    headers = {name: tuple(values) for name, values in request.headers.items()}
    return request.url, request.method, request.body, headers, repr(request.cookies), options
