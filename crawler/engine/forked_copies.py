"""Processes that were forked by the code of a crawl: each is ended before it continues the crawl.

`end_copy` ends one in which a handler returns; `ending_copies` lets any other end when it returns to the event loop.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Final, NoReturn

import trio

from crawler.hooks.plugin import Plugin
from crawler.logs import get_logger
from crawler.spiders import Spider

__all__ = ["end_copy", "ending_copies"]

WAY_OUT: Final = (
    "only one process may continue the crawl; end the new one with os._exit(), or start programs with subprocess"
)
is_crawling: ContextVar[bool] = ContextVar("is_crawling", default=False)
"""Whether this task belongs to a crawl."""
log = get_logger("crawler.engine")


def end_copy(handler: Callable[..., Any], url: str) -> NoReturn:
    """End this process, which a handler has forked, at once. It would continue the crawl, as the other one does.

    Call it when the handler has returned or raised. A copy that ``sys.exit`` ends does what its author meant; any other
    is reported.
    """
    error = sys.exc_info()[1]
    if isinstance(error, SystemExit):
        os._exit(error.code & 0xFF if isinstance(error.code, int) else int(error.code is not None))
    log.error(
        "%s has forked the process for %s and has returned in the new one, which is ended: %s",
        _describe(handler), url, WAY_OUT,
    )  # fmt: skip
    os._exit(1)


def _describe(handler: Callable[..., Any]) -> str:
    """Return the qualified name of a function or method, the place of its definition, and the plugin that it is of."""
    function = inspect.unwrap(handler)
    name = getattr(function, "__qualname__", None) or repr(function)
    code = getattr(function, "__code__", None)
    owner = getattr(handler, "__self__", None)
    plugin = f" of the plugin {owner.name}" if isinstance(owner, Plugin) and not isinstance(owner, Spider) else ""
    return f"{name}{plugin}" if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno}){plugin}"


@contextmanager
def ending_copies() -> Iterator[None]:
    """End each process that a task started in this block forks, when it first awaits in the new process.

    That process would run the event loop, too. `multiprocessing` and `subprocess` end their processes themselves.
    """
    _watch_forks()
    token = is_crawling.set(True)
    try:
        yield
    finally:
        is_crawling.reset(token)


class _EndsCopy(trio.abc.Instrument):
    """Ends this process after the step of the task that has forked it."""

    def __init__(self, place: str) -> None:
        self._place = place

    def after_task_step(self, task: trio.lowlevel.Task) -> NoReturn:
        log.error("%s has forked the process and awaits in the new one, which is ended: %s", self._place, WAY_OUT)
        os._exit(1)


@cache
def _watch_forks() -> None:
    """Register a function that a forked process calls. It cannot be removed, and does nothing while no crawl runs."""
    os.register_at_fork(after_in_child=_end_at_next_await)


def _end_at_next_await() -> None:
    if is_crawling.get() and trio.lowlevel.in_trio_task():
        code = sys._getframe(1).f_code  # noqa: SLF001 - the function that called os.fork()
        place = f"{code.co_qualname} ({code.co_filename}:{code.co_firstlineno})"
        trio.lowlevel.add_instrument(_EndsCopy(place))
