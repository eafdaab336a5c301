"""`Starts`: when a request may start as far as limits go, what its start takes, and what its answer teaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from crawler.frontier.budget import Budget
from crawler.frontier.lane import Lane
from crawler.frontier.ticket import Ticket
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import NOTHING, AttemptReport
from crawler.limits.pace import Pace
from crawler.limits.registry import Limits
from crawler.limits.throttle import Throttle
from crawler.messages import Request
from crawler.settings import Settings

__all__ = ["Starts"]

TOO_MANY = 429


class Starts:
    """Asks the throttles of lanes and of the budgets that lanes share.

    Parameters:
        settings: pace of the lanes and budgets.
        limits: the throttles, by name.
        made: is told of each new budget.
    """

    def __init__(self, settings: Settings, limits: Limits, made: Callable[[Budget], None] | None = None) -> None:
        self.limits = limits
        self.budgets: dict[str, Budget] = {}
        """By name: those that requests have named so far."""
        self._settings = settings
        self._made = made

    def throttle(self, name: str) -> Throttle:
        """The throttle of a lane or budget."""
        return self.limits.throttle(name, self._pace)

    def _pace(self, name: str) -> Pace:
        return self._settings.pace(name.partition("//")[2] or name)

    def budget(self, name: str) -> Budget:
        """A budget, made when it is first asked for."""
        found = self.budgets.get(name)
        if found is None:
            found = self.budgets[name] = Budget(self.throttle(name))
            if self._made is not None:
                self._made(found)
        return found

    def at(self, lane: Lane, request: Request, now: float) -> tuple[float, str, Budget | None]:
        """When a request of a lane may start, what it has to wait for, and the budget if it is one.

        The time is infinite if something in flight has to come back first.
        """
        throttle = lane.throttle
        at = throttle.ready_at(now, backlog=lane.backlog())
        why, budget = throttle.blocked_by, None
        for name, cost in request.quotas.items():
            asked = self.budget(name)
            ready_at = asked.throttle.ready_at(now, cost=cost)
            if ready_at > max(at, now):
                at, why, budget = ready_at, asked.throttle.blocked_by, asked
        return at, why, budget

    def policies(self, lane: Lane, request: Request) -> dict[str, dict[str, dict[str, Any]]]:
        """What is known of the quotas that a request has to do with, by lane or budget, then by policy."""
        throttles = [lane.throttle, *(self.budget(name).throttle for name in request.quotas)]
        return {throttle.name: policies for throttle in throttles if (policies := throttle.policies())}

    def queue(self, lane: Lane, request: Request) -> Budget | None:
        """The budget of a request for which other lanes wait already: this one goes behind them."""
        budgets = (self.budget(name) for name in request.quotas)
        return next((budget for budget in budgets if budget.parked and lane.parked is not budget), lane.parked)

    def is_stalled(self, lane: Lane, request: Request, now: float) -> bool:
        """Whether all was refused for so long that asking is no use for now."""
        return lane.throttle.is_stalled(now) or any(
            self.budget(name).throttle.is_stalled(now) for name in request.quotas
        )

    def stamp(self, ticket: Ticket) -> None:
        """Counts a start at `ticket.now`."""
        throttle = ticket.lane.throttle
        ticket.grants = [(throttle, throttle.take(ticket.now))]
        for name, cost in ticket.request.quotas.items():
            throttle = self.budget(name).throttle
            ticket.grants.append((throttle, throttle.take(ticket.now, cost=cost)))

    def give_back(self, ticket: Ticket) -> list[Throttle]:
        """Undoes a start whose request was never sent; gives the throttles that may have something else to say."""
        grants, ticket.grants = ticket.grants, []
        for throttle, grant in grants:
            throttle.give_back(grant)
        return [throttle for throttle, _ in grants]

    def end(self, ticket: Ticket) -> list[Throttle]:
        """Nobody will hear of an answer: a start is given back, or counts as spent if bytes went out."""
        if not ticket.sent:
            return self.give_back(ticket)
        grants, ticket.grants = ticket.grants, []
        for throttle, grant in grants:
            throttle.lost(grant)
        return [throttle for throttle, _ in grants]

    def learn(self, ticket: Ticket, exchange: AttemptReport) -> tuple[list[Throttle], list[tuple[str, QuotaEvent]]]:
        """Tells each throttle what concerns it of an exchange.

        What a server declares, and that it is asked too often (429), concerns the first budget that the request names;
        other trouble, and how quickly it answers, its lane.

        Returns:
            The throttles that may have something else to say, and what users may want to know, by scope.
        """
        lane = ticket.lane
        inflight = lane.limiter.borrowed_tokens + (not ticket.holds)
        grants, ticket.grants = ticket.grants, []
        ticket.was_refused = exchange.refused
        of_budget = len(grants) > 1 and (not exchange.refused or exchange.status == TOO_MANY)
        events: list[tuple[str, QuotaEvent]] = []
        for index, (throttle, grant) in enumerate(grants):
            whole = index == (1 if of_budget else 0)
            told = exchange if whole else attrs.evolve(exchange, refused=False, declared=NOTHING)
            if index > 0:
                told = attrs.evolve(told, first_byte=None, overloaded=False)
            events += [(throttle.name, event) for event in throttle.settle(grant, told, inflight=inflight)]
        tokens = lane.throttle.concurrency.limit
        if tokens != lane.limiter.total_tokens:
            lane.limiter.total_tokens = tokens
        return [throttle for throttle, _ in grants], events
