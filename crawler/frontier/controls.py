"""`Controls`: changes that users, hooks and plugins make to lanes while a crawl runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.frontier.budget import Budgets
    from crawler.frontier.lane import Lane
    from crawler.frontier.schedule import Schedule
    from crawler.limits.registry import Limits

__all__ = ["Controls"]


class Controls:
    """Pauses lanes, and changes their pace."""

    def __init__(self, lanes: dict[str, Lane], budgets: Budgets, limits: Limits, schedule: Schedule) -> None:
        self._lanes = lanes
        self._budgets = budgets
        self._limits = limits
        self._schedule = schedule
        self._all_paused = False
        self._paused: set[str] = set()

    def has_paused(self, name: str) -> bool:
        """Return whether the lane of that name is paused."""
        return self._all_paused or name in self._paused

    def pause(self, name: str | None) -> None:
        """Start nothing of a lane, or of any lane (`None`), until `resume`. Requests in flight continue."""
        self._all_paused = self._all_paused or name is None
        if name is not None:
            self._paused.add(name)
        self._apply()

    def resume(self, name: str | None) -> None:
        """Undo `pause` of a lane; `None` undoes all pauses."""
        self._all_paused = False
        self._paused = set() if name is None else self._paused - {name}
        self._apply()

    def _apply(self) -> None:
        for lane in self._lanes.values():
            is_paused = self.has_paused(lane.name)
            if lane.is_paused is not is_paused:
                lane.is_paused = is_paused
                self._schedule.remove(lane)
                self._schedule.wake(lane)

    def set_pace(self, name: str, *, delay: float | None = None, concurrency: int | None = None) -> None:
        """Change the pace of a lane in memory."""
        lane = self._lanes[name]
        lane.throttle.set_pace(delay=delay, concurrency=concurrency, robots_delay=lane.robots.delay())
        self._schedule.remove(lane)
        self._schedule.wake(lane)

    def block(self, name: str, until: float) -> None:
        """Pause a lane or budget: start nothing of it before `until` (seconds since the epoch)."""
        if name in self._lanes or name in self._budgets.by_name:
            throttle = self._limits.throttles[name]
            throttle.pacing.block(until, "pause")
            throttle.notify()
