"""`Slots`: waits, in the caller's task, for a token and the next start of a lane."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING

import trio

from crawler.engine.shared_tokens import SharedTokens
from crawler.errors import WouldExceedDeadline
from crawler.frontier import InlineTicket, StartTicket

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.frontier import Frontier, Lane, StoredTicket
    from crawler.messages import Request

__all__ = ["Slots", "current_ticket"]

current_ticket: ContextVar[StoredTicket | None] = ContextVar("current_ticket", default=None)
"""The ticket that the worker of this task works on, if the task is a worker."""


class Slots:
    """Waits for the lane of an inline fetch. Pages never wait here: the frontier hands them out when they may start."""

    def __init__(self, frontier: Frontier, clock: Clock) -> None:
        self._frontier = frontier
        self._clock = clock
        self.tokens = SharedTokens(frontier)
        """The tokens that hooks lend to other tasks."""

    def wait(self, lane: Lane, request: Request) -> float:
        """Return the seconds until the limits allow a request; infinite until a request in flight ends."""
        now = self._clock()
        if lane.is_draining and ((page := current_ticket.get()) is None or page.lane is not lane):
            return math.inf
        return self._frontier.ready_at(lane, request, now) - now

    def check(self, wait: float, patience: float, lane: Lane, request: Request) -> None:
        """Fail at once if a wait is too long."""
        deadline, now = trio.current_effective_deadline(), trio.current_time()
        if wait == math.inf or deadline <= now:
            return
        # what is left after the wait has to suffice for the response
        responds_at = now + wait + lane.throttle.concurrency.response_time
        if wait > max(patience, 0.0) or (wait > 0 and responds_at >= deadline != math.inf):
            raise self.too_late(wait, lane, request)

    def too_late(self, wait: float, lane: Lane, request: Request) -> WouldExceedDeadline:
        """Return the error for a wait (in seconds) that is too long."""
        known = max(wait, 0.0) if wait < math.inf else 0.0  # a request in flight may end at any time
        verdict = f"allows the next request in {known:.1f} s" if known else "allows no further request at once"
        return WouldExceedDeadline(
            f"{lane.name} {verdict}: the wait is too long",
            retry_at=self._clock() + known,
            scope=lane.name,
            request=request,
        )

    async def acquire(self, ticket: InlineTicket, give_up_at: float) -> None:
        """Acquire a token of the ticket's lane.

        A `fetch` hook that runs inside an attempt on the same lane shares the token of that attempt: one of its
        requests at a time uses it, and others need one of their own.
        """
        lane, page = ticket.lane, current_ticket.get()
        with trio.move_on_at(give_up_at):
            if page is not None and page.lane is lane and isinstance(page, StartTicket) and page.permit.is_in_flight:
                while page.is_lent and lane.limiter.available_tokens <= 0:
                    await self._frontier.changed.wait()
                if not page.is_lent:
                    page.is_lent = True
                    ticket.lender = page
                    return
            await self.tokens.acquire(ticket)
        if not ticket.permit.is_in_flight and ticket.lender is None:
            raise self.too_late(0.0, lane, ticket.request)

    async def start(self, ticket: StartTicket, give_up_at: float = math.inf) -> None:
        """Wait until the ticket's lane may start a request, and take that start."""
        lane, request = ticket.lane, ticket.request
        while (wait := self.wait(lane, request)) > 0:
            self.check(wait, give_up_at - trio.current_time(), lane, request)
            with trio.move_on_at(min(give_up_at, trio.current_time() + wait)):
                await self._frontier.changed.wait()
            if trio.current_time() >= give_up_at and self.wait(lane, request) > 0:
                raise self.too_late(wait, lane, request)
        ticket.now = self._clock()
        ticket.permit.take(ticket.now, reports=self._frontier.feedback.reports_sending)
        if self._frontier.outages.active:
            self._frontier.outages.start(ticket, request)
