"""`DownloaderMiddlewares`: calls the downloader middlewares of a project around an attempt of the crawl.

The crawl does itself what the middlewares of Scrapy do: redirects, retries, cookies, robots.txt, authentication,
compression and proxies. Their places among the others are kept, since those next to the server see a redirect or a
refusal, and those next to the engine do not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

from scrapy.http import Request, Response

from crawler_plugins.scrapy.components import path_of, takes_spider
from crawler_plugins.scrapy.deferreds import result_of

__all__ = ["BUILT_IN", "REDIRECT", "RETRY", "DownloaderMiddlewares"]

BUILT_IN: Final = "scrapy.downloadermiddlewares."
REDIRECT: Final = f"{BUILT_IN}redirect.RedirectMiddleware"
RETRY: Final = f"{BUILT_IN}retry.RetryMiddleware"


class DownloaderMiddlewares:
    """The downloader middlewares of a project, with the places of Scrapy's own.

    Parameters:
        spider: The Scrapy spider.
        components: The middlewares in their order, the first next to the engine. Those of Scrapy are paths.
        follows: Returns whether the crawl follows a response to another one: a redirect.
        retries: Returns whether the crawl sends the request of a response or error again.
    """

    def __init__(
        self,
        spider: Any,
        components: Iterable[Any],
        follows: Callable[[Any, Any], bool],
        retries: Callable[[Any, Any], bool],
    ) -> None:
        self._spider = spider
        self._components = list(components)
        self._stops = {REDIRECT: follows, RETRY: retries}

    def __bool__(self) -> bool:
        return any(not isinstance(component, str) for component in self._components)

    def _call(self, component: Any, name: str, **arguments: Any) -> Any:
        """Call a method of a middleware, if it has one."""
        method = getattr(component, name, None)
        if method is None:
            return None
        if takes_spider(method):
            method = partial(method, spider=self._spider)
        return method(**arguments)

    async def download(self, request: Any, send: Callable[[Any], Awaitable[Any]]) -> Any:
        """Return the response to a request, or another request to send instead of it.

        Parameters:
            request: The request, which middlewares may change in place.
            send: Sends it, and returns the response.

        Raises:
            Exception: What the downloader or a middleware raised, unless a middleware handles it.
        """
        try:
            result = await self._before(request)
            if result is None:
                result = await send(request)
        except Exception as error:
            result = await self._after_error(request, error)
        return result if isinstance(result, Request) else await self._after(request, result)

    async def _before(self, request: Any) -> Any:
        for component in self._components:
            result = await result_of(self._call(component, "process_request", request=request))
            if result is not None:
                return _checked(component, "process_request", result)
        return None

    async def _after(self, request: Any, response: Any) -> Any:
        for component in reversed(self._components):
            if isinstance(component, str):
                stop = self._stops.get(component)
                if stop is not None and stop(request, response):
                    return response
            elif hasattr(component, "process_response"):
                result = await result_of(self._call(component, "process_response", request=request, response=response))
                response = _checked(component, "process_response", result)
                if isinstance(response, Request):
                    return response
        return response

    async def _after_error(self, request: Any, error: Exception) -> Any:
        for component in reversed(self._components):
            if isinstance(component, str):
                if component == RETRY and self._stops[RETRY](request, error):
                    raise error
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
        words = f"{path_of(component)}.{method}() must return a Response or a Request, not {type(result).__name__}"
        raise TypeError(words)
    return result
