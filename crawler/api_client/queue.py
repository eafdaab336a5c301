"""`FairQueue`: where requests wait for their turn, in the order in which they came. Nobody polls.

A request names scopes: its lane, and budgets. It starts as soon as its lane has room and all of its scopes are ready at
the same moment; then all are taken, with no checkpoint in between. ::

    queue of a lane:   first ◄─ next ◄─ …      only the first is looked at: when its time has come,
                         │                     and when a throttle that it names says that something changed
                    lane, budgets

Who waits for nothing but a budget holds it: whoever names it and came later waits too, on whatever lane. So a request
that costs much is not starved by many that cost little.
"""

from __future__ import annotations

import itertools
import math
from bisect import insort
from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
import trio

from crawler.clock import Clock
from crawler.errors import WouldExceedDeadline
from crawler.limits.pace import Pace
from crawler.limits.permit import Permit
from crawler.limits.registry import Limits
from crawler.limits.throttle import Throttle

__all__ = ["Costs", "FairQueue", "ScopeQueue"]

LATE: Final = 1e-6
"""Seconds added to an alarm: seconds since the epoch are rounded to a quarter of that."""
MOST: Final = 1024
"""Scopes that are kept before those of which nothing is known are let go."""


@attrs.define(eq=False)
class ScopeQueue:
    """One scope, and who waits for it."""

    throttle: Throttle
    waiting: float = 0.0
    """Units that wait."""
    queue: list[Waiter] = attrs.field(factory=list)
    """Who waits on this lane, in their order."""
    front: Waiter | None = None
    """The first of them, as it is known in `fronts`."""
    fronts: list[Waiter] = attrs.field(factory=list)
    """The first of each lane whose first names this scope, in the order in which they came."""
    watcher: Callable[[], None] = lambda: None
    """What its throttle calls."""
    alone: Costs = ()
    """What a request takes that names no budget."""


Costs = tuple[tuple[ScopeQueue, float], ...]
"""What a request takes, in units: of its lane, then of budgets."""


@attrs.define(eq=False)
class Waiter:
    """One request that waits."""

    stakes: Costs
    order: int
    """Who came first has less."""
    patience: float
    """Seconds since the epoch: when it gives up, whatever comes."""
    until: float = math.inf
    """Seconds since the epoch: when it has to be through, or waiting is of no use."""
    at: float = math.inf
    """Seconds since the epoch: when it may start, as far as is known."""
    held_by: ScopeQueue | None = None
    """What it waits for, of all that it names."""
    permit: Permit | None = None
    """What it was given."""
    closed: bool = False
    """Whether the turnstile was closed meanwhile."""
    task: trio.lowlevel.Task | None = None
    """Who sleeps."""
    nap: trio.CancelScope | None = None
    """What it sleeps in."""

    def wake(self) -> None:
        """Lets it look what happened."""
        task, self.task = self.task, None
        if task is not None:
            trio.lowlevel.reschedule(task)


def _taken(costs: Costs, now: float) -> Permit:
    """Return a permit for what a request costs, with its place in the lane and its start taken."""
    (lane, cost), *budgets = costs
    permit = Permit(lane.throttle, [(gate.throttle, units) for gate, units in budgets] if budgets else (), cost)
    permit.enter()
    permit.take(now)
    return permit


def _order(waiter: Waiter) -> int:
    return waiter.order


class FairQueue:
    """Lets requests start.

    Parameters:
        limits: the throttles; others may use them too.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._gates: dict[str, ScopeQueue] = {}
        self._most = MOST
        self._orders = itertools.count()
        self._clock: Clock | None = None

    @property
    def clock(self) -> Clock:
        """Gives seconds since the epoch; made when it is first asked for, in `trio.run`."""
        if self._clock is None:
            self._clock = Clock()
        return self._clock

    def next_order(self) -> int:
        """The place of a request that comes now."""
        return next(self._orders)

    def gate(self, name: str, pace: Callable[[str], Pace]) -> ScopeQueue:
        """The gate of a scope, made when it is first asked for.

        Parameters:
            name: of a lane or a budget.
            pace: what the user asks of a name.
        """
        gate = self._gates.get(name)
        if gate is None:
            gate = ScopeQueue(self.limits.throttle(name, pace))
            gate.alone = ((gate, 1.0),)
            gate.watcher = partial(self._look, gate)
            gate.throttle.watchers += (gate.watcher,)
            self._gates[name] = gate
        return gate

    def tidy(self) -> None:
        """Lets go of scopes that nobody uses and of which nothing is known, once there are very many."""
        if len(self._gates) <= self._most:
            return
        now = self.clock()
        for name, gate in list(self._gates.items()):
            throttle = gate.throttle
            idle = not (gate.queue or gate.fronts or throttle.busy or throttle.inflight)
            if idle and throttle.ready_at(now) <= now and not throttle.policies():
                self._forget(name, gate)
        self._most = max(MOST, 2 * len(self._gates))

    def close(self) -> None:
        """Lets go of everything; who waits is told."""
        for name, gate in list(self._gates.items()):
            for waiter in gate.queue:
                waiter.closed = True
                waiter.wake()
            gate.queue.clear()
            gate.fronts.clear()
            self._forget(name, gate, keep=True)
        self._clock = None

    # ---- starting ----------------------------------------------------------------------------------------------------

    def start_now(self, stakes: Costs) -> Permit | None:
        """The permit of a request that may start at once, taken; else it has to `wait`."""
        if stakes[0][0].queue:
            return None
        now = self.clock()
        at, _ = self._ready_at(stakes, now, None)
        return _taken(stakes, now) if at <= now else None

    async def wait(self, stakes: Costs, *, order: int, patience: float, until: Callable[[], float]) -> Permit:
        """Wait until a request may start, and return its permit, taken. A cancelled wait takes nothing.

        Parameters:
            stakes: what it takes.
            order: its place.
            patience: seconds since the epoch: when it gives up.
            until: says when it has to be through, in seconds since the epoch; else waiting is of no use.

        Raises:
            WouldExceedDeadline: it cannot start in time; at once, if that is known.
            trio.ClosedResourceError: the turnstile was closed.
        """
        waiter = Waiter(stakes, order, patience)
        lane = stakes[0][0]
        self._enqueue(waiter)
        try:
            self._look(lane)
            while waiter.permit is None:
                waiter.until = min(until(), patience)
                self._check(waiter)
                await self._sleep(waiter)
            await trio.lowlevel.checkpoint_if_cancelled()
        except BaseException:
            if waiter.permit is not None:  # it was given its turn and cancelled at the same moment
                waiter.permit.cancelled()
                waiter.permit.leave()
            else:
                self._dequeue(waiter)
                for gate, _ in stakes:
                    self._look(gate)
            raise
        return waiter.permit

    # ---- inside ------------------------------------------------------------------------------------------------------

    @staticmethod
    def _ready_at(stakes: Costs, now: float, waiter: Waiter | None) -> tuple[float, ScopeQueue | None]:
        """When a request may start, and what it waits for until then; infinite: that is not known."""
        lane = stakes[0][0]
        if lane.throttle.is_full():
            return math.inf, lane
        at, gate_of_at = -math.inf, None
        for gate, cost in stakes:
            backlog = gate.waiting if waiter is not None else gate.waiting + cost
            when = gate.throttle.ready_at(now, cost=cost, backlog=backlog)
            if when > at:
                at, gate_of_at = when, gate
        for gate, _ in stakes[1:]:
            for other in gate.fronts:
                if other is waiter or at == math.inf:
                    break
                if other.held_by is gate:
                    when = other.at if other.at > now else math.inf
                    if when > at:
                        at, gate_of_at = when, gate
                    break
        return at, gate_of_at

    def _look(self, gate: ScopeQueue) -> None:
        """Something changed here: lets go who may, in the order in which they came."""
        if not gate.fronts:
            return
        now = self.clock()
        pending = [gate]
        while pending:
            gate = pending.pop()
            index = 0
            while index < len(gate.fronts):
                waiter = gate.fronts[index]
                if self._let_go(waiter, now):
                    pending += [other for other, _ in waiter.stakes if other is not gate]
                elif waiter.held_by is gate:
                    break
                else:
                    index += 1

    def _let_go(self, waiter: Waiter, now: float) -> bool:
        """Whether it starts; if not, its alarm is set."""
        waiter.at, waiter.held_by = self._ready_at(waiter.stakes, now, waiter)
        if waiter.at <= now:
            self._dequeue(waiter)
            waiter.permit = _taken(waiter.stakes, now)
            waiter.wake()
            return True
        if waiter.until < waiter.at < math.inf:
            waiter.wake()  # waiting has become useless
        elif waiter.nap is not None:
            waiter.nap.deadline = self._alarm(waiter)
        return False

    def _enqueue(self, waiter: Waiter) -> None:
        for gate, cost in waiter.stakes:
            gate.waiting += cost
        lane = waiter.stakes[0][0]
        insort(lane.queue, waiter, key=_order)
        self._renew_front(lane)

    def _dequeue(self, waiter: Waiter) -> None:
        lane = waiter.stakes[0][0]
        if waiter.closed:
            return
        lane.queue.remove(waiter)
        for gate, cost in waiter.stakes:
            gate.waiting -= cost
        self._renew_front(lane)

    @staticmethod
    def _renew_front(lane: ScopeQueue) -> None:
        old, new = lane.front, lane.queue[0] if lane.queue else None
        if old is new:
            return
        lane.front = new
        if old is not None:
            old.at, old.held_by = math.inf, None
            for gate, _ in old.stakes:
                gate.fronts.remove(old)
        if new is not None:
            for gate, _ in new.stakes:
                insort(gate.fronts, new, key=_order)

    def _alarm(self, waiter: Waiter) -> float:
        """When it has to wake by itself, by trio's clock."""
        at = min(waiter.at, waiter.patience)
        return self.clock.to_trio(at) + LATE if at < math.inf else math.inf

    async def _sleep(self, waiter: Waiter) -> None:
        """Until it has its turn, its time has come, or something is to be looked at."""

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            waiter.task = None
            return trio.lowlevel.Abort.SUCCEEDED

        with trio.CancelScope(deadline=self._alarm(waiter)) as waiter.nap:
            waiter.task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(abort)
        waiter.nap = None
        if waiter.permit is None and not waiter.closed:
            for gate, _ in waiter.stakes:
                self._look(gate)

    def _check(self, waiter: Waiter) -> None:
        """Raises, if waiting is of no use."""
        if waiter.closed:
            raise trio.ClosedResourceError("the transport was closed")
        if waiter.until == math.inf:
            return
        now = self.clock()
        at = waiter.at if waiter.stakes[0][0].front is waiter else self._behind_others(waiter, now)
        if now < waiter.until and not waiter.until < at < math.inf:
            return
        gate = waiter.held_by or waiter.stakes[0][0]
        why = gate.throttle.blocked_by or "others"
        when = f"its turn comes in {at - now:.3g} s" if at < math.inf else "nobody knows when its turn comes"
        words = f"{gate.throttle.name} ({why}): {when}, and {max(0.0, waiter.until - now):.3g} s are left"
        raise WouldExceedDeadline(words, retry_at=at, scope=gate.throttle.name)

    @staticmethod
    def _behind_others(waiter: Waiter, now: float) -> float:
        """Not before that can it start, since others of its lane are first; seconds since the epoch."""
        ahead = [stake for other in waiter.stakes[0][0].queue if other.order < waiter.order for stake in other.stakes]
        at = -math.inf
        for gate, cost in waiter.stakes:
            costs = [other_cost for other, other_cost in ahead if other is gate]
            when = _after(gate.throttle, now, cost, costs, gate.waiting)
            if at < when < math.inf:
                at, waiter.held_by = when, gate
        return at if at > now else math.inf

    def _forget(self, name: str, gate: ScopeQueue, *, keep: bool = False) -> None:
        """Lets a gate go; and its throttle, unless it is to be kept or others watch it."""
        del self._gates[name]
        throttle = gate.throttle
        throttle.watchers = tuple(watcher for watcher in throttle.watchers if watcher is not gate.watcher)
        if not keep and not throttle.watchers:
            self.limits.forget(name)


def _after(throttle: Throttle, now: float, cost: float, ahead: list[float], backlog: float) -> float:
    """When a request may start if those ahead of it, with these costs, start as soon as they may."""
    at = throttle.ready_at(now, cost=cost + sum(ahead), backlog=backlog)
    for rate in throttle.pacing.rates:
        at = max(at, max(now, rate.due) + (len(ahead) + 1 - rate.burst) * rate.interval)
    return max(at, max(now, throttle.pacing.next_start) + len(ahead) * throttle.pacing.delay)
