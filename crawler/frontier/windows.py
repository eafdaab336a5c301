"""`Windows`: how many of the waiting requests of each lane are in memory; the store has all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.frontier.lane import Lane
    from crawler.frontier.ticket import Pending

__all__ = ["Windows"]


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
