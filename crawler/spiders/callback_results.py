"""What the ready-made spiders share: the many forms of what a callback gives back, and arguments that are checked."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec

from crawler import urls
from crawler.errors import ConfigError
from crawler.hooks.plugin import Plugin
from crawler.messages import Produced, Request, Retry
from crawler.settings.texts import plain
from crawler.spiders.spider import Spider
from crawler.suggest import did_you_mean

__all__ = ["by_one", "check_start", "check_types", "is_async", "method_name", "several"]


def several(produced: Any) -> Iterable[Any]:
    """What a callback that is not async gave back, as an iterable of items and requests."""
    if produced is None:
        return ()
    if isinstance(produced, (Request, Retry, dict)) or not isinstance(produced, Iterable):
        return (produced,)
    return produced


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a function is async, yielding or not."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def by_one(function: Callable[..., Any], values: Iterable[Any], *others: Any) -> Produced:
    """What `function` makes of each of `values`; it is given `others` too, and may have any form of a callback."""
    return _async_by_one(function, values, others) if is_async(function) else _by_one(function, values, others)


def _by_one(function: Callable[..., Any], values: Iterable[Any], others: tuple[Any, ...]) -> Iterator[Any]:
    for value in values:
        yield from several(function(value, *others))


async def _async_by_one(  # noqa: ASYNC900 - the engine drains and closes it
    function: Callable[..., Any], values: Iterable[Any], others: tuple[Any, ...]
) -> Any:
    for value in values:
        produced = function(value, *others)
        if isinstance(produced, AsyncIterable):
            async for one in produced:
                yield one
        else:
            for one in several(await produced):
                yield one


def check_types(spider: Spider, kind: type[Spider]) -> None:
    """Refuses arguments that `kind` declares and that are not of the types which it declares.

    Raises:
        ConfigError: one is not.
    """
    for name, declared in kind.declared_arguments().items():
        value, annotation = getattr(spider, name), declared.annotation
        where = f"{type(spider).__name__}: argument {name}"
        if get_origin(annotation) is Literal and value not in get_args(annotation):
            choices = " or ".join(get_args(annotation))
            raise ConfigError(f"{where}: {choices}, not {value!r}{did_you_mean(str(value), get_args(annotation))}")
        try:
            msgspec.convert(value, annotation)
        except msgspec.ValidationError as error:
            wanted = plain(error).partition(", got")[0]
            raise ConfigError(f"{where}: {wanted}, not {value!r}") from None


def check_start(spider: Spider) -> None:
    """Refuses start URLs that are none, and a spider that has none to begin with.

    Raises:
        ConfigError: so it is.
    """
    where = f"{type(spider).__name__}: "
    if not spider.start_urls:
        raise ConfigError(f"{where}it needs the argument url, or start_urls, to begin with")
    for url in spider.start_urls:
        try:
            urls.normal(url)
        except ValueError as error:
            raise ConfigError(f"{where}argument url: {error}") from None


def method_name(spider: Spider, handler: Any, where: str) -> str | None:
    """The name of a method of the spider that is given by its name, as a bound method, or as a function of the class.

    Raises:
        ConfigError: it has no such method.
    """
    if handler is None:
        return None
    name = handler if isinstance(handler, str) else getattr(handler, "__name__", repr(handler))
    found = getattr(spider, name, None) if name.isidentifier() else None
    own = handler if isinstance(handler, str) else getattr(handler, "__func__", handler)
    if not callable(found) or (not isinstance(handler, str) and getattr(found, "__func__", found) is not own):
        routines = inspect.getmembers(type(spider), inspect.isroutine)
        methods = [each for each, _ in routines if each[0] != "_" and not hasattr(Plugin, each)]
        raise ConfigError(f"{where}: {type(spider).__name__} has no method {name!r}{did_you_mean(name, methods)}")
    return name
