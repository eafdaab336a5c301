"""`Slots`: waits, in the caller's task, for a token and the next start of a lane."""

from __future__ import annotations

import math
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

import trio

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
        """Acquire a token of the ticket's lane."""
        with trio.move_on_at(give_up_at):
            await ticket.lane.limiter.acquire_on_behalf_of(ticket.permit)
            ticket.permit.enter()
        if not ticket.permit.is_in_flight:
            raise self.too_late(0.0, ticket.lane, ticket.request)

    # ---- the token of a `fetch` hook that sends nothing --------------------------------------------------------------

    @staticmethod
    def reserve(ticket: StartTicket) -> None:
        """Keep the place of a request in its lane, but not its token: its hooks may wait for what fetches in place."""
        if ticket.permit.is_in_flight:
            ticket.lane.limiter.release_on_behalf_of(ticket.permit)
            ticket.permit.leave()
            ticket.lane.throttle.reserved += 1

    async def occupy(self, ticket: StartTicket) -> None:
        """Wait for a token for the place of a request that is about to be sent."""
        if not ticket.permit.is_in_flight:
            await ticket.lane.limiter.acquire_on_behalf_of(ticket.permit)
            self._occupy(ticket)

    def occupy_now(self, ticket: StartTicket) -> None:
        """Take a token, if one is free, for the place of a request that a hook has sent by its own means."""
        if not ticket.permit.is_in_flight:
            with suppress(trio.WouldBlock):
                ticket.lane.limiter.acquire_on_behalf_of_nowait(ticket.permit)
                self._occupy(ticket)

    @staticmethod
    def _occupy(ticket: StartTicket) -> None:
        ticket.permit.enter()
        ticket.lane.throttle.reserved -= 1

    def give_up_place(self, ticket: StartTicket) -> None:
        """Give up the place of a request whose hooks have ended, if it has no token."""
        if not ticket.permit.is_in_flight:
            ticket.lane.throttle.reserved -= 1
            self._frontier.schedule.offer(ticket.lane)

    # ---- starts ------------------------------------------------------------------------------------------------------

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
