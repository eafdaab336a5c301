"""`LongCalls`: names the hooks and callbacks that do not return, so that users see why a crawl waits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final, Self

import trio

from crawler.logs import get_logger

__all__ = ["LongCall", "LongCalls", "fetching"]

LONG: Final = 60.0
"""Seconds for which a hook may wait before it is named."""
CANCELLED: Final = 5.0
"""Seconds after which a hook is named when it is cancelled: it has used up much of the grace of a stop."""
MAX_NAMED: Final = 1000
"""Hooks that are remembered, so that each is named once."""
log = get_logger("crawler.engine")


class LongCalls:
    """The hooks and async callbacks that are running. Each one that does not return is logged once."""

    def __init__(self) -> None:
        self.running: dict[LongCall, None] = {}
        """The calls that have not returned."""
        self._named: set[str] = set()

    def call(self, plugin: str, hook: str, url: str = "") -> LongCall:
        """Return a context manager for one call.

        Parameters:
            plugin: The name of the plugin.
            hook: The name of the hook or callback.
            url: The URL of its request or page; empty if there is none.
        """
        return LongCall(self, plugin, hook, url)

    def look(self) -> float:
        """Log the calls that have not returned for `LONG` seconds.

        Returns:
            The seconds until the next call may have to be logged.
        """
        now = trio.current_time()
        for call in [call for call in self.running if call.since + LONG <= now]:
            self.log(call, "has not returned for", "; the crawl waits for it")
            call.since = math.inf
        return min([now, *(call.since for call in self.running)]) + LONG - now

    def log(self, call: LongCall, verb: str, advice: str = "") -> None:
        """Log a call that does not return, unless its hook was named before.

        Parameters:
            call: The call.
            verb: The message up to the seconds.
            advice: The message after the URL.
        """
        name = f"{call.plugin}.{call.hook}"
        if name not in self._named and len(self._named) < MAX_NAMED:
            self._named.add(name)
            seconds = trio.current_time() - call.since
            log.warning("%s %s %.0f s%s%s", name, verb, seconds, f" for {call.url}" if call.url else "", advice)


class LongCall:
    """One call of a hook or callback while it runs. Entered for every page: hence no generator."""

    __slots__ = ("_calls", "_fetches", "_token", "hook", "plugin", "since", "url")

    def __init__(self, calls: LongCalls, plugin: str, hook: str, url: str) -> None:
        self._calls = calls
        self._fetches = 0
        self.plugin = plugin
        self.hook = hook
        self.url = url
        self.since = math.inf
        """Trio's time since which the call waits; infinite while it waits for the network, and once it is named."""

    def __enter__(self) -> Self:
        self.since = trio.current_time()
        self._calls.running[self] = None
        self._token = _current_call.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: object) -> None:
        del self._calls.running[self]
        _current_call.reset(self._token)
        if kind is trio.Cancelled and trio.current_time() - self.since >= CANCELLED:
            self._calls.log(self, "was cancelled after")

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """Do not name the call while the block runs: it waits for the network or for a limit."""
        self._fetches += 1
        self.since = math.inf
        try:
            yield
        finally:
            self._fetches -= 1
            if not self._fetches:
                self.since = trio.current_time()


_current_call: ContextVar[LongCall | None] = ContextVar("current_call", default=None)


def fetching() -> AbstractContextManager[None]:
    """Return a context manager for a fetch: the hook or callback of this task is not named meanwhile."""
    call = _current_call.get()
    return nullcontext() if call is None else call.fetching()
