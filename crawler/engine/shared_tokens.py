"""`SharedTokens`: lets a background task use the token of a page whose `fetch` hook waits for that task.

Such a hook holds a token of its lane but has no request in flight. If hooks hold all tokens of a lane, none is released
before the task that they wait for has fetched: it borrows one of them. If the token were released while the hook runs,
the hook would wait for another one with its start already counted, and then send right after others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from crawler.frontier import Frontier, InlineTicket, Lane, StartTicket

__all__ = ["SharedTokens"]


class SharedTokens:
    """The tokens that may be borrowed, and the tasks that wait for a token."""

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self._idle: dict[Lane, dict[StartTicket, None]] = {}
        self._waiting: dict[Lane, dict[trio.CancelScope, None]] = {}
        self._borrowed: dict[InlineTicket, StartTicket] = {}

    def lend(self, ticket: StartTicket) -> None:
        """Note that a hook runs that has no request in flight: its token may be borrowed."""
        self._idle.setdefault(ticket.lane, {})[ticket] = None
        self._wake(ticket.lane)

    async def take_back(self, ticket: StartTicket) -> None:
        """Note that a hook is about to send a request; wait until its token is returned."""
        self.end(ticket)
        while ticket in self._borrowed.values():
            await self._frontier.changed.wait()

    def end(self, ticket: StartTicket) -> None:
        """Note that the hooks of a ticket have ended, or send a request: its token is no longer lent."""
        tickets = self._idle.get(ticket.lane, {})
        tickets.pop(ticket, None)
        if not tickets:
            self._idle.pop(ticket.lane, None)

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
        idle = self._idle.get(lane)
        if not idle or lane.limiter.available_tokens > 0 or len(idle) < lane.limiter.borrowed_tokens:
            return None
        return next((ticket for ticket in idle if not ticket.is_lent), None)

    def _wake(self, lane: Lane) -> None:
        """Let the tasks that wait for a token of a lane look whether they can borrow one."""
        if lane in self._waiting and self._lender(lane) is not None:
            for scope in self._waiting[lane]:
                scope.cancel()
