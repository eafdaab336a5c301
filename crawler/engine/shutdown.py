"""`Shutdown`: how a crawl comes to its end, with one absolute time for everybody.

A stop takes no new work; what is in flight has until `stop_at`, then workers are cancelled and what they held is put
back. The writer and the sinks, shielded from that, have one second more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

__all__ = ["LAST", "Shutdown"]

LAST = 1.0
"""Seconds that the writer and the sinks have after the workers."""


class Shutdown:
    """The state of a stop, and the scopes whose deadlines it sets.

    Parameters:
        grace: seconds that what is in flight is given.
        wake: called at the first stop, to wake whoever waits for new work.
    """

    def __init__(self, grace: float, wake: Callable[[], None]) -> None:
        self.grace = grace
        self._wake = wake
        self.reason: str | None = None
        """Why the crawl ends; `None` while it goes on."""
        self.by_limit = False
        """Whether a quota, a budget or `max_errors` is the reason."""
        self.interrupted = False
        """Whether a signal is the reason."""
        self.stopping = trio.Event()
        """Set by the first stop."""
        self.stop_at = math.inf
        """By trio's clock: when workers are cancelled."""
        self._working: list[trio.CancelScope] = []
        self._finishing: list[trio.CancelScope] = []

    def working(self) -> trio.CancelScope:
        """A scope for whoever is cancelled at `stop_at`."""
        return self._scope(self._working, self.stop_at, shield=False)

    @contextmanager
    def finishing(self) -> Iterator[trio.CancelScope]:
        """A shielded scope for whoever has until one second after `stop_at`. What is raised in it stops the others."""
        with self._scope(self._finishing, self.stop_at + LAST, shield=True) as scope:
            try:
                yield scope
            except BaseException:
                self.stop_now("failed")
                raise

    def around(self) -> trio.CancelScope:
        """A scope around everything, lifespans too, that ends with the last of them."""
        return self._scope(self._finishing, self.stop_at + LAST, shield=False)

    @staticmethod
    def _scope(scopes: list[trio.CancelScope], deadline: float, *, shield: bool) -> trio.CancelScope:
        scope = trio.CancelScope(deadline=deadline, shield=shield)
        scopes.append(scope)
        return scope

    def stop(self, reason: str, *, by_limit: bool = False, interrupted: bool = False) -> None:
        """Takes no new work; what is in flight may end within `grace`. Only the first reason counts."""
        if self.reason is None:
            self.reason, self.by_limit, self.interrupted = reason, by_limit, interrupted
            self.stopping.set()
            self._wake()
            self._at(trio.current_time() + self.grace)

    def stop_now(self, reason: str, *, interrupted: bool = False) -> None:
        """Cancels what is in flight at once."""
        self.stop(reason, interrupted=interrupted)
        self._at(trio.current_time())

    def _at(self, stop_at: float) -> None:
        self.stop_at = min(self.stop_at, stop_at)
        for scope in self._working:
            scope.deadline = min(scope.deadline, self.stop_at)
        for scope in self._finishing:
            scope.deadline = min(scope.deadline, self.stop_at + LAST)
