"""`Slots`: waits, in the caller's task, for a token and the next start of a lane."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from crawler.errors import WouldExceedDeadline
from crawler.frontier import InlineTicket, StartTicket, current_ticket
from crawler.messages.request import mapping_of

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.frontier import Frontier, Lane
    from crawler.messages import Request

__all__ = ["SharedTokens", "Slots"]


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
        is_closed = lane.is_draining and lane not in self.tokens.idle  # a hook of it may wait for this request
        if is_closed and ((page := current_ticket.get()) is None or page.lane is not lane):
            return math.inf
        if (at := self._frontier.ready_at(lane, request, now)) > now and self.tokens.return_starts(lane, request):
            at = self._frontier.ready_at(lane, request, now)
        return at - now

    def check(self, wait: float, patience: float, lane: Lane, request: Request) -> None:
        """Fail at once if a wait is too long, or for a host that has never answered."""
        error = self._frontier.outages.refusal(request, self._clock(), in_place=True)
        if error is not None:
            raise error
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
        allows = f"allows the next request in {known:.1f} s" if known else "allows no further request at once"
        return WouldExceedDeadline(
            f"{lane.name} {allows}: the wait is too long",
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
        ticket.permit.take(ticket.now, reports=self._frontier.reports_sending)
        if self._frontier.outages.active:
            self._frontier.outages.start(ticket, request)


class SharedTokens:
    """Lets a background task use the token of a page whose `fetch` hook waits for that task.

    Such a hook holds a token of its lane but has no request in flight. If hooks hold all tokens of a lane, none is
    released before the task that they wait for has fetched: it borrows one of them. If the token were released while
    the hook runs, the hook would wait for another one with its start already counted, and then send right after others.
    """

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self.idle: dict[Lane, dict[StartTicket, None]] = {}
        """Tickets whose hooks run and have no request in flight."""
        self._waiting: dict[Lane, dict[trio.CancelScope, None]] = {}
        self._borrowed: dict[InlineTicket, StartTicket] = {}

    def lend(self, ticket: StartTicket) -> None:
        """Note that a hook runs that has no request in flight: its token may be borrowed."""
        self.idle.setdefault(ticket.lane, {})[ticket] = None
        self._frontier.changed.set()  # its start may be returned
        self._wake(ticket.lane)

    async def take_back(self, ticket: StartTicket) -> None:
        """Note that a hook is about to send a request; wait until its token is returned."""
        self.end(ticket)
        while ticket in self._borrowed.values():
            await self._frontier.changed.wait()

    def return_starts(self, lane: Lane, request: Request) -> bool:
        """Refund the starts for which a request waits, and of which hooks have sent nothing. Return whether there are.

        Those of other lanes count in quotas and in an outage only.
        """
        shares = self._frontier.outages.active or mapping_of(request, "quotas")
        lanes = self.idle.values() if shares else [self.idle.get(lane, {})]
        found = [one for tickets in lanes for one in tickets if one.permit.is_open and not one.is_sent]
        for one in found:
            self._frontier.refund(one)
            if self._frontier.outages.end(one):
                self._frontier.wake_all()
        return bool(found)

    def end(self, ticket: StartTicket) -> None:
        """Note that the hooks of a ticket have ended, or send a request: its token is no longer lent."""
        tickets = self.idle.get(ticket.lane, {})
        tickets.pop(ticket, None)
        if not tickets:
            self.idle.pop(ticket.lane, None)

    async def acquire(self, ticket: InlineTicket) -> None:
        """Acquire a token of the ticket's lane, or borrow one."""
        lane = ticket.lane
        waiting = self._waiting.setdefault(lane, {})
        try:
            while (lender := self._lender(lane)) is None:
                with trio.CancelScope() as scope:
                    waiting[scope] = None
                    try:
                        await lane.limiter.acquire_on_behalf_of(ticket.permit)
                        ticket.permit.enter()
                        return
                    finally:
                        del waiting[scope]
        finally:
            if not waiting:
                self._waiting.pop(lane, None)
        lender.is_lent = True
        ticket.lender = lender
        self._borrowed[ticket] = lender

    def give_back(self, ticket: InlineTicket) -> None:
        """Note that an inline fetch has ended. Another one may borrow the token that it has used."""
        self._borrowed.pop(ticket, None)
        self._frontier.changed.set()
        self._wake(ticket.lane)

    def _lender(self, lane: Lane) -> StartTicket | None:
        """Return a ticket whose token may be borrowed, if hooks without a request in flight hold all tokens."""
        idle = self.idle.get(lane)
        if not idle or lane.limiter.available_tokens > 0 or len(idle) < lane.limiter.borrowed_tokens:
            return None
        return next((ticket for ticket in idle if not ticket.is_lent), None)

    def _wake(self, lane: Lane) -> None:
        """Let the tasks that wait for a token of a lane look whether they can borrow one."""
        if lane in self._waiting and self._lender(lane) is not None:
            for scope in self._waiting[lane]:
                scope.cancel()
