"""`Wakeup`: wakes the tasks that wait for a change, at no cost while none waits."""

from __future__ import annotations

import math

import trio

__all__ = ["Wakeup"]


class Wakeup:
    """An event that may be set any number of times. Each `set` wakes the tasks that wait at that moment.

    A page sets one several times, and mostly no task waits: `trio_util.RepeatedEvent` counts each time.
    """

    def __init__(self) -> None:
        self._waiting: list[trio.lowlevel.Task] = []
        self.was_set = False
        """Whether `set` was called since this was last cleared."""

    @trio.lowlevel.enable_ki_protection
    def set(self) -> None:
        """Wake all tasks that wait."""
        self.was_set = True
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for task in waiting:
                trio.lowlevel.reschedule(task)

    async def wait_until(self, deadline: float) -> None:
        """Wait until the next `set`, or until a time on trio's clock."""
        if deadline == math.inf:  # mostly: a cancel scope costs more than the rest
            await self.wait()
        else:
            with trio.move_on_at(deadline):
                await self.wait()

    @trio.lowlevel.enable_ki_protection
    async def wait(self) -> None:
        """Wait until the next `set`."""
        task = trio.lowlevel.current_task()
        self._waiting.append(task)

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._waiting.remove(task)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
