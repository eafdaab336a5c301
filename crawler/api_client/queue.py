"""`FairQueue`: starts requests in the order in which they came, as soon as limits allow.

A request names limits: that of its lane, and those of budgets. It starts when its lane has a free slot and all of its
limits are ready at the same moment; then its permit is taken, with no checkpoint in between. ::

    queue of a lane:  head ◄─ next ◄─ …     Only the head is examined: when its time has come,
                       │                    and when one of its limits has changed.
                 lane, budgets

A head that waits for nothing but a budget reserves it: later requests that name this budget wait too, on every lane.
So an expensive request is not starved by many cheap ones.
"""

from __future__ import annotations

import itertools
import math
from bisect import insort
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

import attrs
import httpx
import trio

from crawler.clock import Clock, shared_clock
from crawler.errors import WouldExceedDeadline
from crawler.limits.pace import Pace
from crawler.limits.permit import Permit, RecheckPermit
from crawler.limits.registry import Limits
from crawler.limits.throttle import Throttle

__all__ = ["AT_ONCE", "Costs", "FairQueue", "LimitQueue"]

MAX_IDLE: Final = 1024
"""Limits in memory before the idle ones are dropped."""
AT_ONCE: Final = -1
"""The order of a request for which all others of its lane wait, whether they wait to start or are in flight."""


@attrs.define(eq=False)
class LimitQueue:
    """The requests that wait for one limit."""

    throttle: Throttle
    """The limit of a lane or budget."""
    waiting: float = 0.0
    """Units that wait."""
    queue: list[Waiter] = attrs.field(factory=list)
    """The waiting requests of this lane, in their order."""
    head: Waiter | None = None
    """The first of them, as far as it is registered in `heads`."""
    heads: list[Waiter] = attrs.field(factory=list)
    """The heads of all lanes that name this limit, in the order in which they came."""
    watcher: Callable[[], None] = lambda: None
    """Called when the limit has changed."""
    costs: Costs = ()
    """The costs of a request of this lane that names no budget."""
    last_page: httpx.Request | None = None
    """The last GET that was served on this lane; it is sent again if a 403 may be that of a ban."""


Costs: TypeAlias = tuple[tuple[LimitQueue, float], ...]
"""The limits that a request names, its lane first, and the units that it takes of each."""


@attrs.define(eq=False)
class Waiter:
    """One waiting request."""

    costs: Costs
    order: int
    """Lower numbers came first."""
    patience: float
    """When it stops waiting, in seconds since the epoch."""
    until: float = math.inf
    """The latest useful time of its start, in seconds since the epoch."""
    at: float = math.inf
    """When it may start, as far as is known, in seconds since the epoch."""
    held_by: LimitQueue | None = None
    """The limit that it waits for."""
    permit: Permit | None = None
    """The permit, taken; set when it may start."""
    reports: bool = False
    """Whether its permit is notified when bytes go out; see `Permit.take`."""
    is_closed: bool = False
    """Whether the queue was closed."""
    task: trio.lowlevel.Task | None = None
    """The task that sleeps."""
    alarm: trio.CancelScope | None = None
    """The cancel scope in which it sleeps; its deadline is the time to wake up."""

    def wake(self) -> None:
        """Wake the task, so that it examines the change."""
        task, self.task = self.task, None
        if task is not None:
            trio.lowlevel.reschedule(task)


def _order(waiter: Waiter) -> int:
    return waiter.order


def _take(costs: Costs, now: float, *, reports: bool, order: int = 0) -> Permit:
    """Return a permit for these costs, with its slot of the lane and its start taken."""
    (lane, units), *budgets = costs
    shared = [(one.throttle, cost) for one, cost in budgets] if budgets else ()
    kind = RecheckPermit if order == AT_ONCE else Permit
    permit = kind(lane.throttle, shared, units, may_recheck=lane.last_page is not None)
    permit.enter()
    permit.take(now, reports=reports)
    return permit


class FairQueue:
    """Lets requests start."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._queues: dict[str, LimitQueue] = {}
        self._drop_above = MAX_IDLE
        self._orders = itertools.count()
        self._clock: Clock | None = None

    @property
    def clock(self) -> Clock:
        """Return the clock, whose seconds count since the epoch. It is made when first needed, in `trio.run`."""
        if self._clock is None:
            self._clock = shared_clock(self.limits)
        return self._clock

    def next_order(self) -> int:
        """Return the place in the order for a new request."""
        return next(self._orders)

    def limit(self, name: str, pace: Callable[[str], Pace]) -> LimitQueue:
        """Return the queue of a limit, made when it is first needed."""
        found = self._queues.get(name)
        if found is None:
            found = LimitQueue(self.limits.throttle(name, pace))
            found.costs = ((found, 1.0),)
            found.watcher = partial(self._examine, found)
            found.throttle.watchers += (found.watcher,)
            self._queues[name] = found
        return found

    def has_waiting(self, lane: str) -> bool:
        """Return whether requests wait to start on a lane."""
        found = self._queues.get(lane)
        return found is not None and bool(found.queue)

    def drop_idle(self) -> None:
        """Drop limits that are not in use and of which nothing is known, if there are very many."""
        if len(self._queues) <= self._drop_above:
            return
        now = self.clock()
        for name, limit in list(self._queues.items()):
            throttle = limit.throttle
            is_idle = not (limit.queue or limit.heads or throttle.busy or throttle.inflight)
            if is_idle and throttle.ready_at(now) <= now and not throttle.policies():
                self._drop(name, limit)
        self._drop_above = max(MAX_IDLE, 2 * len(self._queues))

    def close(self) -> None:
        """Drop all limits. The requests that still wait raise `trio.ClosedResourceError`."""
        for name, limit in list(self._queues.items()):
            for waiter in limit.queue:
                waiter.is_closed = True
                waiter.wake()
            limit.queue.clear()
            limit.heads.clear()
            self._drop(name, limit, keep_throttle=True)
        self._clock = None

    # ---- starting ----------------------------------------------------------------------------------------------------

    def start_now(self, costs: Costs, *, reports: bool = False) -> Permit | None:
        """Return the permit of a request that may start at once, taken. `None` means that it has to `wait`."""
        if costs[0][0].queue:
            return None
        now = self.clock()
        at, _ = self._ready_at(costs, now, None)
        return _take(costs, now, reports=reports) if at <= now else None

    async def wait(
        self, costs: Costs, *, order: int, patience: float, until: Callable[[], float], reports: bool = False
    ) -> Permit:
        """Wait until a request may start, and return its permit, taken. A wait that is cancelled takes nothing."""
        waiter = Waiter(costs, order, patience, reports=reports)
        self._enqueue(waiter)
        try:
            self._examine(costs[0][0])
            while waiter.permit is None:
                waiter.until = min(until(), patience)
                self._raise_if_useless(waiter)
                await self._sleep(waiter)
            await trio.lowlevel.checkpoint_if_cancelled()
        except BaseException:
            if waiter.permit is not None:  # its turn came at the moment of the cancellation
                waiter.permit.cancelled()
                waiter.permit.leave()
            else:
                self._dequeue(waiter)
                for limit, _ in costs:
                    self._examine(limit)
            raise
        return waiter.permit

    # ---- the order of requests ---------------------------------------------------------------------------------------

    @staticmethod
    def _ready_at(costs: Costs, now: float, waiter: Waiter | None) -> tuple[float, LimitQueue | None]:
        """Return when a request may start, infinite if that is not known, and the limit that decides it."""
        lane = costs[0][0]
        if lane.throttle.is_full() and (waiter is None or waiter.order != AT_ONCE):
            return math.inf, lane
        at, decisive = -math.inf, None
        for limit, cost in costs:
            backlog = limit.waiting if waiter is not None else limit.waiting + cost
            limit_at = limit.throttle.ready_at(now, cost=cost, backlog=backlog)
            if limit_at > at:
                at, decisive = limit_at, limit
        for limit, _ in costs[1:]:
            for other in limit.heads:
                if other is waiter or at == math.inf:
                    break
                if other.held_by is limit:  # it has reserved this budget
                    other_at = other.at if other.at > now else math.inf
                    if other_at > at:
                        at, decisive = other_at, limit
                    break
        return at, decisive

    def _examine(self, limit: LimitQueue) -> None:
        """Let requests start after a change of a limit, in the order in which they came."""
        if not limit.heads:
            return
        now = self.clock()
        changed = [limit]
        while changed:
            limit = changed.pop()
            index = 0
            while index < len(limit.heads):
                waiter = limit.heads[index]
                if self._may_start(waiter, now):
                    changed += [other for other, _ in waiter.costs if other is not limit]
                elif waiter.held_by is limit:
                    break
                else:
                    index += 1

    def _may_start(self, waiter: Waiter, now: float) -> bool:
        """Take the permit of a head and return true if it may start; else set its alarm."""
        waiter.at, waiter.held_by = self._ready_at(waiter.costs, now, waiter)
        if waiter.at <= now:
            self._dequeue(waiter)
            waiter.permit = _take(waiter.costs, now, reports=waiter.reports, order=waiter.order)
            waiter.wake()
            return True
        if waiter.until < waiter.at < math.inf:
            waiter.wake()  # it can no longer start in time
        elif waiter.alarm is not None:
            waiter.alarm.deadline = self._wake_up_at(waiter)
        return False

    def _enqueue(self, waiter: Waiter) -> None:
        for limit, cost in waiter.costs:
            limit.waiting += cost
        lane = waiter.costs[0][0]
        insort(lane.queue, waiter, key=_order)
        self._renew_head(lane)

    def _dequeue(self, waiter: Waiter) -> None:
        if waiter.is_closed:
            return
        lane = waiter.costs[0][0]
        lane.queue.remove(waiter)
        for limit, cost in waiter.costs:
            limit.waiting -= cost
        self._renew_head(lane)

    @staticmethod
    def _renew_head(lane: LimitQueue) -> None:
        old, new = lane.head, lane.queue[0] if lane.queue else None
        if old is new:
            return
        lane.head = new
        if old is not None:
            old.at, old.held_by = math.inf, None
            for limit, _ in old.costs:
                limit.heads.remove(old)
        if new is not None:
            for limit, _ in new.costs:
                insort(limit.heads, new, key=_order)

    # ---- waiting -----------------------------------------------------------------------------------------------------

    def _wake_up_at(self, waiter: Waiter) -> float:
        """Return when a waiter has to wake up without a call, on trio's clock."""
        at = min(waiter.at, waiter.patience)
        # A microsecond is added, because seconds since the epoch are rounded to a quarter of that.
        return self.clock.to_trio(at) + 1e-6 if at < math.inf else math.inf

    async def _sleep(self, waiter: Waiter) -> None:
        """Sleep until it is the turn of a waiter, its wake-up time has come, or it has to examine a change."""

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            waiter.task = None
            return trio.lowlevel.Abort.SUCCEEDED

        with trio.CancelScope(deadline=self._wake_up_at(waiter)) as waiter.alarm:
            waiter.task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(abort)
        waiter.alarm = None
        if waiter.permit is None and not waiter.is_closed:
            for limit, _ in waiter.costs:
                self._examine(limit)

    def _raise_if_useless(self, waiter: Waiter) -> None:
        """Raise if waiting is useless: the queue is closed, or the request cannot start in time."""
        if waiter.is_closed:
            raise trio.ClosedResourceError("the transport was closed while the request waited to start")
        if waiter.until == math.inf or trio.current_effective_deadline() <= trio.current_time():
            return  # no deadline, or one that has passed, or a scope that was cancelled: trio ends the next wait
        now, lane = self.clock(), waiter.costs[0][0]
        at = waiter.at if lane.head is waiter else self._behind_others(waiter, now)
        if now < waiter.until and not waiter.until < at < math.inf:
            return
        limit = waiter.held_by or lane
        reason = limit.throttle.blocked_by or "other requests"
        start = (
            f"the request can start in {_seconds(at - now)} s" if at < math.inf else "the time of its start is unknown"
        )
        message = f"{limit.throttle.name} ({reason}): {start}, and {_seconds(max(0.0, waiter.until - now))} s are left"
        raise WouldExceedDeadline(message, retry_at=at, scope=limit.throttle.name)

    @staticmethod
    def _behind_others(waiter: Waiter, now: float) -> float:
        """Return a time before which a request cannot start, because others of its lane come first."""
        lane = waiter.costs[0][0]
        ahead = [cost for other in lane.queue if other.order < waiter.order for cost in other.costs]
        at = -math.inf
        for limit, cost in waiter.costs:
            costs_ahead = [other_cost for other, other_cost in ahead if other is limit]
            limit_at = _ready_after(limit.throttle, now, cost, costs_ahead, limit.waiting)
            if at < limit_at < math.inf:
                at, waiter.held_by = limit_at, limit
        return at if at > now else math.inf

    def _drop(self, name: str, limit: LimitQueue, *, keep_throttle: bool = False) -> None:
        """Drop a limit, and its throttle too unless its state must be kept or others watch it."""
        del self._queues[name]
        throttle = limit.throttle
        throttle.watchers = tuple(watcher for watcher in throttle.watchers if watcher is not limit.watcher)
        if not keep_throttle and not throttle.watchers:
            self.limits.forget(name)


def _seconds(number: float) -> str:
    """Return a number of seconds with three digits or, from a thousand on, as an integer."""
    return f"{number:.3g}" if number < 1000 else f"{number:.0f}"


def _ready_after(throttle: Throttle, now: float, cost: float, ahead: list[float], backlog: float) -> float:
    """Return when a request may start if those ahead of it, with these costs, start as early as possible."""
    at = throttle.ready_at(now, cost=cost + sum(ahead), backlog=backlog)
    for rate in throttle.pacing.rates:
        at = max(at, max(now, rate.due) + (len(ahead) + 1 - rate.burst) * rate.interval)
    return max(at, max(now, throttle.pacing.next_start) + len(ahead) * throttle.pacing.delay)
