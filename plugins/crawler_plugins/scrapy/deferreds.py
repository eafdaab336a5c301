"""`result_of`: await what Scrapy components return, plain values, coroutines and Twisted Deferreds, in a trio task."""

from __future__ import annotations

import inspect
import types
from collections.abc import AsyncGenerator, Awaitable, Generator, Iterable
from typing import Any, Final

import trio
from twisted.internet.defer import Deferred

from crawler_plugins.scrapy.asyncio_loop import wait_for_future
from crawler_plugins.scrapy.reactor import asyncio_loop

__all__ = ["AsyncIterable", "is_pending", "iterate", "result_of"]

NEEDS_ASYNCIO: Final = (
    "this code awaits a future of another asyncio event loop, and the crawl runs on trio: await Deferreds, or "
    "requests of the spider"
)

PENDING: Final = frozenset({Deferred, types.CoroutineType})
PLAIN: Final = frozenset({type(None), bool, int, str, dict, list, tuple})


def is_pending(value: Any) -> bool:
    """Return whether a value has to be awaited: a coroutine, another awaitable, or a Deferred."""
    kind = type(value)
    if kind is types.GeneratorType:  # a coroutine of `types.coroutine` is one
        return inspect.isawaitable(value)
    return kind in PENDING or (kind not in PLAIN and (isinstance(value, Deferred) or inspect.isawaitable(value)))


async def result_of(value: Any) -> Any:
    """Return a plain value; of an awaitable or a Deferred, its result.

    Raises:
        RuntimeError: It awaits a future of another event loop.
    """
    return await _driven(value) if is_pending(value) else value


async def iterate(produced: Any) -> AsyncGenerator[Any, None]:  # noqa: ASYNC900 - closed by its readers
    """Yield the values of an iterable, or of an async iterable that may await Deferreds."""
    if hasattr(produced, "__aiter__"):
        iterator = produced.__aiter__()
        try:
            while True:
                try:
                    value = await _driven(iterator.__anext__())
                except StopAsyncIteration:
                    return
                yield value
        finally:
            if hasattr(iterator, "aclose"):
                await _driven(iterator.aclose())  # noqa: ASYNC102 - it runs what the generator itself cleans up
    for value in produced or ():
        yield value


class AsyncIterable:
    """The values of an iterable, for components that take async iterables only. It need not be read to its end."""

    def __init__(self, produced: Iterable[Any]) -> None:
        self._values = iter(produced)

    def __aiter__(self) -> AsyncIterable:
        return self

    async def __anext__(self) -> Any:
        for value in self._values:
            return value
        raise StopAsyncIteration


@types.coroutine
def _driven(awaitable: Awaitable[Any]) -> Generator[Any, Any, Any]:
    """Run an awaitable that awaits Deferreds and futures of asyncio as well as trio."""
    steps: Any = awaitable.__await__()
    step, value = steps.send, None
    loop = asyncio_loop()
    while True:
        try:
            trap = step(value)
        except StopIteration as end:
            return end.value
        step, value = steps.send, None
        try:
            if isinstance(trap, Deferred):
                yield from _fired(trap).__await__()
            elif trap is None:  # asyncio.sleep(0)
                yield from trio.lowlevel.checkpoint().__await__()  # noqa: ASYNC105 - it is
            elif hasattr(trap, "_asyncio_future_blocking"):
                if trap.get_loop() is not loop:
                    raise RuntimeError(NEEDS_ASYNCIO)
                trap._asyncio_future_blocking = False  # noqa: SLF001 - as the tasks of asyncio do
                yield from wait_for_future(trap).__await__()
            else:
                value = yield trap
        except BaseException as error:  # noqa: ASYNC103 - whatever it is belongs to the code that awaits
            step, value = steps.throw, error


async def _fired(deferred: Any) -> None:
    """Wait until a Deferred has a result, and leave it there."""
    fired = trio.Event()

    def note(result: Any) -> Any:
        fired.set()
        return result

    deferred.addBoth(note)
    await fired.wait()
