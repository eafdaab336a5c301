"""`Lanes`: the lanes in memory, and `Windows`: how many of their requests are; the store has the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from crawler.frontier.lane import Lane
from crawler.outages.network import MAX_LATEST

if TYPE_CHECKING:
    from crawler.frontier.frontier import Frontier
    from crawler.frontier.ticket import Pending

__all__ = ["Lanes", "Windows"]


class Lanes(dict[str, Lane]):
    """The lanes in memory, by name.

    They come and go with their windows, their places in the schedule and their limits.
    """

    def __init__(self, frontier: Frontier, *, most: int) -> None:
        super().__init__()
        self._frontier = frontier
        self.most = most
        self.resting: dict[str, int] = {}
        """The leases of lanes whose hosts have never answered: they are not in memory until they are tried again."""
        self._all_paused = False
        self._paused: set[str] = set()
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
            lane.is_paused = self._all_paused or group in self._paused
            self[group] = lane
        if group in self.resting:
            epoch, more = self.resting.pop(group), True
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
        # after a minute: to release it and claim it again are two transactions
        return head is None or max(lane.first_at(), self._frontier.ready_at(lane, head.request, now)) > now + 60.0

    def have_requests(self) -> bool:
        """Return whether a request in memory waits for anything but hosts that have never answered."""
        outages = self._frontier.outages
        lanes = (lane for lane in self.values() if not outages.is_new(lane.name))
        return any(
            (lane.more and not len(lane)) or not all(outages.awaits_new(one.request) for one in lane.waiting())
            for lane in lanes
        )

    def rest(self, lane: Lane) -> None:
        """Let a lane leave memory, and keep its lease: its requests stay in the store."""
        self.close(lane)
        self.resting[lane.name] = lane.epoch

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

    # ---- what users change -------------------------------------------------------------------------------------------

    def pause(self, name: str | None) -> None:
        """Start nothing of a lane, or of any lane (`None`), until `resume`. Requests in flight continue."""
        self._all_paused = self._all_paused or name is None
        if name is not None:
            self._paused.add(name)
        self._apply_pauses()

    def resume(self, name: str | None) -> None:
        """Undo `pause` of a lane; `None` undoes all pauses."""
        self._all_paused = False
        self._paused = set() if name is None else self._paused - {name}
        self._apply_pauses()

    def _apply_pauses(self) -> None:
        for lane in self.values():
            is_paused = self._all_paused or lane.name in self._paused
            if lane.is_paused is not is_paused:
                lane.is_paused = is_paused
                self._reschedule(lane)

    def set_pace(self, name: str, *, delay: float | None = None, concurrency: int | None = None) -> None:
        """Change the pace of a lane in memory."""
        lane = self[name]
        lane.throttle.set_pace(delay=delay, concurrency=concurrency, robots_delay=lane.robots.delay())
        self._reschedule(lane)

    def _reschedule(self, lane: Lane) -> None:
        self._frontier.schedule.remove(lane)
        self._frontier.schedule.wake(lane)


class Windows:
    """The windows of all lanes. The more lanes there are, the smaller they become."""

    def __init__(self, lanes: dict[str, Lane], *, size: int, total: int) -> None:
        self._lanes = lanes
        self._size = size
        self._total = total
        self._waiting = 0
        self._low: dict[str, Lane] = {}

    def share(self, coming: int = 0) -> int:
        """Return the requests that one lane may have in memory, if `coming` more lanes are added."""
        return max(1, min(self._size, self._total // max(1, len(self._lanes) + coming)))

    def add(self, lane: Lane, pending: Pending) -> None:
        """Add a request to the window of its lane, or back to it."""
        lane.add(pending)
        self._waiting += 1

    def pop(self, lane: Lane, now: float) -> Pending | None:
        """Remove and return the first request of a lane that is not put off."""
        pending = lane.pop(now)
        if pending is not None:
            self._waiting -= 1
            if lane.more:
                self._note_if_low(lane)
        return pending

    def push(self, pending: Pending, share: int) -> Lane | None:
        """Take a new request of the store into the window of its lane.

        Returns the lane. `None` if the request stays in the store until the window gets there, is in memory already, or
        if its lane is not.
        """
        lane = self._lanes.get(pending.group)
        if lane is None or pending.order in lane.held:
            return None
        if lane.more and pending.order > lane.after:
            return None
        if lane.ready_count() >= share and pending.order > lane.after:
            lane.more = True
            return None
        self.add(lane, pending)
        lane.after = max(lane.after, pending.order)
        if lane.ready_count() > 2 * share:
            self._waiting -= lane.trim(share)
        return lane

    def refill(self, lane: Lane, rows: Sequence[Pending], *, more: bool) -> None:
        """Take the next requests of a lane into its window."""
        for pending in rows:
            if pending.order not in lane.held:
                self.add(lane, pending)
        if rows:
            lane.after = max(lane.after, rows[-1].order)
        lane.more = more
        self._low.pop(lane.name, None)
        if more:
            self._note_if_low(lane)

    def reload(self, lane: Lane) -> None:
        """Read the window of a lane again from the beginning: the store has received earlier requests."""
        self._waiting -= lane.forget()
        self._note_if_low(lane)

    def shrink(self) -> None:
        """Cut every window to its share if all together hold too much: there are more lanes than before."""
        if self._waiting <= self._total + self._total // 2:
            return
        share = self.share()
        for lane in self._lanes.values():
            if lane.ready_count() > share:
                self._waiting -= lane.trim(share)

    def to_refill(self) -> list[Lane]:
        """Return the lanes whose window runs low while the store has more of their requests."""
        return list(self._low.values())

    def close(self, lane: Lane) -> None:
        """Forget the window of a lane that leaves memory."""
        self._waiting -= len(lane)
        self._low.pop(lane.name, None)

    def _note_if_low(self, lane: Lane) -> None:
        share = self.share()
        if lane.ready_count() < max(1, share // 4) and len(lane) < 4 * share:
            self._low[lane.name] = lane
