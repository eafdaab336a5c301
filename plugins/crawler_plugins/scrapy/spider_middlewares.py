"""`SpiderMiddlewares`: calls a callback through the spider middlewares of a project, as Scrapy does.

``process_spider_input`` runs from the first to the last, ``process_spider_output`` from the last to the first. What
raises is offered to ``process_spider_exception`` of the middlewares between it and the engine; the first that returns
an iterable replaces the rest of the output, which then passes the remaining middlewares.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from functools import partial
from types import GeneratorType
from typing import Any

from scrapy.exceptions import CloseSpider
from scrapy.spidermiddlewares.httperror import HttpErrorMiddleware
from scrapy.utils.spider import iterate_spider_output

from crawler_plugins.scrapy.components import takes_spider
from crawler_plugins.scrapy.deferreds import AsyncIterable, iterate, result_of

__all__ = ["SpiderMiddlewares"]


class SpiderMiddlewares:
    """The spider middlewares of a project.

    Parameters:
        spider: The Scrapy spider.
        components: The middlewares in their order: the first is next to the engine, the last next to the spider.
        is_bare: Whether all are Scrapy's own. They do nothing for repeats, which are dropped before them then, and for
            start requests.
    """

    def __init__(self, spider: Any, components: Iterable[Any], *, is_bare: bool = False) -> None:
        self._is_bare = is_bare
        self._spider = spider
        found = self.components = list(components)
        self._inputs = [self._bound(method) for one in found if (method := getattr(one, "process_spider_input", None))]
        layers = [_Layer(one, self._bound) for one in reversed(found)]
        self._layers = [layer for layer in layers if layer.output or layer.output_async or layer.exception]
        self._starts = [] if is_bare else list(reversed(found))

    def _bound(self, method: Callable[..., Any]) -> Callable[..., Any]:
        return partial(method, spider=self._spider) if takes_spider(method) else method

    def start(self, produced: Any) -> Any:
        """Return the start requests as the middlewares change them."""
        for middleware in self._starts:
            if hasattr(middleware, "process_start"):
                source = produced if hasattr(produced, "__aiter__") else AsyncIterable(produced or ())
                produced = middleware.process_start(source)
            elif hasattr(middleware, "process_start_requests"):
                process = partial(middleware.process_start_requests, spider=self._spider)
                produced = _collected(produced, process) if hasattr(produced, "__aiter__") else process(produced)
        return produced

    async def call(
        self,
        response: Any,
        callback: Callable[[], Any],
        errback: Callable[[BaseException], Any],
        distinct: Callable[[Any], Any],
    ) -> Any:
        """Call a callback, and return its output as the middlewares change it, an iterable or async iterable.

        Parameters:
            response: The page.
            callback: Calls the callback of the page.
            errback: Called with the exception of a ``process_spider_input``, instead of the callback.
            distinct: Returns an output without repeats.

        Raises:
            Exception: What the callback or a middleware raised, unless a middleware handles it.
        """
        try:
            function = callback
            for process in self._inputs:
                try:
                    await result_of(process(response=response))
                except Exception as error:
                    function = partial(errback, error)
                    break
            produced = await result_of(function())
            if type(produced) is not GeneratorType:  # which most callbacks return, and which Scrapy iterates as it is
                produced = await result_of(iterate_spider_output(produced))
        except CloseSpider:
            raise
        except Exception as error:
            return self._handled(response, error, 0)
        if self._is_bare:
            return self._through(response, distinct(produced), 0)
        return distinct(self._through(response, produced, 0))

    def _through(self, response: Any, produced: Any, first: int) -> Any:
        """Return an output as the middlewares from `first` on change it."""
        guards = any(layer.guards for layer in self._layers)
        saved: list[Any] = []
        if guards and first == 0:
            produced = self._guarded(response, produced, 0, saved)
        for place in range(first, len(self._layers)):
            changed = self._layers[place].change(response, produced)
            if changed is not None:
                produced = self._guarded(response, changed, place + 1, saved) if guards else changed
        if not guards:
            return produced
        return _chained_async(produced, saved) if hasattr(produced, "__aiter__") else _chained(produced, saved)

    def _handled(self, response: Any, error: Exception, first: int) -> Any:
        """Return the output of a middleware in place of an exception; raise the exception if there is none."""
        if not getattr(error, "_unhandled", False):
            for place in range(first, len(self._layers)):
                process = self._layers[place].exception
                result = process(response=response, exception=error) if process is not None else None
                if result is not None:
                    return self._through(response, result, place + 1)
            error._unhandled = True  # type: ignore[attr-defined]  # noqa: SLF001 - the middlewares have seen it
        raise error

    def _guarded(self, response: Any, produced: Any, place: int, saved: list[Any]) -> Any:
        """Return an output whose exceptions are offered to the middlewares from `place` on.

        What these give instead is added to `saved`: it passes only the middlewares after them.
        """
        guard = self._guard_async if hasattr(produced, "__aiter__") else self._guard
        return guard(response, produced, place, saved)

    def _guard(self, response: Any, produced: Iterable[Any], place: int, saved: list[Any]) -> Iterable[Any]:
        try:
            yield from produced or ()
        except CloseSpider:
            raise
        except Exception as error:
            saved.append(self._handled(response, error, place))

    async def _guard_async(  # noqa: ASYNC900
        self, response: Any, produced: Any, place: int, saved: list[Any]
    ) -> AsyncIterator[Any]:
        try:
            async for value in produced:
                yield value
        except CloseSpider:
            raise
        except Exception as error:
            saved.append(self._handled(response, error, place))


def _chained(produced: Iterable[Any], saved: list[Any]) -> Iterable[Any]:
    """Yield an output, then what replaces the exceptions that it has raised."""
    yield from produced or ()
    for one in saved:
        yield from one


async def _chained_async(produced: Any, saved: list[Any]) -> AsyncIterator[Any]:  # noqa: ASYNC900
    async for value in produced:
        yield value
    for one in saved:
        async for value in iterate(one):
            yield value


class _Layer:
    """The methods of one middleware for the output of callbacks."""

    def __init__(self, middleware: Any, bound: Callable[[Any], Any]) -> None:
        methods = (
            getattr(middleware, name, None)
            for name in ("process_spider_output", "process_spider_output_async", "process_spider_exception")
        )
        plain, self.output_async, self.exception = (None if method is None else bound(method) for method in methods)
        method = getattr(middleware, "process_spider_output", None)
        if method is not None and inspect.isasyncgenfunction(method):
            plain, self.output_async = None, plain
        self.output: Any = plain
        self.guards = self.exception is not None and type(middleware) is not HttpErrorMiddleware
        """Whether it handles what callbacks raise while their output is read. Scrapy's own only refuses statuses."""

    def change(self, response: Any, produced: Any) -> Any:
        """Return an output as the middleware changes it; `None` if it changes none."""
        is_async = hasattr(produced, "__aiter__")
        if self.output_async is not None and (is_async or self.output is None):
            return self.output_async(response=response, result=produced if is_async else AsyncIterable(produced or ()))
        if self.output is None:
            return None
        process = partial(self.output, response)
        return _collected(produced, process) if is_async else process(produced)


async def _collected(produced: Any, process: Callable[[Any], Any]) -> AsyncIterator[Any]:  # noqa: ASYNC900
    """Change an async iterable by a function that takes iterables only: it is read to its end first."""
    async with aclosing(iterate(produced)) as source:
        values = [value async for value in source]
    for value in process(values):
        yield value
