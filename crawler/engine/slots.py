"""`Slots`: waiting in the caller's task for a token and the next start of a lane."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING

import trio

from crawler.errors import WouldExceedDeadline
from crawler.frontier import StartTicket

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.frontier import Frontier, Lane, StoredTicket
    from crawler.messages import Request

__all__ = ["Slots", "current_ticket"]

current_ticket: ContextVar[StoredTicket | None] = ContextVar("current_ticket", default=None)
"""The ticket that the worker of this task works on, if the task is a worker."""


class Slots:
    """Lets an inline fetch wait for its lane. A page never waits here: the frontier hands it out when it may start.

    Parameters:
        frontier: knows when a lane may start a request.
        clock: gives seconds since the epoch.
    """

    def __init__(self, frontier: Frontier, clock: Clock) -> None:
        self._frontier = frontier
        self._clock = clock

    def wait(self, lane: Lane, request: Request) -> float:
        """Seconds until the limits allow a request; infinite: something in flight has to end first."""
        now = self._clock()
        return self._frontier.ready_at(lane, request, now) - now

    def check(self, wait: float, patience: float, lane: Lane, request: Request) -> None:
        """Fail at once if a wait is too long.

        Parameters:
            wait: seconds. An infinite wait passes: its end is not known, and who waits gives up in time.
            patience: seconds that may be waited.
            lane: what is waited for.
            request: what is to be sent.

        Raises:
            WouldExceedDeadline: the wait passes `patience` or the deadline of the caller's cancel scopes.
        """
        if wait == math.inf:
            return
        deadline = trio.current_effective_deadline()
        if wait > max(patience, 0.0) or (wait > 0 and trio.current_time() + wait >= deadline != math.inf):
            raise self.too_late(wait, lane, request)

    def too_late(self, wait: float, lane: Lane, request: Request) -> WouldExceedDeadline:
        """The error of a wait (seconds) that is too long."""
        known = max(wait, 0.0) if wait < math.inf else 0.0  # a request in flight may end at any time
        words = f"{known:.1f} s" if known else "a free place"
        return WouldExceedDeadline(
            f"{lane.name} has to be waited for: {words}",
            retry_at=self._clock() + known,
            scope=lane.name,
            request=request,
        )

    async def acquire(self, ticket: StartTicket, give_up_at: float) -> None:
        """Wait for a token of the ticket's lane.

        A `fetch` hook that runs inside an attempt on the same lane shares the token of that attempt.

        Parameters:
            ticket: borrows the token.
            give_up_at: seconds on trio's clock.

        Raises:
            WouldExceedDeadline: there was no token until then.
        """
        lane, page = ticket.lane, current_ticket.get()
        if page is not None and page.lane is lane and isinstance(page, StartTicket) and page.holds_token:
            return
        with trio.move_on_at(give_up_at):
            await lane.limiter.acquire_on_behalf_of(ticket)
            ticket.holds_token = True
            ticket.permit.enter()
        if not ticket.holds_token:
            raise self.too_late(0.0, lane, ticket.request)

    async def start(self, ticket: StartTicket, give_up_at: float = math.inf) -> None:
        """Wait for the next start of the ticket's lane, and take it.

        Parameters:
            ticket: takes the start.
            give_up_at: seconds on trio's clock.

        Raises:
            WouldExceedDeadline: the start is later than that, or than the deadline of the caller's cancel scopes.
        """
        lane, request = ticket.lane, ticket.request
        while (wait := self.wait(lane, request)) > 0:
            self.check(wait, give_up_at - trio.current_time(), lane, request)
            with trio.move_on_at(min(give_up_at, trio.current_time() + wait)):
                await self._frontier.changed.wait()
            if trio.current_time() >= give_up_at and self.wait(lane, request) > 0:
                raise self.too_late(wait, lane, request)
        ticket.now = self._clock()
        ticket.permit.take(ticket.now)
