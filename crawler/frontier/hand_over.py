"""`HandOver`: takes over lanes and budgets from other workers, and passes them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crawler.frontier.budget import Budget
    from crawler.frontier.frontier import Frontier
    from crawler.frontier.lane import Lane

__all__ = ["HandOver"]


class HandOver:
    """Takes limits over with everything known about them, and starts nothing that is to be passed on.

    Parameters:
        frontier: Has the lanes and the budgets.
    """

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier

    def _find(self, name: str) -> tuple[Lane | None, Budget | None]:
        return self._frontier.lanes.get(name), self._frontier.budgets.by_name.get(name)

    def open_budget(self, name: str, *, epoch: int, state: dict[str, Any]) -> None:
        """Give a budget its lease.

        Parameters:
            name: Its name.
            epoch: The lease under which it is held.
            state: What `Throttle.state` has returned for its last owner.
        """
        budget = self._frontier.budgets[name]
        budget.throttle.take_over(state)
        budget.epoch, budget.is_leased, budget.is_leaving = epoch, True, False
        self._frontier.wake_all()

    def hold_back(self, name: str) -> None:
        """Stop starting requests of a lane or budget, since another worker is to have it.

        A page that is in flight may still fetch from its own lane.
        """
        for holding in self._find(name):
            if holding is not None:
                holding.is_leaving = True

    def has_in_flight(self, name: str) -> bool:
        """Return whether something of a lane or budget is in flight."""
        lane, budget = self._find(name)
        if lane is not None and (lane.has_open_pages() or lane.throttle.inflight):
            return True
        return budget is not None and budget.throttle.inflight > 0

    def close(self, name: str) -> None:
        """Give up a lane or budget. Requests that wait for it here wait for its next lease."""
        lane, budget = self._find(name)
        if lane is not None and not lane.open_tickets:
            self._frontier.lanes.close(lane)
        elif lane is not None:
            self._frontier.lanes.forget_requests(lane)
        for holding in (lane, budget):
            if holding is not None:
                holding.epoch, holding.is_leased, holding.is_leaving = 0, False, False
