"""`Awaited`: what one task waits for, while a server may be silent for a limited time."""

from __future__ import annotations

from abc import abstractmethod

import httpx
import trio
from trio.lowlevel import current_task, enable_ki_protection, reschedule

__all__ = ["Awaited"]


class Awaited:
    """Lets one task wait until a callback of libcurl wakes it."""

    __slots__ = ("_is_timed", "_task", "_timeout_scope")

    def __init__(self, *, is_timed: bool) -> None:
        self._is_timed = is_timed
        self._task: trio.lowlevel.Task | None = None  # the one that waits
        self._timeout_scope: trio.CancelScope | None = None  # around its wait

    @abstractmethod
    def _silence_allowed(self) -> float:
        """Return the seconds for which the server may be silent now."""

    @abstractmethod
    def _silence_error(self) -> httpx.RequestError:
        """Return the error of a server that was silent for longer."""

    @enable_ki_protection
    async def wait(self) -> None:
        """Wait until something has arrived. Ctrl-C cannot come between the note that a task waits and its wait."""
        if self._task is not None:
            raise trio.BusyResourceError("another task reads this response")
        self._task = current_task()
        if self._is_timed:
            await self._wait_with_timeout()
        else:
            await trio.lowlevel.wait_task_rescheduled(self._abort_wait)

    @enable_ki_protection
    async def _wait_with_timeout(self) -> None:
        with trio.CancelScope() as self._timeout_scope:
            self._note_sign_of_life()
            await trio.lowlevel.wait_task_rescheduled(self._abort_wait)
        if self._timeout_scope.cancelled_caught:
            raise self._silence_error()

    def _abort_wait(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _wake(self) -> None:
        """Wake the task that waits, if there is one."""
        task = self._task
        if task is not None:
            self._task = None
            reschedule(task)

    def _note_sign_of_life(self) -> None:
        """Restart the timeout of the waiting task: the server has shown that it is alive."""
        if self._timeout_scope is not None:
            self._timeout_scope.deadline = trio.current_time() + self._silence_allowed()
