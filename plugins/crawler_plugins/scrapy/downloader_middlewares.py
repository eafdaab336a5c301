"""`DownloaderMiddlewares`: calls the downloader middlewares of a project around an attempt of the crawl.

The crawl does itself what most middlewares of Scrapy do: retries, cookies, robots.txt, authentication, compression and
proxies. The place of `RetryMiddleware` among the others is kept, since those next to the server see a refusal, and
those next to the engine do not. Redirects, and the fields of requests, are the work of Scrapy's own middlewares.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

from scrapy.downloadermiddlewares.redirect import MetaRefreshMiddleware
from scrapy.http import Request, Response

from crawler_plugins.scrapy.components import path_of, takes_spider
from crawler_plugins.scrapy.deferreds import result_of

__all__ = ["RETRY", "DownloaderMiddlewares", "is_done_around_caches", "is_done_around_handlers", "is_done_by_the_crawl"]

BUILT_IN: Final = "scrapy.downloadermiddlewares."
RETRY: Final = f"{BUILT_IN}retry.RetryMiddleware"
STATS: Final = f"{BUILT_IN}stats.DownloaderStats"
FIELDS: Final = (f"{BUILT_IN}defaultheaders.DefaultHeadersMiddleware", f"{BUILT_IN}useragent.UserAgentMiddleware")
"""They give default fields to requests."""
THEIRS: Final = (f"{BUILT_IN}redirect.RedirectMiddleware", f"{BUILT_IN}redirect.MetaRefreshMiddleware", *FIELDS)
"""Middlewares of Scrapy that run as they are."""
OFFSITE: Final = f"{BUILT_IN}offsite."
AROUND: Final = (RETRY, STATS, f"{BUILT_IN}robotstxt.RobotsTxtMiddleware")
"""Middlewares whose work the crawl does around a handler of the project."""
CACHING: Final = (f"{BUILT_IN}httpcache.HttpCacheMiddleware", f"{BUILT_IN}httpcompression.HttpCompressionMiddleware")
"""The cache, which may have compressed bodies if Scrapy has filled it, and what decodes them."""


def is_done_by_the_crawl(path: str) -> bool:
    """Return whether a path is that of a middleware of Scrapy whose work the crawl does itself."""
    return path.startswith(BUILT_IN) and path not in THEIRS


def is_done_around_handlers(path: str) -> bool:
    """Return the same where a handler of the project takes the place of the network: the crawl has less to do there.

    Cookies, authentication, proxies, codings and timeouts are part of a request that the handler sends.
    """
    return path in AROUND or path.startswith(OFFSITE)


def is_done_around_caches(is_done: Callable[[str], bool], path: str) -> bool:
    """Return what `is_done` returns of a path, but for the middlewares of a cache."""
    return path not in CACHING and is_done(path)


class DownloaderMiddlewares:
    """The downloader middlewares of a project, with the places of Scrapy's own.

    Parameters:
        spider: The Scrapy spider.
        components: The middlewares in their order, the first next to the engine; paths of those that do not run.
    """

    def __init__(self, spider: Any, components: Iterable[Any]) -> None:
        self._spider = spider
        self._components = list(components)
        self.middlewares = [component for component in self._components if not isinstance(component, str)]
        """Those that run."""
        self.refreshes = any(isinstance(component, MetaRefreshMiddleware) for component in self.middlewares)
        """Whether a page may lead to another one by a refresh."""
        self.counts = STATS in self._components
        """Whether Scrapy's own middleware counts requests and responses, and not one of the project in its place."""
        self._has_others = any(path_of(component) not in THEIRS for component in self.middlewares)
        self.default_fields = self._fields()
        """The header fields that requests get unless they have them, with their values."""

    def __bool__(self) -> bool:
        return self._has_others

    def _fields(self) -> dict[bytes, Any]:
        request = Request("https://crawler.invalid")
        for component in self.middlewares:
            if path_of(component) in FIELDS:
                if hasattr(component, "spider_opened"):  # it takes the `user_agent` of the spider
                    component.spider_opened(self._spider)
                self._call(component, "process_request", request=request)
        return {name: tuple(values) for name, values in request.headers.items()}

    def _call(self, component: Any, name: str, **arguments: Any) -> Any:
        """Call a method of a middleware, if it has one."""
        method = getattr(component, name, None)
        if method is None:
            return None
        if takes_spider(method):
            method = partial(method, spider=self._spider)
        return method(**arguments)

    async def download(
        self,
        request: Any,
        send: Callable[[Any], Awaitable[Any]],
        retry: Callable[[Any, Any], None],
        count: Callable[[Any], None],
    ) -> Any:
        """Return the response to a request, or another request to send instead of it.

        Parameters:
            request: The request, which middlewares may change in place.
            send: Sends it, and returns the response.
            retry: Does the work of `RetryMiddleware`, with the request and the response or exception.
            count: Does the work of `DownloaderStats`, with a method, the status of a response, or an exception.

        Raises:
            Exception: What the downloader, a middleware or `retry` raised, unless a middleware handles it.
        """
        try:
            result = await self._before(request, count)
            if result is None:
                result = await send(request)
        except Exception as error:
            result = await self._after_error(request, error, retry, count)
        return result if isinstance(result, Request) else await self._after(request, result, retry, count)

    async def _before(self, request: Any, count: Callable[[Any], None]) -> Any:
        for component in self._components:
            if component == STATS:
                count(request.method)
            result = await result_of(self._call(component, "process_request", request=request))
            if result is not None:
                return _checked(component, "process_request", result)
        return None

    async def _after(
        self, request: Any, response: Any, retry: Callable[[Any, Any], None], count: Callable[[Any], None]
    ) -> Any:
        for component in reversed(self._components):
            if component == RETRY:
                retry(request, response)
            elif component == STATS:
                count(response.status)
            elif hasattr(component, "process_response"):
                result = await result_of(self._call(component, "process_response", request=request, response=response))
                response = _checked(component, "process_response", result)
                if isinstance(response, Request):
                    return response
        return response

    async def _after_error(
        self, request: Any, error: Exception, retry: Callable[[Any, Any], None], count: Callable[[Any], None]
    ) -> Any:
        for component in reversed(self._components):
            if component == RETRY:
                retry(request, error)
                continue
            if component == STATS:
                count(error)
                continue
            result = await result_of(self._call(component, "process_exception", request=request, exception=error))
            if result is not None:
                return _checked(component, "process_exception", result)
        raise error


def _checked(component: Any, method: str, result: Any) -> Any:
    """Return what a method of a middleware returned.

    Raises:
        TypeError: It is neither a request nor a response.
    """
    if not isinstance(result, (Request, Response)):
        message = f"{path_of(component)}.{method}() must return a Response or a Request, not {type(result).__name__}"
        raise TypeError(message)
    return result
