"""`SlowSteps`: names the callbacks and hooks that block the event loop, so that nothing else of the crawl runs."""

from __future__ import annotations

import inspect
import time
import types
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, TypeVar

from msgspec import Struct

from crawler.hooks.plugin import Plugin
from crawler.logs import get_logger
from crawler.spiders import Spider

__all__ = ["SLOW", "SlowSteps", "describe_handler"]

SLOW: Final = 1.0
"""Seconds for which a handler may block the event loop before it is named."""
MAX_HANDLERS: Final = 1000
"""Handlers that are remembered."""
MAX_INNER: Final = 16
"""Slow handlers of one step that called each other."""
T = TypeVar("T")
log = get_logger("crawler.engine")


class _Blocked(Struct, eq=False):
    """How often and for how long one handler has blocked the event loop."""

    steps: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    url: str = ""


class SlowSteps:
    """Measures the steps of handlers: the code between two suspensions of a task.

    A hook may run inside of another one, such as a `fetch` hook in the `send` of the one before: the time of the inner
    handler is not that of the outer one.

    The first slow step of a handler is logged when it ends, the others as one count at the end of the crawl.

    Parameters:
        clock: Returns seconds. It measures real time, also under the virtual clock of a test.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        """Returns the time at which a step begins, for `check`."""
        self._blocked: dict[str, _Blocked] = {}
        self._inner: deque[tuple[float, float]] = deque(maxlen=MAX_INNER)
        """When the last slow steps ended, and their seconds."""

    def check(self, began: float, handler: Callable[..., Any], url: str) -> None:
        """Look at a step that ends now.

        Parameters:
            began: When it began.
            handler: The callback or hook.
            url: The URL of its page; empty if there is none.
        """
        ended = self.clock()
        if ended - began > SLOW:
            seconds = ended - began - sum(inner for end, inner in self._inner if end >= began)
            if seconds > SLOW:
                self._inner.append((ended, seconds))
                self._note(seconds, describe_handler(handler), url)

    @types.coroutine
    def watch(self, awaitable: Awaitable[T], handler: Callable[..., Any], url: str) -> Generator[Any, Any, T]:
        """Await something, and measure each of its steps. The other parameters are those of `check`."""
        coroutine: Any = awaitable if hasattr(awaitable, "send") else awaitable.__await__()
        resume: Callable[[Any], Any] = coroutine.send
        value: Any = None
        while True:
            began = self.clock()
            try:
                wish = resume(value)
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                self.check(began, handler, url)
            try:
                value, resume = (yield wish), coroutine.send
            except BaseException as error:  # noqa: ASYNC103 - the coroutine gets it
                value, resume = error, coroutine.throw

    def _note(self, seconds: float, handler: str, url: str) -> None:
        if handler not in self._blocked and len(self._blocked) >= MAX_HANDLERS:
            return
        blocked = self._blocked.setdefault(handler, _Blocked())
        blocked.steps += 1
        blocked.seconds += seconds
        if seconds > blocked.longest:
            blocked.longest, blocked.url = seconds, url
        if blocked.steps == 1:
            log.warning(
                "%s blocked the event loop for %.1f s%s: no other request continued meanwhile; "
                "await trio.to_thread.run_sync() for work that takes long",
                handler, seconds, f" at {url}" if url else "",
            )  # fmt: skip

    def finish(self) -> None:
        """Log the counts of handlers that have blocked the event loop more than once."""
        for handler, blocked in self._blocked.items():
            if blocked.steps > 1:
                log.warning(
                    "%s blocked the event loop %d times, for %.1f s in total and at most %.1f s%s",
                    handler, blocked.steps, blocked.seconds, blocked.longest,
                    f", at {blocked.url}" if blocked.url else "",
                )  # fmt: skip
        self._blocked.clear()


def describe_handler(handler: Callable[..., Any]) -> str:
    """Return the qualified name of a function or method, the place of its definition, and the plugin that it is of."""
    function = inspect.unwrap(handler)
    name = getattr(function, "__qualname__", None) or repr(function)
    code = getattr(function, "__code__", None)
    owner = getattr(handler, "__self__", None)
    plugin = f" of the plugin {owner.name}" if isinstance(owner, Plugin) and not isinstance(owner, Spider) else ""
    return f"{name}{plugin}" if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno}){plugin}"
