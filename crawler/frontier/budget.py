"""`Budget`: a limit that lanes share, such as what one API key may ask on several hosts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from crawler.limits.permit import Permit
from crawler.limits.throttle import Throttle

if TYPE_CHECKING:
    from crawler.frontier.lane import Lane
    from crawler.messages import Request

__all__ = ["Budget", "Budgets"]


@attrs.define(eq=False)
class Budget:
    """A throttle, and the lanes that wait for it: they are woken one by one, never polled."""

    throttle: Throttle
    """Its limits."""
    parked: dict[Lane, None] = attrs.field(factory=dict)
    """Lanes that may start as soon as this budget allows, first come first."""
    listed: float = math.inf
    """The time under which it stands in the frontier's heap; infinite: it does not."""

    def park(self, lane: Lane) -> None:
        """Lets a lane wait; one that waits already keeps its place."""
        lane.parked = self
        self.parked[lane] = None

    def unpark(self, lane: Lane) -> None:
        """Lets it go."""
        lane.parked = None
        del self.parked[lane]

    def cost(self) -> float | None:
        """What the next start takes; `None`: nobody waits."""
        for lane in self.parked:
            head = lane.head()
            return head.request.quotas.get(self.throttle.name, 1.0) if head is not None else 1.0
        return None


class Budgets:
    """The budgets that requests have named so far, and what each request has to wait for and pays.

    A request that names its own lane among its budgets pays that much of the lane.

    Parameters:
        throttle: returns the throttle of a lane or budget, by name.
    """

    def __init__(self, throttle: Callable[[str], Throttle]) -> None:
        self.by_name: dict[str, Budget] = {}
        self.on_new: Callable[[Budget], None] | None = None
        """Called with each new budget."""
        self._throttle = throttle

    def __getitem__(self, name: str) -> Budget:
        """Return a budget, made when it is first asked for."""
        found = self.by_name.get(name)
        if found is None:
            found = self.by_name[name] = Budget(self._throttle(name))
            if self.on_new is not None:
                self.on_new(found)
        return found

    def of(self, lane: Lane, request: Request) -> list[Budget]:
        """Return the budgets that a request pays beside its lane."""
        return [self[name] for name in request.quotas if name != lane.name]

    def permit(self, lane: Lane, request: Request) -> Permit:
        """Return a permit for a request, which its start has to take."""
        quotas = request.quotas
        if not quotas:
            return Permit(lane.throttle)
        budgets = [(self[name].throttle, cost) for name, cost in quotas.items() if name != lane.name]
        return Permit(lane.throttle, budgets, quotas.get(lane.name, 1.0))

    def ready_at(self, lane: Lane, request: Request, now: float) -> tuple[float, str, Budget | None]:
        """When a request of a lane may start, what it has to wait for, and the budget if it is one.

        The time is infinite if something in flight has to come back first.
        """
        throttle, quotas = lane.throttle, request.quotas
        if not quotas:
            return throttle.ready_at(now, backlog=lane.backlog()), throttle.blocked_by, None
        at = throttle.ready_at(now, cost=quotas.get(lane.name, 1.0), backlog=lane.backlog())
        why, found = throttle.blocked_by, None
        for name, cost in quotas.items():
            if name != lane.name:
                budget = self[name]
                budget_at = budget.throttle.ready_at(now, cost=cost)
                if budget_at > max(at, now):
                    at, why, found = budget_at, budget.throttle.blocked_by, budget
        return at, why, found

    def queue_of(self, lane: Lane, request: Request) -> Budget | None:
        """The budget of a request for which other lanes wait already: this one goes behind them."""
        budgets = self.of(lane, request)
        return next((budget for budget in budgets if budget.parked and lane.parked is not budget), lane.parked)

    def is_stalled(self, lane: Lane, request: Request, now: float) -> bool:
        """Whether all was refused for so long that asking is no use for now."""
        if lane.throttle.is_stalled(now):
            return True
        return bool(request.quotas) and any(budget.throttle.is_stalled(now) for budget in self.of(lane, request))

    def policies(self, lane: Lane, request: Request) -> dict[str, dict[str, dict[str, Any]]]:
        """What is known of the quotas that a request has to do with, by lane or budget, then by policy."""
        throttles = [lane.throttle, *(budget.throttle for budget in self.of(lane, request))]
        return {throttle.name: policies for throttle in throttles if (policies := throttle.policies())}
