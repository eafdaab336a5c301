"""`GuestLoop`: the event loop of asyncio that code of a project finds, run round by round in a trio task."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from heapq import heappop, heappush
from selectors import DefaultSelector
from typing import Any, Final

import trio

__all__ = ["GuestLoop", "wait_for_future"]

SLACK: Final = 1e-6
"""Seconds after which a timer is certainly due, however the sums of two clocks are rounded."""
log = logging.getLogger("crawler.plugins.scrapy")


class GuestLoop(asyncio.SelectorEventLoop):
    """A whole event loop of asyncio, with the time of trio, which stands still as long as no task keeps the loop.

    While a task keeps it, all code of its thread finds it running, whichever trio task calls that code.
    """

    def __init__(self) -> None:
        self._whens: list[float] = []
        self._is_due = False
        self._nap = trio.CancelScope()
        self._turn = trio.Lock()
        self._keepers = 0
        self._round_over = trio.Event()
        self._stood = 0.0
        self._shift: float | None = None
        self._polled: Any = DefaultSelector()
        super().__init__(self._polled)
        self.set_exception_handler(_log_exception)

    @property
    def is_kept(self) -> bool:
        """Whether a task runs the loop, or is about to."""
        return self._keepers > 0

    async def keep(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the loop until the task is cancelled. If another task does, this one takes over when that has ended.

        Parameters:
            task_status: Of `nursery.start`.
        """
        self._keepers += 1
        try:
            is_first = self._keepers == 1
            if not is_first:
                task_status.started()
            async with self._turn:
                await self._run(task_status.started if is_first else None)
        finally:
            self._keepers -= 1

    async def _run(self, started: Callable[[], None] | None) -> None:
        self._shift = self._stood - trio.current_time()
        try:
            self.run_round()
            if started is not None:
                started()
            while True:
                await self._wait()
                self.run_round()
        finally:
            self._stood, self._shift = self.time(), None
            self._nap = trio.CancelScope()
            if self._keepers == 1:
                asyncio._set_running_loop(None)  # noqa: SLF001

    def run_round(self) -> None:
        """Call what is due, without waiting."""
        self._is_due = False
        while self._whens and self._whens[0] <= self.time():
            heappop(self._whens)
        asyncio._set_running_loop(None)  # noqa: SLF001 - documented for event loops
        self.stop()
        self.run_forever()  # one round: `stop` was called before
        self._round_over.set()
        self._round_over = trio.Event()
        if self.is_kept:
            asyncio._set_running_loop(self)  # noqa: SLF001

    async def catch_up(self) -> None:
        """Wait until the functions that are due have been called, if a task keeps the loop."""
        if self._is_due and self.is_kept:
            await self._round_over.wait()

    async def _wait(self) -> None:
        """Wait for the next timer, for a socket, or until a function is to be called."""
        with trio.CancelScope() as self._nap:
            if self._is_due:
                self._nap.cancel()
            if self._whens:
                self._nap.deadline = self._deadline(self._whens[0])
            await trio.lowlevel.wait_readable(self._polled.fileno())

    def _deadline(self, when: float) -> float:
        """Return the time of trio after which a timer is due."""
        return when - (self._shift or 0.0) + SLACK

    def is_running(self) -> bool:
        """Return whether code runs that finds this loop running."""
        return asyncio._get_running_loop() is self  # noqa: SLF001

    def time(self) -> float:
        """Return the time, in seconds."""
        return self._stood if self._shift is None else trio.current_time() + self._shift

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call a function in the next round."""
        if not self._is_due:
            self._is_due = True
            self._nap.cancel()
        return super().call_soon(callback, *args, context=context)

    def _write_to_self(self) -> None:
        """Wake the loop from another thread. The byte may be read in a round that leaves the function to the next."""
        self._is_due = True
        super()._write_to_self()  # type: ignore[misc]  # every selector event loop has it

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call a function at a time of this loop."""
        heappush(self._whens, when)
        if self._shift is not None:
            self._nap.deadline = min(self._nap.deadline, self._deadline(when))
        return super().call_at(when, callback, *args, context=context)


def _log_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an exception that no code awaits."""
    log.error("%s", context.get("message"), exc_info=context.get("exception"))


async def wait_for_future(future: asyncio.Future[Any]) -> None:
    """Wait in a trio task until a future of a `GuestLoop` is done, and leave its result there."""
    done = trio.Event()
    future.add_done_callback(lambda _: done.set())
    try:
        await done.wait()
    except trio.Cancelled:
        future.cancel()
        raise
