"""`Attempts`: one whole attempt, from the `answer` hooks to the `measure` hooks.

All requests are sent here: those of pages, of robots.txt files and of inline fetches.
"""

from __future__ import annotations

import math
from collections.abc import Coroutine, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from msgspec import Struct

from crawler.engine.fetch_hooks import FetchHooks, Network, Result
from crawler.errors import RequestError
from crawler.fetch.body_reader import BodyHandling
from crawler.frontier import PageTicket
from crawler.logs import get_logger
from crawler.messages import Request, Response
from crawler.messages.request import is_start_page

if TYPE_CHECKING:
    from crawler.engine.accounting import Accounting
    from crawler.engine.peers import Peers
    from crawler.engine.slots import Slots
    from crawler.fetch.downloader import Downloader
    from crawler.frontier import Frontier, InlineTicket, StartTicket
    from crawler.limits.events import QuotaEvent

__all__ = ["Attempts", "Result", "current_observer"]

log = get_logger("crawler.engine")

current_observer: ContextVar[_ExchangeObserver | None] = ContextVar("current_observer", default=None)
"""Observes the attempt whose `fetch` hooks run in this task."""


class Attempts:
    """Makes attempts, and lets them be recorded."""

    def __init__(
        self,
        downloader: Downloader,
        hooks: FetchHooks,
        frontier: Frontier,
        slots: Slots,
        accounting: Accounting,
        peers: Peers,
    ) -> None:
        self._downloader = downloader
        self._hooks = hooks
        self._frontier = frontier
        self._slots = slots
        self._accounting = accounting
        self._peers = peers
        self._start_origins = downloader.start_origins
        self.answer = hooks.answer
        """Returns the response of the first `answer` hook that has one; `None` if no hook has."""

    async def make(
        self,
        ticket: StartTicket,
        number: int,
        *,
        body: BodyHandling | None = None,
        ask_answer: bool = True,
    ) -> Result:
        """Make one attempt: call the hooks, send the request, release the token, and record what happened.

        The token is released as soon as the body has ended, so that a slow callback does not slow its host.
        """
        request = ticket.request
        response: Response | None = None
        failure: RequestError | None = None
        if self._start_origins is not None and isinstance(ticket, PageTicket) and is_start_page(request):
            self._start_origins.add(request.url)  # before its field sections are made
        observer = self._observer(ticket)
        token = current_observer.set(observer) if self._hooks.fetching else None
        result: Result | None
        try:
            result = await self.answer(request) if ask_answer and self._hooks.answering else None
            if result is None:
                result = await self._send(ticket, number, body or BodyHandling(), observer)
            if isinstance(result, Response):
                response = result
                log.debug("%s %s %s", response.status, request.method, request.url)
            elif observer is not None:  # a hook dropped, repeats or replaces the network's response: the limits
                response = observer.response  # still learn from it
        except RequestError as error:
            failure = error
            error.request = request
            log.debug("%s %s: %s: %s", request.method, request.url, error.reason, error)
            raise
        finally:
            if token is not None:
                current_observer.reset(token)
            if response is not None and ticket.permit.sent_at is None:  # a plugin answered
                self._downloader.note_start_page(request)
            self._frontier.release(ticket)
            if observer is not None and observer.failure is not None:  # it is recorded, whatever a hook made of it
                failure = None
            if response is not None or failure is not None:
                events = () if observer is None else observer.events
                self._accounting.record(ticket, request, response, failure, events)
        if ticket.permit.asks_recheck:
            await self._recheck(ticket)
        return result

    async def make_inline(
        self,
        ticket: InlineTicket,
        number: int,
        *,
        patience: float = math.inf,
        body: BodyHandling | None = None,
    ) -> Result:
        """Make an attempt of an inline fetch: wait for a token and a start of its lane, and settle its ticket."""
        give_up_at = trio.current_time() + patience
        lane, request = ticket.lane, ticket.request
        self._slots.check(self._slots.wait(lane, request), patience, lane, request)
        lane.open_tickets += 1
        try:
            await self._slots.acquire(ticket, give_up_at)
            await self._slots.start(ticket, give_up_at)
            return await self.make(ticket, number, body=body, ask_answer=False)
        finally:
            self._frontier.settle(ticket)
            self._slots.tokens.give_back(ticket)

    async def _recheck(self, forbidden: StartTicket) -> None:
        """Ask once more for a page that was served, to see whether a 403 is that of a ban. Its body is not used."""
        ticket = self._frontier.recheck_ticket(forbidden.lane, forbidden.now)
        try:
            if ticket is not None:
                await self.make_inline(ticket, 1, body=BodyHandling(truncate_at=1))
        except RequestError as error:
            log.debug("%s does not say whether %s bans: %s", error.request, forbidden.lane.name, error)
        finally:
            self._frontier.end_recheck(forbidden, None if ticket is None else ticket.permit.refused_by)

    # ---- hooks and network -------------------------------------------------------------------------------------------

    def _observer(self, ticket: StartTicket) -> _ExchangeObserver | None:
        """Return an observer of an attempt whose response is not simply that of the network; else `None`."""
        if self._hooks.fetching or self._downloader.credentials is not None:
            return _ExchangeObserver(ticket, self._slots, self._accounting)
        return None

    def _send(
        self,
        ticket: StartTicket,
        number: int,
        body: BodyHandling,
        observer: _ExchangeObserver | None,
    ) -> Coroutine[Any, Any, Result]:
        """Return the coroutine that sends the request through the `fetch` hooks."""
        on_sent = partial(self._accounting.note_sent, ticket)
        body.reservation = self._frontier.bodies.reservation(ticket)
        network: Network = partial(
            self._downloader.fetch,
            attempt=number,
            on_sent=on_sent,
            resend=not ticket.permit.is_paced(),
            body=body,
        )
        network = self._peers.guard(network, ticket, on_sent)
        if observer is None:
            return network(ticket.pending.request)
        if self._downloader.credentials is not None:
            network = self._authenticating(network, observer)
        if not self._hooks.fetching:
            return network(ticket.request)
        return self._through_hooks(ticket, observer.noting(network), body)

    async def _through_hooks(self, ticket: StartTicket, network: Network, body: BodyHandling) -> Result:
        """Send the request through the `fetch` hooks. While they send nothing, others may borrow its token."""

        async def send(request: Request) -> Response:
            await self._slots.tokens.take_back(ticket)
            if not ticket.permit.is_open:  # its start was returned to another request
                await self._slots.start(ticket)
            try:
                return await network(request)
            finally:
                self._slots.tokens.lend(ticket)

        self._slots.tokens.lend(ticket)
        try:
            return await self._hooks.fetch(ticket.request, send, body)
        finally:
            self._slots.tokens.end(ticket)

    def _authenticating(self, exchange: Network, observer: _ExchangeObserver) -> Network:
        """Return a `Network` that authenticates, which may take several exchanges."""
        from crawler.fetch.auth import send_authenticated  # noqa: PLC0415 - few crawls need it

        async def network(request: Request) -> Response:
            auth = self._downloader.auth_flow(request)
            if auth is None:
                return await exchange(request)
            return await send_authenticated(auth, request, exchange, observer.next_exchange)

        return network


class _ExchangeObserver(Struct, eq=False):
    """Observes the exchanges of one attempt.

    It notes what comes back before the `fetch` hooks see it, and records each exchange that authentication repeats.
    """

    ticket: StartTicket
    slots: Slots
    accounting: Accounting
    response: Response | None = None
    failure: RequestError | None = None
    events: Sequence[QuotaEvent] = ()
    """The events that the limits have found in the response."""

    def noting(self, network: Network) -> Network:
        """Return a `Network` whose response or error is noted.

        The limits learn from the response at once: a `fetch` hook may take long, and make requests that wait for them.
        """

        async def send(request: Request) -> Response:
            try:
                self.response = await network(request)
            except RequestError as error:
                self.failure = error
                self.accounting.record(self.ticket, request, None, error)
                raise
            if self.ticket.permit.is_open and self.ticket.is_sent:
                self.events = self.accounting.learn(self.ticket, self.response)
            return self.response

        return send

    def note_sent(self, at: float) -> None:
        """Note that a hook has sent the request, at a time of trio's clock."""
        self.accounting.note_sent(self.ticket, at)

    async def next_exchange(self, request: Request, response: Response) -> None:
        """Record the exchange so far, then wait for another start of the lane."""
        self.accounting.record(self.ticket, request, response, None)
        await self.slots.start(self.ticket)
