"""The results of callbacks: each form they may have, as one stream of items and requests."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from typing import Any

from crawler.messages import Produced, Request, Retry

__all__ = ["as_iterable", "is_async", "map_callback"]


def as_iterable(produced: Any) -> Iterable[Any]:
    """Return the result of a callback that is not async as an iterable of items and requests."""
    if produced is None:
        return ()
    if isinstance(produced, (Request, Retry, dict)) or not isinstance(produced, Iterable):
        return (produced,)
    return produced


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether a function is a coroutine function or an async generator function."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def map_callback(function: Callable[..., Any], values: Iterable[Any], *others: Any) -> Produced:
    """Call `function` for each value and yield the items and requests of each call.

    Returns an iterator; an async iterator if `function` is async.
    """
    return _map_async(function, values, others) if is_async(function) else _map(function, values, others)


def _map(function: Callable[..., Any], values: Iterable[Any], others: tuple[Any, ...]) -> Iterator[Any]:
    for value in values:
        yield from as_iterable(function(value, *others))


async def _map_async(  # noqa: ASYNC900 - the engine drains and closes it
    function: Callable[..., Any], values: Iterable[Any], others: tuple[Any, ...]
) -> Any:
    for value in values:
        produced = function(value, *others)
        if isinstance(produced, AsyncIterable):
            async for one in produced:
                yield one
        else:
            for one in as_iterable(await produced):
                yield one
