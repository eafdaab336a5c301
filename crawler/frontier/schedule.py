"""`Schedule`: which lane may start a request next, and when.

::

    Schedule ─► Lane                 it may start its next request at that time
             └► Budget ─► Lane ─► …  lanes that wait for nothing but this budget, first come first served

A lane is in the schedule only while it has a request and a free token, so a lane that cannot start anything costs
nothing.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import math
from collections.abc import Callable

from crawler.frontier.budget import Budget, Budgets
from crawler.frontier.lane import Lane
from crawler.frontier.wakeup import Wakeup
from crawler.messages.request import mapping_of

__all__ = ["Schedule"]


class Schedule:
    """A heap of lanes and budgets. Each has at most one valid place in it, that of its `scheduled_at` time.

    An entry that moves to an earlier time, or is removed, leaves an outdated entry.
    """

    def __init__(self, budgets: Budgets) -> None:
        self.now = -math.inf
        """The latest time that was passed to the frontier, in seconds since the epoch."""
        self.changed = Wakeup()
        """Set whenever `next` may return something else."""
        self._budgets = budgets
        self._heap: list[tuple[float, int, Lane | Budget]] = []
        self._numbers = itertools.count()
        self._valid = 0
        self._watchers: dict[Lane | Budget, Callable[[], None]] = {}

    def advance_clock(self, now: float) -> None:
        """Set the time, in seconds since the epoch; it never goes back."""
        self.now = max(self.now, now)

    def next(self) -> Lane | None:
        """Remove and return the first lane that is due now, if there is one."""
        while (entry := self._pop()) is not None:
            if isinstance(entry, Lane):
                return entry
            cost = entry.cost()
            if cost is not None and self._ready_at(entry, cost) <= self.now:
                lane = next(iter(entry.parked))
                entry.unpark(lane)
                self.offer_budget(entry)
                return lane
            self.offer_budget(entry)
        return None

    def next_at(self) -> float:
        """Return when `next` may return a lane, in seconds since the epoch; infinite: after a change."""
        return self._heap[0][0] if self._heap else math.inf

    def first(self) -> Lane | Budget | None:
        """Return the entry that `next_at` belongs to."""
        return self._heap[0][2] if self._heap else None

    # ---- entries come and go -----------------------------------------------------------------------------------------

    def offer(self, lane: Lane) -> None:
        """Schedule a lane, or park it under the budget that it waits for. It needs a request and a free token."""
        lane.fit_limiter()
        if lane.scheduled_at <= self.now:
            return  # `next` returns it
        head = lane.head()
        if head is None or lane.robots.pending or lane.is_draining:
            return
        first_at = lane.first_at()
        if lane.is_full():
            if first_at <= self.now:
                lane.note_wait(self.now, "concurrency")
            return
        at, reason, budget = self._budgets.ready_at(lane, head.request, self.now)
        if reason and self._budgets.is_stalled(lane, head.request, self.now):
            at, reason, budget = first_at, "", None
        if first_at <= self.now:
            lane.note_wait(self.now, reason)
            if at <= self.now and mapping_of(head.request, "quotas"):
                budget = self._budgets.queue_of(lane, head.request)
        left = lane.parked
        if left is not None and left is not budget:
            left.unpark(lane)
            self.offer_budget(left)  # the lane that is first now may cost less
        if budget is not None and at >= first_at:
            budget.park(lane)
            self.offer_budget(budget)
        else:
            self._put(lane, max(first_at, at))

    def offer_budget(self, budget: Budget) -> None:
        """Schedule a budget, if lanes wait for it."""
        cost = budget.cost()
        if cost is not None:
            self._put(budget, self._ready_at(budget, cost))

    def _ready_at(self, budget: Budget, cost: float) -> float:
        """Return when a budget allows the next start, in seconds since the epoch."""
        return budget.throttle.ready_at(self.now, cost=cost, backlog=budget.average_cost * self._budgets.backlog())

    def remove(self, entry: Lane | Budget) -> None:
        """Remove an entry from the schedule until it is offered again."""
        self._valid -= entry.scheduled_at < math.inf
        entry.scheduled_at = math.inf

    def wake(self, entry: Lane | Budget) -> None:
        """Offer an entry that may start something now, and set `changed`."""
        if isinstance(entry, Lane):
            self.offer(entry)
        else:
            self.offer_budget(entry)
        self.changed.set()

    # ---- limits that are shared --------------------------------------------------------------------------------------

    def watch(self, entry: Lane | Budget) -> None:
        """Wake an entry whenever others change its limits."""
        self._watchers[entry] = functools.partial(self.wake, entry)
        entry.throttle.watchers += (self._watchers[entry],)

    def unwatch(self, entry: Lane | Budget) -> None:
        """Undo `watch`, if that was called."""
        watcher = self._watchers.pop(entry, None)
        if watcher is not None:
            entry.throttle.watchers = tuple(other for other in entry.throttle.watchers if other is not watcher)

    def unwatch_all(self) -> None:
        """Undo `watch` for all entries."""
        for entry in list(self._watchers):
            self.unwatch(entry)

    # ---- the heap ----------------------------------------------------------------------------------------------------

    def _put(self, entry: Lane | Budget, due: float) -> None:
        """Schedule an entry for `due` (seconds since the epoch), unless it is scheduled earlier."""
        if due >= entry.scheduled_at:
            return
        self._valid += entry.scheduled_at == math.inf
        entry.scheduled_at = due
        if len(self._heap) > 2 * self._valid + 64:  # as many outdated places as valid ones, and some
            self._heap = [place for place in self._heap if place[2].scheduled_at == place[0] and place[2] is not entry]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, (due, next(self._numbers), entry))
        self.changed.set()

    def _pop(self) -> Lane | Budget | None:
        """Remove and return the first entry that is due now, if there is one."""
        heap = self._heap
        while heap:
            at, _, entry = heap[0]
            if entry.scheduled_at != at:  # outdated
                heapq.heappop(heap)
            elif at > self.now:
                return None
            else:
                heapq.heappop(heap)
                self.remove(entry)
                return entry
        return None
