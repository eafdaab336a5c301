"""`Shutdown`: how a crawl ends: one absolute deadline for all its parts.

After a stop no request is started. Requests in flight have until `stop_at`; then the workers are cancelled, and their
tickets are put back. The writer and the sinks are shielded and have one second more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

__all__ = ["FINISH_GRACE", "Shutdown"]

FINISH_GRACE = 1.0
"""Seconds that the writer and the sinks have after the cancellation of the workers."""


class Shutdown:
    """The state of a stop, and the cancel scopes whose deadlines it sets."""

    def __init__(self, grace: float, wake: Callable[[], None]) -> None:
        self.grace = grace
        self._wake = wake
        self.reason: str | None = None
        """Why the crawl ends; `None` before the first stop."""
        self.by_limit = False
        """Whether a quota, a budget or `max_errors` is the reason."""
        self.interrupted = False
        """Whether a signal is the reason."""
        self.stopping = trio.Event()
        """Set by the first stop."""
        self.outer: trio.Nursery | None = None
        """The nursery around the crawl, for tasks that a stop may leave; `None` if it may leave none."""
        self.stop_at = math.inf
        """When the workers are cancelled, on trio's clock; infinite before the first stop."""
        self._working: list[trio.CancelScope] = []
        self._finishing: list[trio.CancelScope] = []

    def working(self) -> trio.CancelScope:
        """Return a cancel scope that ends at `stop_at`."""
        return self._scope(self._working, self.stop_at, shield=False)

    @contextmanager
    def finishing(self) -> Iterator[trio.CancelScope]:
        """Open a shielded cancel scope that ends a second after `stop_at`. An exception in it stops the crawl."""
        with self._scope(self._finishing, self.stop_at + FINISH_GRACE, shield=True) as scope:
            try:
                yield scope
            except BaseException:
                self.stop_now("failed")
                raise

    def around(self) -> trio.CancelScope:
        """Return a cancel scope for everything, lifespans included. It ends one second after `stop_at`."""
        return self._scope(self._finishing, self.stop_at + FINISH_GRACE, shield=False)

    @staticmethod
    def _scope(scopes: list[trio.CancelScope], deadline: float, *, shield: bool) -> trio.CancelScope:
        scope = trio.CancelScope(deadline=deadline, shield=shield)
        scopes.append(scope)
        return scope

    def stop(self, reason: str, *, by_limit: bool = False, interrupted: bool = False) -> None:
        """Stop starting requests, and cancel those in flight after `grace` seconds. Only the first reason counts."""
        if self.reason is None:
            self.reason, self.by_limit, self.interrupted = reason, by_limit, interrupted
            self.stopping.set()
            self._wake()
            self._at(trio.current_time() + self.grace)

    def stop_now(self, reason: str, *, interrupted: bool = False) -> None:
        """Stop, and cancel requests in flight at once. Parameters are those of `stop`."""
        self.stop(reason, interrupted=interrupted)
        self._at(trio.current_time())

    def _at(self, stop_at: float) -> None:
        self.stop_at = min(self.stop_at, stop_at)
        for scope in self._working:
            scope.deadline = min(scope.deadline, self.stop_at)
        for scope in self._finishing:
            scope.deadline = min(scope.deadline, self.stop_at + FINISH_GRACE)
