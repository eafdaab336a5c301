"""`refusals`: why a project cannot run here, one line each, before anything of it is created."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from scrapy import Spider
from scrapy.utils.misc import load_object

from crawler import ConfigError
from crawler_plugins.scrapy.components import path_of
from crawler_plugins.scrapy.handlers import WEB, web_handlers
from crawler_plugins.scrapy.redis_job import PACKAGE, uses_scrapy_redis

__all__ = ["error_of", "missing_arguments", "refusals", "spider_refusals"]

COMPONENTS: Final = ("ADDONS", "DOWNLOADER_MIDDLEWARES", "SPIDER_MIDDLEWARES", "ITEM_PIPELINES", "EXTENSIONS")
CLASSES: Final = ("DUPEFILTER_CLASS", "LOG_FORMATTER", "REQUEST_FINGERPRINTER_CLASS", "STATS_CLASS")
"""Settings that name a class."""
OWN: Final = {
    "SCHEDULER": "scrapy.core.scheduler.",
    "DOWNLOADER": "scrapy.core.downloader.",
    "ITEM_PROCESSOR": "scrapy.pipelines.",
}
"""Settings that name a part of the engine, with the beginning of Scrapy's own."""
INSTEAD: Final = {
    "scrapy_splash": "Splash is not used; leave it out for pages without scripts",
    "scrapy_cluster": "queues in Redis are not shared with Scrapy; --job redis://host/NAME shares a crawl",
    "scrapyd": "run the command on the machine itself",
}
"""Packages that replace a part of the engine, with what to do."""
OWN_INSTEAD: Final = "the crawl has its own; leave it out, or run the project with Scrapy"
COLLECTING: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
LOOPS: Final = frozenset({"aiohttp", "async_playwright"})
"""Names in async code that need the current task of asyncio."""


def error_of(reasons: Iterable[str]) -> ConfigError:
    """Return an error for one or more reasons; the command line has a line for each."""
    first, *others = reasons
    error = ConfigError(first)
    for reason in others:
        error.add_note(reason)
    return error


def refusals(settings: Any, spider_class: Any = None) -> Iterator[str]:
    """Yield the reasons why a project, or one spider of it, cannot run.

    Parameters:
        settings: The `scrapy.settings.Settings`, merged with those of the spider.
        spider_class: The class of the spider.
    """
    for name, beginning in OWN.items():
        path = path_of(settings.get(name) or "")
        if path and not path.startswith((beginning, PACKAGE)):
            yield f"{name} = {path}: {_instead(path, OWN_INSTEAD)}"
    yield from _handler_refusals(settings)
    for name in COMPONENTS:
        yield from _component_refusals(settings, name)
    for name in CLASSES:
        path = settings.get(name)
        if isinstance(path, str) and (reason := _import_error(path)) and not uses_scrapy_redis(settings, name):
            yield f"{name} = {path} {reason}"
    if spider_class is not None:
        yield from spider_refusals(spider_class)


def _handler_refusals(settings: Any) -> Iterator[str]:
    """Yield the reason why a download handler of the project cannot run."""
    given = settings.getdict("DOWNLOAD_HANDLERS") or {}
    for scheme, handler in sorted(given.items()):
        path = "" if handler is None else path_of(handler)
        if not path or (scheme in WEB and scheme not in web_handlers(settings)):
            continue
        if reason := _import_error(handler):
            yield f"DOWNLOAD_HANDLERS[{scheme!r}] = {path} {reason}"


def _component_refusals(settings: Any, name: str) -> Iterator[str]:
    try:
        given = settings.getdict(name)
    except (TypeError, ValueError) as error:
        yield f"{name} must be a dict of classes and numbers: {error}"
        return
    for component in [path for path, order in given.items() if order is not None]:
        path = path_of(component)
        package = path.partition(".")[0]
        if package in INSTEAD:
            yield f"{name}: {path}: {INSTEAD[package]}"
        elif package != "scrapy":
            reason = _import_error(component)
            if reason:
                yield f"{name}: {path} {reason}"
            else:
                yield from _code_refusals(load_object(component), name)


def _import_error(path: Any) -> str:
    """Return why a class cannot be imported or used; empty if it can."""
    try:
        found = load_object(path)
    except (Exception, SystemExit) as error:
        first = str(error).partition("\n")[0]
        return f"cannot be imported: {type(error).__name__}: {first}"
    return "" if callable(found) or not isinstance(path, str) else f"must be a class, not {type(found).__name__}"


def spider_refusals(spider_class: Any) -> Iterator[str]:
    """Yield the reasons why a spider cannot run, whatever the settings are.

    Parameters:
        spider_class: Its class.
    """
    custom = getattr(spider_class, "custom_settings", None)
    if not isinstance(custom, (Mapping, type(None))):
        yield f"custom_settings of {spider_class.__name__} must be a dict, not {type(custom).__name__}"
    for kind in spider_class.__mro__:
        package = kind.__module__.partition(".")[0]
        if package in INSTEAD:
            yield f"{spider_class.__name__} is a {kind.__module__}.{kind.__qualname__}: {INSTEAD[package]}"
            return
    yield from _code_refusals(spider_class, "spider")


def missing_arguments(spider_class: Any, given: Collection[str] = ()) -> list[str]:
    """Return the arguments that the constructor of a spider lacks.

    Parameters:
        spider_class: Its class.
        given: Names of arguments.
    """
    if getattr(spider_class.from_crawler, "__func__", None) is not getattr(Spider.from_crawler, "__func__", None):
        return []  # it may give them itself
    _, *parameters = inspect.signature(spider_class.__init__).parameters.values()
    needed = [one.name for one in parameters if one.default is one.empty and one.kind not in COLLECTING]
    return [name for name in needed if name not in given]


def _code_refusals(kind: Any, what: str) -> Iterator[str]:
    """Yield a reason for each method that needs an event loop of asyncio, or a part of a response that is not there."""
    for base in getattr(kind, "__mro__", ()):
        if base.__module__.partition(".")[0] in ("scrapy", "builtins"):
            continue
        for name, method in vars(base).items():
            function = getattr(method, "__func__", method)
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                used = sorted(LOOPS.intersection(function.__code__.co_names))
                if used:
                    where = f"{base.__module__}.{base.__qualname__}.{name}()"
                    yield f"{what}: {where} uses {used[0]}, which needs an asyncio event loop: the crawl runs on trio"
            if _reads_certificate(function):
                where = f"{base.__module__}.{base.__qualname__}.{name}()"
                yield f"{what}: {where} reads response.certificate, which is not known here: run it with Scrapy"


def _reads_certificate(function: Any) -> bool:
    """Return whether a function reads ``response.certificate``."""
    code = getattr(function, "__code__", None)
    if code is None or "certificate" not in code.co_names:
        return False
    steps = [(step.opname, step.argval) for step in dis.get_instructions(code)]
    return any(
        before[0].startswith("LOAD_FAST") and before[1] == "response" and step == ("LOAD_ATTR", "certificate")
        for before, step in pairwise(steps)
    )


def _instead(path: str, otherwise: str) -> str:
    return INSTEAD.get(path.partition(".")[0], otherwise)
