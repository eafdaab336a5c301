"""`run_loop`: an event loop that ends although a task does not: trio waits for each thread that it may not abandon.

Rule: what is left was cancelled, and all else has ended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import trio

__all__ = ["leave_loop", "run_loop"]

T = TypeVar("T")
left: Final[list[BaseException]] = []
"""Keeps the coroutines of the tasks that were left: Python would resume those that it collects."""


class _Left(BaseException):
    """Breaks an event loop."""

    def __init__(self, result: Any) -> None:
        self.result = result


def run_loop(function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Call `trio.run`, and return also if `leave_loop` was called."""
    try:
        return trio.run(function, *args)
    except trio.TrioInternalError as error:
        if not isinstance(error.__cause__, _Left):
            raise
        left.append(error)
        result: T = error.__cause__.result
        return result


async def leave_loop(result: object) -> None:
    """Let `run_loop` return a result at once. Trio gives up when a task raises as it is cancelled; nothing else ends it."""

    def refuse(_: object) -> trio.lowlevel.Abort:
        raise _Left(result)

    with trio.CancelScope() as scope:
        scope.cancel(reason="the event loop is left")
        await trio.lowlevel.wait_task_rescheduled(refuse)
