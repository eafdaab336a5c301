"""`Budget`: a limit that lanes share, such as the quota of one API key on several hosts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from crawler.limits.headers.refusal_status import FORBIDDEN
from crawler.limits.permit import Permit
from crawler.limits.throttle import Throttle
from crawler.messages.request import mapping_of

if TYPE_CHECKING:
    from crawler.frontier.lane import Lane
    from crawler.messages import Request
    from crawler.outages.outages import Outages

__all__ = ["Budget", "Budgets"]


def _always(_name: str) -> bool:
    return True


class Budget(Struct, eq=False):
    """The limits of a budget, and the lanes that wait for it. They are woken one by one, never polled."""

    throttle: Throttle
    """Its limits."""
    parked: dict[Lane, None] = {}
    """The lanes that wait for nothing but this budget, first come first served."""
    requests: int = 0
    """Requests so far that named it."""
    units: float = 0.0
    """Units that they cost."""
    scheduled_at: float = math.inf
    """When the schedule checks it next, in seconds since the epoch; infinite: never."""

    @property
    def average_cost(self) -> float:
        """Units that a request costs on average, as far as is known."""
        return self.units / self.requests if self.requests else 1.0

    def park(self, lane: Lane) -> None:
        """Queue a lane. A lane that waits already keeps its place."""
        lane.parked = self
        self.parked[lane] = None

    def unpark(self, lane: Lane) -> None:
        """Remove a lane from the queue."""
        lane.parked = None
        del self.parked[lane]

    def cost(self) -> float | None:
        """Return the units that the next start takes. `None` means that no lane waits."""
        for lane in self.parked:
            head = lane.head()
            return mapping_of(head.request, "quotas").get(self.throttle.name, 1.0) if head is not None else 1.0
        return None


class Budgets:
    """The budgets that requests have named so far: when they let a request start, and the units that it costs.

    A request that names its own lane among its budgets costs that many units of the lane.
    """

    def __init__(self, throttle: Callable[[str], Throttle], outages: Outages) -> None:
        self.by_name: dict[str, Budget] = {}
        self.on_new: Callable[[Budget], None] | None = None
        """Called with each new budget."""
        self.backlog: Callable[[], float] = lambda: math.inf
        """Returns the number of all waiting requests, those in the store included."""
        self.wants_forbidden = False
        """Whether callbacks get the status 403."""
        self._throttle = throttle
        self._outages = outages
        self.may_use: Callable[[str], bool] = _always
        """Returns whether a budget may be used, or a lane that has no lease. Other workers of the job may hold them."""

    def __getitem__(self, name: str) -> Budget:
        """Return a budget, made when it is first asked for."""
        found = self.by_name.get(name)
        if found is None:
            found = self.by_name[name] = Budget(self._throttle(name))
            if self.on_new is not None:
                self.on_new(found)
        return found

    def of(self, lane: Lane, request: Request) -> list[Budget]:
        """Return the budgets that a request names, except its own lane."""
        return [self[name] for name in mapping_of(request, "quotas") if name != lane.name]

    def permit(self, lane: Lane, request: Request) -> Permit:
        """Return a permit for a request, not taken yet."""
        quotas = mapping_of(request, "quotas")
        wanted = self.wants_forbidden or FORBIDDEN in request.accept_status
        may_recheck = lane.last_page is not None and not wanted
        if not quotas:
            return Permit(lane.throttle, may_recheck=may_recheck)
        budgets = []
        for name, cost in quotas.items():
            if name != lane.name:
                budget = self[name]
                budget.requests, budget.units = budget.requests + 1, budget.units + cost
                budgets.append((budget.throttle, cost))
        return Permit(lane.throttle, budgets, quotas.get(lane.name, 1.0), may_recheck=may_recheck)

    def ready_at(self, lane: Lane, request: Request, now: float) -> tuple[float, str, Budget | None]:
        """Return when limits let a request start, what it has to wait for, and the budget if that is one.

        The time, in seconds since the epoch, is infinite if a request in flight has to end first, during a pause, and
        while another worker holds the lane or a budget.
        """
        if lane.is_paused:
            return math.inf, "pause", None
        if not lane.epoch and not self.may_use(lane.name):
            return math.inf, "lease", None
        throttle, quotas = lane.throttle, mapping_of(request, "quotas")
        if not quotas and throttle.is_free(now) and not self._outages.active:
            throttle.blocked_by = ""
            return max(throttle.pacing.gate, throttle.pacing.next_start), "", None
        cost = quotas.get(lane.name, 1.0) if quotas else 1.0
        backlog = self.backlog() if lane.more else len(lane)
        at, found = throttle.ready_at(now, cost=cost, backlog=backlog), None
        why = throttle.blocked_by
        for name, cost in quotas.items():
            if name != lane.name:
                budget = self[name]
                if not self.may_use(name):
                    return math.inf, "lease", None
                budget_at = budget.throttle.ready_at(now, cost=cost, backlog=budget.average_cost * self.backlog())
                if budget_at > max(at, now):
                    at, why, found = budget_at, budget.throttle.blocked_by, budget
        if self._outages.active:
            reachable_at = self._outages.ready_at(request, now)
            if reachable_at > max(at, now):
                return reachable_at, "outage", None
        return at, why, found

    def queue_of(self, lane: Lane, request: Request) -> Budget | None:
        """Return a budget of a request for which other lanes wait already, so that the lane queues after them."""
        budgets = self.of(lane, request)
        return next((budget for budget in budgets if budget.parked and lane.parked is not budget), lane.parked)

    def is_stalled(self, lane: Lane, request: Request, now: float) -> bool:
        """Return whether a limit of a request has refused everything for so long that another attempt is pointless."""
        if lane.throttle.is_stalled(now):
            return True
        if not mapping_of(request, "quotas"):
            return False
        return any(budget.throttle.is_stalled(now) for budget in self.of(lane, request))

    def policies(self, lane: Lane, request: Request) -> dict[str, dict[str, dict[str, Any]]]:
        """Return what is known of the quotas that concern a request: by lane or budget, then by policy."""
        throttles = [lane.throttle, *(budget.throttle for budget in self.of(lane, request))]
        return {throttle.name: policies for throttle in throttles if (policies := throttle.policies())}
