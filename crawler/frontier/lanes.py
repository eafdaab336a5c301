"""`Lanes`: the lanes in memory; the store has the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from crawler.frontier.lane import Lane
from crawler.outages.network import MAX_LATEST

if TYPE_CHECKING:
    from crawler.frontier.frontier import Frontier
    from crawler.frontier.ticket import Pending

__all__ = ["Lanes"]


class Lanes(dict[str, Lane]):
    """The lanes in memory, by name.

    They come and go with their windows, their places in the schedule and their limits.
    """

    def __init__(self, frontier: Frontier, *, most: int) -> None:
        super().__init__()
        self._frontier = frontier
        self.most = most
        self.resumed_at: float | None = None
        """When the run began, if the one before was interrupted: what it had in flight is not known."""

    def room(self) -> int:
        """Return how many lanes may still be taken into memory."""
        return max(0, self.most - len(self))

    def open(
        self, group: str, *, epoch: int, head: Sequence[Pending], more: bool, state: dict[str, Any] | None = None
    ) -> Lane:
        """Take a lane into memory, or give a lane in memory its lease."""
        frontier = self._frontier
        lane = self.get(group)
        if lane is None:
            is_known = group in frontier.limits.throttles
            lane = Lane(group, frontier.throttle(group))
            if state and not is_known:
                lane.throttle.restore(state)
            if self.resumed_at is not None:
                lane.throttle.resume(self.resumed_at)
            if frontier.shares_limits:
                frontier.schedule.watch(lane)
            lane.is_paused = frontier.controls.has_paused(group)
            self[group] = lane
        lane.epoch = epoch
        frontier.refill(lane, head, more=more)
        return lane

    def idle(self, now: float) -> Iterator[Lane]:
        """Return the lanes that may leave memory."""
        return (lane for lane in self.values() if self.is_idle(lane, now))

    def is_idle(self, lane: Lane, now: float) -> bool:
        """Return whether a lane may leave memory: no ticket is open, and nothing is due for a minute."""
        if lane.open_tickets or lane.is_paused or lane.parked is not None or (lane.more and not len(lane)):
            return False
        if lane.epoch == 0 and lane.throttle.ready_at(now) > now:
            return False  # the store does not have it, and would not keep what it has to wait for
        if lane.name in self._frontier.outages.network.latest and self.most > MAX_LATEST:  # else others get no room
            return False
        head = lane.head()
        return head is None or max(lane.first_at(), self._frontier.ready_at(lane, head.request, now)) > now + 60.0

    def close(self, lane: Lane) -> None:
        """Let a lane leave memory."""
        frontier = self._frontier
        del self[lane.name]
        frontier.robots.forget(lane)
        frontier.windows.close(lane)
        frontier.schedule.remove(lane)
        frontier.schedule.unwatch(lane)
        if not frontier.shares_limits:
            frontier.limits.forget(lane.name)

    def forget_requests(self, lane: Lane) -> None:
        """Let the requests of a lane leave memory, which stays for those that are made in place."""
        self._frontier.windows.close(lane)
        self._frontier.schedule.remove(lane)
        lane.clear()
