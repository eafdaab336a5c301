"""`PlaceQueue`: the requests made in place that wait until fewer requests of their lane are in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from crawler.limits.permit import Permit

__all__ = ["PlaceQueue"]


class PlaceQueue(dict[trio.lowlevel.Task, "Permit"]):
    """Tasks that wait, first come first served, and what takes their places. No page of the lane starts meanwhile."""

    __slots__ = ()

    @trio.lowlevel.enable_ki_protection
    async def wait(self, permit: Permit) -> None:
        """Wait for a place, and take it."""
        task = trio.lowlevel.current_task()
        self[task] = permit

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            del self[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    @trio.lowlevel.enable_ki_protection
    def grant(self) -> None:
        """Give a place to the task that has waited longest."""
        task = next(iter(self))
        self.pop(task).enter()
        trio.lowlevel.reschedule(task)
