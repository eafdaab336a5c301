"""`Shutdown`: how a crawl ends: one absolute deadline for all its parts.

After a stop no request is started. Requests in flight have until `stop_at`; then the workers are cancelled, and their
tickets are put back. The writer and the sinks are shielded and have `FINISH_GRACE` more.

`run_loop` is an event loop that ends although a sink does not: trio waits for each thread that it may not abandon.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import trio

__all__ = ["FINISH_GRACE", "Shutdown", "leave_loop", "run_loop"]

T = TypeVar("T")

FINISH_GRACE = 0.8
"""Seconds that the writer and the sinks have after the cancellation of the workers. The process has 0.2 more."""


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
        """Open a shielded cancel scope that ends `FINISH_GRACE` after `stop_at`. An exception in it stops the crawl."""
        with self._scope(self._finishing, self.stop_at + FINISH_GRACE, shield=True) as scope:
            try:
                yield scope
            except BaseException:
                self.stop_now("failed")
                raise

    def around(self) -> trio.CancelScope:
        """Return a cancel scope for everything, lifespans included. It ends `FINISH_GRACE` after `stop_at`."""
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


class _Left(BaseException):
    """Breaks an event loop."""

    kept: ClassVar[list[BaseException]] = []
    """Their frames hold the coroutines of the tasks that were left, in which Python would run each `finally`."""

    def __init__(self, result: Any) -> None:
        self.result = result


def run_loop(function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Call `trio.run`, and return also if `leave_loop` was called."""
    try:
        return trio.run(function, *args)
    except trio.TrioInternalError as error:
        if not isinstance(error.__cause__, _Left):
            raise
        _Left.kept.append(error)
        result: T = error.__cause__.result
        return result


async def leave_loop(result: object) -> None:
    """Let `run_loop` return a result at once: trio gives up, with all tasks, if one raises while it is cancelled."""

    def refuse(_: object) -> trio.lowlevel.Abort:
        raise _Left(result)

    with trio.CancelScope() as scope:
        scope.cancel(reason="the event loop is left")
        await trio.lowlevel.wait_task_rescheduled(refuse)
