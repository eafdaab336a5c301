"""`PlaceQueue`: the requests made in place that wait until fewer requests of their lane are in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from crawler.limits.permit import Permit

__all__ = ["PlaceQueue"]


class PlaceQueue:
    """Tasks that wait, first come first served. No page of the lane starts meanwhile."""

    def __init__(self) -> None:
        self._waiting: dict[trio.lowlevel.Task, Permit] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @trio.lowlevel.enable_ki_protection
    async def wait(self, permit: Permit) -> None:
        """Wait for a place, and take it."""
        task = trio.lowlevel.current_task()
        self._waiting[task] = permit

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            del self._waiting[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    @trio.lowlevel.enable_ki_protection
    def grant(self) -> None:
        """Give a place to the task that has waited longest."""
        task = next(iter(self._waiting))
        self._waiting.pop(task).enter()
        trio.lowlevel.reschedule(task)
