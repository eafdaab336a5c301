"""Results of handlers: `collect` calls a handler and sorts what it returns, in whatever form, into a `PageResult`."""

from __future__ import annotations

import inspect
import itertools
import math
import os
import time
import types
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any, Final, TypeAlias, TypeGuard

import trio
from msgspec import Struct, field

from crawler.engine.item_json import describe_bad_field, encode_item
from crawler.errors import HookError
from crawler.hints import describe_error, hint_for
from crawler.hooks.page_effects import PageEffects
from crawler.hooks.plugin import Plugin
from crawler.messages import Drop, Item, Produced, Request, Retry
from crawler.store import ItemRow

__all__ = [
    "NOT_ITEMS",
    "Maker",
    "PageResult",
    "collect",
    "describe_error",
    "describe_wrong",
    "drain",
    "encoded",
    "is_generator",
]  # fmt: skip

NOT_ITEMS: Final = (
    str, bytes, bytearray, int, float, bool, list, tuple, set, frozenset, type,
    types.GeneratorType, types.AsyncGeneratorType, types.CoroutineType,
)  # fmt: skip
"""Types that a handler may not yield, although JSON has a type for them, or they would produce what it may yield."""
SPILL_OVER: Final = 10_000
"""Items and requests of one page in memory. When there are more, they go to the store before the page has ended."""
UNINTERRUPTED: Final = 1000
"""Values that a generator yields before other tasks run: some milliseconds."""
NOTHING: Final = object()
END, MORE, PAUSE = range(3)
"""Results of `_sort`: no value was left; there were values; there was a `None`, at which other tasks may run."""
STEP: Final = 0.01
"""Seconds that a handler must have taken for other tasks to run at a `None`."""

Spill: TypeAlias = "Callable[[PageResult], Awaitable[None]]"
Maker: TypeAlias = "tuple[Plugin, str]"
"""A plugin, and the callback or hook of it that made an item."""


class PageResult(Struct, eq=False):
    """The results and effects of the handlers of one page."""

    handler: str = "parse"
    """The callback or errback, for errors in its items."""
    effects: PageEffects = field(default_factory=PageEffects)
    """Counters, states and added requests."""
    items: list[ItemRow] = []
    """Items; refined and encoded when the handlers have ended."""
    encoded: list[ItemRow] = []
    """Items that precede `items` and were encoded by the process that ran the callback."""
    requests: list[Request] = []
    """Requests, not yet admitted."""
    repeats: int = 0
    """Number of requests that were left out because the crawl has seen them."""
    dropped: list[str] = []
    """Why items were dropped."""
    retry: Retry | None = None
    """The page is to be fetched again instead."""
    state: dict[str, dict[str, Any]] = {}
    """Changes of states, by owner."""
    maker: Maker | None = None
    """The hook whose results are collected now; `None`: a callback of the spider."""
    makers: dict[int, Maker] = {}
    """The hooks that items come from, by the `id` of the item. The others come from the spider."""
    spill: Spill | None = None
    """Takes items and requests away when there are many, before the handler has ended."""

    def add(self, other: PageResult) -> None:
        """Add the result of another handler."""
        self.items += other.items
        self.requests += other.requests
        self.dropped += other.dropped
        for name, n in other.effects.counters.items():
            self.effects.counters[name] = self.effects.counters.get(name, 0) + n
        for owner, changed in other.state.items():
            self.state[owner] = self.state.get(owner, {}) | changed


async def collect(call: partial[Produced], result: PageResult, url: str) -> None:
    """Call a handler of a page, or of a request that failed, and sort what it returns into items and requests."""
    process = os.getpid()
    began = -math.inf  # other tasks run at the first `None`: so no clock is read for most pages
    produced: Any = None
    try:
        produced = call()
        if produced is None:
            return
        if not is_generator(produced):
            produced = await drain(produced)
        rest = iter(produced)
        is_large = False  # a page may yield millions of values: let other tasks run
        while (found := _sort(itertools.islice(rest, min(UNINTERRUPTED, SPILL_OVER)), result)) != END:
            is_full = result.spill is not None and len(result.items) + len(result.requests) > SPILL_OVER
            if is_full or is_large or (found == PAUSE and time.perf_counter() - began > STEP):
                if is_full and result.spill is not None:
                    await result.spill(result)
                else:
                    await trio.lowlevel.checkpoint()
                began = time.perf_counter()
            is_large = is_large or found == MORE
    finally:
        if os.getpid() != process:
            from crawler.engine.forked_copies import end_copy  # noqa: PLC0415 - few handlers fork

            end_copy(call.func, url)
        if isinstance(produced, types.GeneratorType):
            produced.close()


def _sort(values: Iterable[Any], result: PageResult) -> int:
    """Sort values up to the first `None`. Return `END`, `MORE` or `PAUSE`."""
    value: Any = NOTHING
    before = len(result.items)
    for value in values:
        if isinstance(value, Request):
            result.requests.append(value)
        elif type(value) is dict:
            result.items.append(ItemRow(b"", value.copy()))  # the handler may fill the same dict again
        elif isinstance(value, Retry):
            result.retry = value
        elif isinstance(value, NOT_ITEMS):
            if isinstance(value, types.CoroutineType):
                value.close()  # else Python warns that it was never awaited
            raise TypeError(f"a callback must yield requests and items, not {type(value).__name__}: {value!r:.80}")
        elif value is None:
            break
        elif not isinstance(value, Drop):
            result.items.append(ItemRow(b"", value))
    if result.maker is not None:
        result.makers |= dict.fromkeys((id(item.value) for item in result.items[before:]), result.maker)
    if value is NOTHING:
        return END
    return PAUSE if value is None else MORE


def encoded(item: Item, maker: Maker, request: Request | None, *, is_callback: bool) -> ItemRow:
    """Return an item with its JSON."""
    try:
        return ItemRow(encode_item(item), item, "" if type(item) is dict else type(item).__name__)
    except Exception as error:
        message = f"an item cannot be written as JSON: {describe_bad_field(item)}{error}{hint_for(error)}"
        raise HookError(
            message, plugin=maker[0].name, hook=maker[1], request=request, is_callback=is_callback
        ) from error


def is_generator(produced: Any) -> TypeGuard[types.GeneratorType[Any, Any, Any]]:
    """Return whether a handler returned a generator, as most do, which is not a coroutine of the old form."""
    return isinstance(produced, types.GeneratorType) and not (produced.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE)


async def drain(produced: Produced) -> Iterable[Any]:
    """Return what a handler returned, in whatever form, as one iterable; text is a `TypeError`.

    An async generator is drained to its end before anything else is done: the engine awaits nothing while the generator
    is suspended, so no cancel scope that is open inside it can reach the engine.
    """
    if is_generator(produced):
        return produced
    if produced is None:
        return ()
    if inspect.isawaitable(produced) or isinstance(produced, AsyncIterable):
        produced = await _await(produced)
    if produced is None:
        return ()
    if isinstance(produced, (str, bytes)):
        raise TypeError(f"a callback must return requests and items, not {type(produced).__name__}")
    is_one = isinstance(produced, (Request, Retry, dict)) or hasattr(produced, "model_dump")
    if is_one or not isinstance(produced, Iterable):
        return (produced,)
    return produced


async def _await(produced: Any) -> Any:
    """Return what an async handler has produced at its end."""
    if inspect.isawaitable(produced):
        produced = await produced
    if isinstance(produced, types.AsyncGeneratorType):
        async with aclosing(produced):
            return await _values_of(produced)
    return await _values_of(produced) if isinstance(produced, AsyncIterable) else produced


async def _values_of(produced: AsyncIterable[Any]) -> list[Any]:
    """Return what an async handler yields. It may fill the same dict again before it ends."""
    return [value.copy() if type(value) is dict else value async for value in produced]


def describe_wrong(result: Any, wanted: str) -> str:
    """Return what is wrong with the result of a hook. A coroutine is closed, since it is never awaited."""
    if inspect.iscoroutine(result):
        result.close()
        return f"returned a coroutine, not {wanted}: await {result.__qualname__}() in it"
    name = type(result).__name__
    return f"returned {name}, not {wanted}"
