"""`LeasedLanes`: which lanes and budgets this worker may use, and how they are passed from worker to worker.

Rule: nothing of a lane or budget starts here unless the store has leased it to this worker, and it is released
when nothing of it is in flight.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.frontier import Frontier
    from crawler.limits.throttle import Throttle
    from crawler.store import Extended, Group, SharedStore

__all__ = ["LeasedLanes"]

HOLD: Final = 5.0
"""Seconds for which a worker keeps what it has waited for, at least, if others wait for it, too: without this, a budget
would go to and fro after each request."""
LONG_WAIT: Final = 60.0
"""Seconds. A lane that waits longer for its quota stays with its worker: no other one could use it earlier."""


class LeasedLanes:
    """Asks for what requests here wait for, takes it over with all that is known of its limits, and passes it on."""

    def __init__(self, frontier: Frontier, store: SharedStore, clock: Clock) -> None:
        self._frontier = frontier
        self._store = store
        self._clock = clock
        self._budgets: dict[str, int] = {}  # the epochs of their leases
        self._wanted: dict[str, None] = {}
        self._leaving: dict[str, float] = {}  # names to be passed on when nothing of them is in flight, and when
        self._leased_at: dict[str, float] = {}  # of what was leased by name
        frontier.budgets.may_use = self._may_use

    def wanted(self) -> list[str]:
        """Return the names of lanes and budgets without a lease that requests of this worker wait for."""
        frontier = self._frontier
        known = (name for name in self._wanted if name in frontier.lanes or name in frontier.budgets.by_name)
        return [name for name in known if name not in self._leaving]

    def _may_use(self, name: str) -> bool:
        """Return whether a budget, or a lane without a lease, may be used; if not, ask for its lease."""
        if name in self._budgets:
            return name not in self._leaving or self._leaving[name] > self._clock()
        if name not in self._wanted:
            self._wanted[name] = None
            self._frontier.changed.set()
        return False

    def take_over(self, group: Group) -> bool:
        """Take over the limits of a leased group as its last owner left them. Return whether it is (also) a lane."""
        frontier, name, now = self._frontier, group.name, self._clock()
        if name in self._wanted:
            del self._wanted[name]
            self._leased_at[name] = now
        lane, budget = frontier.lanes.get(name), frontier.budgets.by_name.get(name)
        if lane is not None and not lane.epoch:
            lane.throttle.take_over(group.state)
        if budget is not None:
            budget.throttle.take_over(group.state)
            self._budgets[name] = group.epoch
            if group.unclean:
                budget.throttle.resume(now)
            frontier.wake_all()
        frontier.changed.set()  # a fetch in place may wait for the lease
        return budget is None or bool(group.head) or lane is not None

    def next_at(self) -> float:
        """Return when something is to be passed on, in seconds since the epoch."""
        now = self._clock()
        return min((at for at in self._leaving.values() if at > now), default=math.inf)

    def note_wishes(self, extended: Extended) -> None:
        """Note what other workers are to have."""
        for name in (*extended.wanted, *self._surplus(extended.surplus)):
            self._leaving.setdefault(name, self._leased_at.get(name, -math.inf) + HOLD)

    def _surplus(self, count: int) -> Iterator[str]:
        """Yield the names of lanes to pass on, first those of which nothing is in flight."""
        count -= len(self._leaving)
        now = self._clock()
        lanes = (lane for lane in self._frontier.lanes.values() if lane.epoch and lane.name not in self._leaving)
        for lane in sorted(lanes, key=lambda lane: lane.open_tickets > 0):
            if count <= 0:
                return
            if (len(lane) or lane.more) and lane.throttle.ready_at(now) <= now + LONG_WAIT:
                count -= 1
                yield lane.name

    async def pass_on(self) -> None:
        """Release what other workers are to have, as soon as nothing of it is in flight."""
        now = self._clock()
        for name in [name for name, at in self._leaving.items() if at <= now]:
            lane = self._frontier.lanes.get(name)
            if lane is not None:
                lane.is_draining = True
            if not self._has_in_flight(name):
                await self._pass_on(name)

    def _has_in_flight(self, name: str) -> bool:
        lane, budget = self._frontier.lanes.get(name), self._frontier.budgets.by_name.get(name)
        if lane is not None and (lane.has_open_pages() or lane.throttle.inflight):
            return True
        return budget is not None and budget.throttle.inflight > 0

    async def _pass_on(self, name: str) -> None:
        """Release a lane or budget. What waits for it in place waits for its next lease."""
        frontier = self._frontier
        lane, epoch = frontier.lanes.get(name), self._budgets.pop(name, 0)
        throttle = frontier.budgets[name].throttle if epoch else None
        del self._leaving[name]
        self._leased_at.pop(name, None)
        if lane is not None:
            epoch, throttle = (lane.epoch, lane.throttle) if lane.epoch else (epoch, throttle)
            if lane.open_tickets:
                frontier.lanes.forget_requests(lane)
            else:
                frontier.lanes.close(lane)
            lane.epoch, lane.is_draining = 0, False
        frontier.changed.set()  # a fetch in place that waits for it has to ask for its lease
        if throttle is not None:
            await self.release(name, epoch, throttle)

    async def release(self, name: str, epoch: int, throttle: Throttle) -> None:
        """End a lease. The store leases it again when something may start."""
        now = self._clock()
        wait = throttle.ready_at(now) - now
        await self._store.release(
            name, epoch, throttle.state(), max(0.0, wait) if wait < math.inf else self._store.lease
        )

    async def end(self) -> None:
        """Release all budgets. Nothing is in flight."""
        for name, epoch in self._budgets.items():
            await self.release(name, epoch, self._frontier.budgets[name].throttle)
