"""Results of handlers: `drain` turns every form of them into one iterable, `encode_item` turns an item into JSON."""

from __future__ import annotations

import inspect
import types
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import Any, TypeAlias, TypeGuard

import msgspec

from crawler.content import replace_surrogates
from crawler.messages import Item, Produced, Request, Retry

__all__ = ["Watch", "describe_bad_field", "describe_wrong", "drain", "encode_item", "is_generator"]

Watch: TypeAlias = "Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]"


def is_generator(produced: Any) -> TypeGuard[types.GeneratorType[Any, Any, Any]]:
    """Return whether a handler returned a generator, as most do, which is no coroutine of the old form."""
    return isinstance(produced, types.GeneratorType) and not (produced.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE)


async def drain(produced: Produced, watch: Watch | None = None) -> Iterable[Any]:
    """Return what a handler returned, in whatever form, as one iterable.

    An async generator is drained to its end before anything else is done: the engine awaits nothing while the generator
    is suspended, so no cancel scope that is open inside it can reach the engine.

    Parameters:
        produced: What it returned.
        watch: Wraps the coroutine in which an async handler runs; `None`: it is awaited as it is.

    Raises:
        TypeError: It is text.
    """
    if is_generator(produced):
        return produced
    if produced is None:
        return ()
    if inspect.isawaitable(produced) or isinstance(produced, AsyncIterable):
        coroutine = _await(produced)
        produced = await (coroutine if watch is None else watch(coroutine))
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
            return [value async for value in produced]
    if isinstance(produced, AsyncIterable):
        return [value async for value in produced]
    return produced


def encode_item(item: Item) -> bytes:
    """Encode a dict, attrs, dataclass, Struct or pydantic item as a JSON object. Lone surrogates become U+FFFD.

    Raises:
        TypeError: The item is of another type, or holds a value that JSON has no type for.
    """
    dump = getattr(item, "model_dump", None)
    plain = dump(mode="json") if dump is not None else item
    try:
        data = msgspec.json.encode(plain)
    except UnicodeEncodeError:
        data = msgspec.json.encode(_without_surrogates(msgspec.to_builtins(plain)))
    if not data.startswith(b"{"):
        raise TypeError(f"an item must be an object, not {type(item).__name__}")
    return data


def describe_bad_field(item: Item) -> str:
    """Return the first field of a dict that cannot be encoded, as the start of a message; empty: there is none."""
    for name, value in item.items() if isinstance(item, dict) else ():
        try:
            encode_item({name: value})
        except Exception:
            return f"its field {name!r}: "
    return ""


def describe_wrong(result: Any, wanted: str) -> str:
    """Return what is wrong with the result of a hook. A coroutine is closed, since nobody awaits it.

    Parameters:
        result: The result.
        wanted: What the hook may return: ``a Request or Drop``.
    """
    if inspect.iscoroutine(result):
        result.close()
        return f"returned a coroutine, not {wanted}: await {result.__qualname__}() in it"
    name = type(result).__name__
    return f"returned {name}, not {wanted}"


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(part) for part in value]
    return value
