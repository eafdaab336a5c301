"""`TimerLoop`: futures, tasks, timers and threads of asyncio on the reactor of the bridge, for async code of projects.

`asyncio.sleep`, `gather`, `to_thread`, locks and queues need no more of an event loop than that. Sockets and
subprocesses of asyncio need a real one: they raise `NotImplementedError`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

import trio

__all__ = ["TimerLoop", "wait_for_future"]

log = logging.getLogger("crawler.plugins.scrapy")


class TimerLoop(asyncio.AbstractEventLoop):
    """The event loop that async code of a project finds.

    Parameters:
        reactor: A reactor of Twisted, whose timers and threads are used.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def run(self, step: Callable[..., Any], *args: Any) -> Any:
        """Return what a function returns that finds this loop running."""
        before = asyncio._get_running_loop()  # noqa: SLF001 - documented for event loops
        asyncio._set_running_loop(self)  # noqa: SLF001
        try:
            return step(*args)
        finally:
            asyncio._set_running_loop(before)  # noqa: SLF001

    def is_running(self) -> bool:
        """Return that the loop runs."""
        return True

    def is_closed(self) -> bool:
        """Return that the loop is open."""
        return False

    def get_debug(self) -> bool:
        """Return that nothing is debugged."""
        return False

    def time(self) -> float:
        """Return the time, in seconds."""
        seconds: float = self._reactor.seconds()
        return seconds

    # ---- callbacks ---------------------------------------------------------------------------------------------------

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call a function in the next round."""
        return self.call_later(0.0, callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call a function after some seconds."""
        handle = asyncio.TimerHandle(self.time() + delay, callback, args, self, context)
        self._reactor.callLater(max(0.0, delay), self._call, handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call a function at a time of this loop."""
        return self.call_later(when - self.time(), callback, *args, context=context)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call a function in the thread of the crawl."""
        handle = asyncio.Handle(callback, args, self, context)
        self._reactor.callFromThread(self._call, handle)
        return handle

    def _call(self, handle: asyncio.Handle) -> None:
        if not handle.cancelled():
            self.run(handle._run)  # noqa: SLF001 - as event loops do

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled handle is not called."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Log an exception that no code awaits."""
        log.error("%s", context.get("message"), exc_info=context.get("exception"))

    # ---- futures -----------------------------------------------------------------------------------------------------

    def create_future(self) -> asyncio.Future[Any]:
        """Return a new future."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        """Run a coroutine concurrently with the others. It may await futures of asyncio, and no Deferreds."""
        return asyncio.Task(coro, loop=self, **options)

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Call a function in a thread."""
        future = self.create_future()

        def done(is_success: bool, result: Any) -> None:
            settle = future.set_result if is_success else future.set_exception
            self._reactor.callFromThread(
                lambda: None if future.done() else settle(result if is_success else result.value)
            )

        self._reactor.callInThreadWithCallback(done, func, *args)
        return future


async def wait_for_future(future: asyncio.Future[Any]) -> None:
    """Wait in a trio task until a future of a `TimerLoop` is done, and leave its result there."""
    done = trio.Event()
    future.add_done_callback(lambda _: done.set())
    try:
        await done.wait()
    except trio.Cancelled:
        future.cancel()
        raise
