"""`RestingHosts`: the hosts that have never answered, by the time at which they are tried again.

Rule: their lanes are not in memory, so that thousands of dead hosts take no room and no worker from those that answer;
a few at a time come back to be tried. Their requests stay in the store.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.frontier.frontier import Frontier

__all__ = ["RestingHosts"]

MAX_TRIED: Final = 16
"""Hosts that are tried at a time while the crawl has other work: each may keep a worker for `connect_timeout`."""
MAX_RESTING: Final = 8192
"""Hosts that rest, at most; for each further one, that which has rested longest is given up."""


class RestingHosts:
    """Takes lanes out of memory, and says which of them are to come back."""

    def __init__(self, frontier: Frontier, clock: Clock) -> None:
        self._frontier = frontier
        self._clock = clock
        self._epochs: dict[str, int] = {}  # of the leases of the lanes that rest
        self._due: list[tuple[float, str]] = []  # a heap
        self._tried: set[str] = set()

    def rest(self) -> None:
        """Take the lanes out of memory whose hosts have failed again."""
        lanes, outages, now = self._frontier.lanes, self._frontier.outages, self._clock()
        for name in list(outages.failing):
            lane = lanes.get(name)
            if lane is not None and outages.awaits(name) and (lane.open_tickets or lane.parked is not None):
                continue
            del outages.failing[name]
            if lane is None or not outages.awaits(name) or not lane.epoch or lane.is_paused:
                continue
            lanes.close(lane)
            self._epochs[name] = lane.epoch
            heapq.heappush(self._due, (outages.ready_at_of(name), name))
            if len(self._epochs) > MAX_RESTING:
                oldest = next(iter(self._epochs))
                outages.give_up(oldest, now)
                heapq.heappush(self._due, (now, oldest))

    def look_again(self) -> None:
        """Note that the times have changed."""
        self._due = [(self._frontier.outages.ready_at_of(name), name) for name in self._epochs]
        heapq.heapify(self._due)

    def due_at(self) -> float:
        """Return when the next lane is to come back, in seconds since the epoch; infinite: after a change."""
        while self._due and self._due[0][1] not in self._epochs:  # it came back earlier than was planned
            heapq.heappop(self._due)
        return self._due[0][0] if self._due and self._room() > 0 else math.inf

    def take(self, most: int) -> Iterator[tuple[str, int]]:
        """Yield the names of the lanes that come back now, with the epochs of their leases."""
        for _ in range(min(most, self._room())):
            if self.due_at() > self._clock():
                return
            name = heapq.heappop(self._due)[1]
            self._tried.add(name)
            yield name, self._epochs.pop(name)

    def _room(self) -> int:
        """Return how many may come back."""
        lanes, outages = self._frontier.lanes, self._frontier.outages
        if outages.alone_since < math.inf:
            return lanes.room()
        self._tried = {name for name in self._tried if name not in self._epochs and outages.awaits(name)}
        return min(lanes.room(), MAX_TRIED - len(self._tried))
