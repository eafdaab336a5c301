"""The worker: takes a ticket, asks, hands the answer to the handlers, sends an outcome to the writer.

It never changes the frontier or the store, but for giving a token back when a body has ended and putting back what it
could not finish.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from crawler import urls
from crawler.engine.decision import (
    Again,
    Counter,
    Decision,
    Fail,
    Follow,
    History,
    Page,
    Refuse,
    decide,
    decide_page_error,
    fail_by_quota,
    refuse_by_robots,
    retry_or_fail,
)
from crawler.engine.slots import current_ticket
from crawler.errors import HookError, Refused, RequestError
from crawler.frontier import Ticket
from crawler.http.address_guard import is_start_page
from crawler.http.robots import DISALLOW_ALL, Robots
from crawler.messages import Drop, Failure, Request, Response, Retry
from crawler.messages.link_filter import LinkFilter
from crawler.messages.request import copy_unchecked
from crawler.store import FailureRow, Kind, Outcome

if TYPE_CHECKING:
    from crawler.engine.crawl import RunningCrawl
    from crawler.engine.page import PageResult
    from crawler.engine.writer import Message

__all__ = ["Worker"]

log = logging.getLogger("crawler.engine")


class Worker:
    """One of the tasks that fetch and parse.

    Parameters:
        crawl: the parts of the running crawl.
        ready: tickets from the dispatcher, one at a time.
        outcomes: to the writer.
    """

    def __init__(
        self,
        crawl: RunningCrawl,
        ready: trio.MemoryReceiveChannel[Ticket],
        outcomes: trio.MemorySendChannel[Message],
    ) -> None:
        self._crawl = crawl
        self._ready = ready
        self._outcomes = outcomes

    async def run(self) -> None:
        """Works until the dispatcher closes its end."""
        frontier = self._crawl.frontier
        with self._ready, self._outcomes:
            while True:
                frontier.changed.set()  # the dispatcher pops only while a worker waits
                try:
                    ticket = await self._ready.receive()
                except trio.EndOfChannel:
                    return
                await self._work(ticket)

    async def _work(self, ticket: Ticket) -> None:
        """One ticket, from hand to hand: it is put back unless its outcome was sent."""
        crawl = self._crawl
        if ticket.robots:
            await crawl.robots.ask(ticket)
            return
        if ticket.refused and self._forgets_robots(ticket):
            crawl.frontier.put_back(ticket)
            return
        outcome: Outcome | None = None
        token = current_ticket.set(ticket)
        try:
            outcome = await self._outcome(ticket)
        finally:
            current_ticket.reset(token)
            if outcome is None:
                crawl.frontier.put_back(ticket)
        try:
            await self._hand_over(outcome)
        except trio.BrokenResourceError:  # the writer had to give up
            crawl.frontier.put_back(ticket)

    async def _hand_over(self, outcome: Outcome) -> None:
        """What a handler has finished is not lost to a cancel: the writer outlives the workers."""
        try:
            self._outcomes.send_nowait(outcome)  # no shield is needed, and there is mostly room
        except trio.WouldBlock:
            with trio.CancelScope(shield=True):
                await self._outcomes.send(outcome)

    async def _outcome(self, ticket: Ticket) -> Outcome:
        """What becomes of the request of a ticket."""
        crawl, request, pending = self._crawl, ticket.request, ticket.pending
        outcome = Outcome(kind=Kind.DONE, ticket=ticket, attempts=pending.attempts)
        history = History(
            request=request,
            attempts=pending.attempts,
            refusals=pending.refusals,
            stale=pending.stale,
            put_offs=pending.put_offs,
        )
        if ticket.refused:
            await self._carry_out(self._refuse(ticket), None, history, outcome)
            return outcome
        outcome.attempts = history.attempts = pending.attempts + 1
        response: Response | None = None
        result: Response | Retry | Drop | RequestError
        try:
            result = await crawl.attempts.make(ticket, outcome.attempts)
        except RequestError as error:
            result = error
        if isinstance(result, Response):
            response = result
            outcome.status, outcome.size = response.status, len(response.body)
        now = crawl.clock()
        history.was_rate_limited = ticket.was_refused
        history.is_stalled = ticket.was_refused and ticket.lane.throttle.is_stalled(now)
        await self._carry_out(decide(result, history, crawl.policy, now), response, history, outcome)
        return outcome

    def _refuse(self, ticket: Ticket) -> Fail | Refuse:
        """A request that the frontier has not let through."""
        if ticket.refused == "quota":
            return fail_by_quota(ticket.request, ticket.lane.name)
        lane, origin = ticket.lane, urls.origin(ticket.request.url)
        rules = lane.robots.get(origin) or lane.stale.get(origin)
        return refuse_by_robots(ticket.request, rules if isinstance(rules, Robots) else DISALLOW_ALL)

    async def _carry_out(
        self, decision: Decision, response: Response | None, history: History, outcome: Outcome
    ) -> None:
        """Turn a decision into the outcome of the ticket."""
        match decision:
            case Page():
                assert response is not None
                await self._unless_known(response, history, outcome)
            case Follow(target):
                assert response is not None
                await self._follow(target, response, outcome)
            case Again(counts, wait):
                self._again(counts, wait, outcome)
            case Fail(error):
                outcome.kind = Kind.FAILED if decision.counted else Kind.DONE
                if decision.filtered_by:
                    outcome.filtered.append((decision.filtered_by, history.request.url))
                await self._fail(error, response, outcome, errback=decision.calls_errback)
            case Refuse(by, error):
                outcome.kind = Kind.REFUSED
                outcome.filtered.append((by, history.request.url))
                if error is not None:  # nothing was sent
                    outcome.attempts = outcome.ticket.pending.attempts
                    if history.request.errback is not None:
                        await self._fail(error, None, outcome)

    @staticmethod
    def _forgets_robots(ticket: Ticket) -> bool:
        """Whether a robots.txt is to be asked for again: no link may lead to its network, but a start page is there."""
        request, rules = ticket.request, ticket.lane.robots.get(urls.origin(ticket.request.url))
        error = rules.error if isinstance(rules, Robots) else None
        if not isinstance(error, Refused) or error.request is None or not is_start_page(request):
            return False
        if error.request.redirects or error.request.depth == 0:
            return False
        del ticket.lane.robots[urls.origin(request.url)]
        return True

    def _again(self, counts: Counter, wait: float | None, outcome: Outcome) -> None:
        """The request goes back to its lane."""
        pending = outcome.ticket.pending
        log.debug("again in %.1f s (%s): %s", wait or 0.0, counts, pending.request.url)
        outcome.kind = Kind.RETRY
        if wait is not None:
            outcome.not_before = self._crawl.clock() + wait
        if counts != "attempts":
            outcome.attempts = pending.attempts
            setattr(pending, counts, getattr(pending, counts) + 1)

    async def _follow(self, target: Request, response: Response, outcome: Outcome) -> None:
        """The target becomes a request of its own, in the commit that settles the one that led to it.

        If it may not be asked for, the errback is told, since the callback will not be reached.
        """
        crawl = self._crawl
        request = outcome.ticket.request
        log.debug("%s %s leads to %s", response.status, request.url, target.url)
        outcome.redirect = target.url
        if not target.dont_filter and target.key in crawl.store.known:
            outcome.filtered.append(("duplicate", target.url))  # with a sample, unlike a link that is known
            return
        outcome.discovered = crawl.admission.admit([target], outcome.filtered)
        if not outcome.discovered and request.errback is not None:
            reason = outcome.filtered[-1][0]
            refused = Refused(f"{request.url} leads to {target.url}, which is refused: {reason}", by=reason)
            refused.request = target
            await self._fail(refused, response, outcome)

    async def _unless_known(self, response: Response, history: History, outcome: Outcome) -> None:
        """A page, unless its body is that of another one."""
        bodies = self._crawl.contents
        if bodies is None or not _is_compared(response, self._crawl.spider.waypoints):
            await self._page(response, history, outcome)
            return
        digest = await bodies.claim(response.body)
        if digest is None:
            outcome.filtered.append(("duplicate_content", response.url))
            return
        try:
            await self._page(response, history, outcome)
        finally:
            if outcome.page:
                outcome.digest = digest
                bodies.keep(digest)
            else:
                bodies.give_up(digest)

    async def _page(self, response: Response, history: History, outcome: Outcome) -> None:
        """Runs the handlers of a page; their effects become the outcome's, or none does."""
        crawl = self._crawl
        link_filter = LinkFilter(
            crawl.store.known,
            crawl.admission.scope.refuses,
            agent=crawl.agent,
            obey_nofollow=crawl.settings.obey_nofollow,
        )
        response._bind(link_filter)  # noqa: SLF001 - not for users
        try:
            products = await crawl.handlers.page(response, self._spill(response, outcome))
            requests = self._checked(products, response)
        except HookError as error:
            _unspill(outcome)
            await self._carry_out(decide_page_error(error, history, crawl.clock()), response, history, outcome)
            return
        if products.retry is not None:
            _unspill(outcome)
            decision = retry_or_fail(products.retry, history, crawl.policy.retries)
            await self._carry_out(decision, response, history, outcome)
            return
        outcome.page = True
        outcome.repeats = link_filter.repeats
        outcome.filtered += link_filter.refused
        self._keep(products, requests, outcome)

    def _spill(self, response: Response, outcome: Outcome) -> Callable[[PageResult], Awaitable[None]]:
        """What takes the effects of a page that makes many to the store, where only its outcome makes them true."""
        crawl = self._crawl

        async def spill(products: PageResult) -> None:
            requests = crawl.admission.admit(self._checked(products, response), outcome.filtered)
            outcome.stage = outcome.stage or next(crawl.stages)
            outcome.staged_items += len(products.items)
            await crawl.store.stage(outcome.stage, products.items, requests)
            products.items, products.requests = [], []

        return spill

    def _checked(self, products: PageResult, response: Response) -> list[Request]:
        """The requests of a page, if each names callbacks that exist."""
        crawl = self._crawl
        _deepen(products.requests, response.request)
        for request in products.requests:
            try:
                crawl.handlers.callback(request.callback)
                if request.errback is not None:
                    crawl.handlers.callback(request.errback)
            except LookupError as error:
                raise HookError(
                    str(error), plugin=crawl.spider.name, hook=response.request.callback or "parse", request=request
                ) from None
        return products.requests

    def _keep(self, products: PageResult, requests: list[Request], outcome: Outcome) -> None:
        crawl = self._crawl
        outcome.items = products.items
        outcome.dropped = products.dropped
        outcome.counters = products.effects.counters
        outcome.state = products.state
        if products.state:
            for state in crawl.handlers.states:
                state.apply(products.state.get(state.owner, {}))
        if requests:
            outcome.discovered = crawl.admission.admit(requests, outcome.filtered)

    async def _fail(
        self, error: RequestError, response: Response | None, outcome: Outcome, *, errback: bool = True
    ) -> None:
        """Tells the errback and the plugins; what they make is kept."""
        crawl = self._crawl
        request = outcome.ticket.request
        failure = Failure(request=request, error=error, attempts=outcome.attempts, response=response)
        if outcome.kind is Kind.FAILED:
            outcome.failure = FailureRow(
                reason=failure.reason,
                message=str(error),
                traceback=failure.traceback,
                full_reason=error.full_reason if error.kind else "",
            )
            if isinstance(error, HookError):
                crawl.log_failure(error, request.url)
            else:
                log.info("failed: %s: %s", request.url, error)
        name = request.errback if errback else None
        if name is None and not crawl.table.failed:
            return
        told = await crawl.handlers.failure(failure, name)
        for hook_error in told.raised:
            crawl.log_failure(hook_error, request.url)
        if told.errback_raised and outcome.kind in (Kind.DONE, Kind.REFUSED):
            outcome.kind = Kind.FAILED
            outcome.failure = FailureRow(reason="hook_error", message=str(told.raised[0]))
        _deepen(told.products.requests, request)
        self._keep(told.products, told.products.requests, outcome)


def _is_compared(response: Response, waypoints: frozenset[str]) -> bool:
    """Whether a page with the same body as another is the same page. What lists pages lists others on another host."""
    request = response.request
    return bool(response.body) and not request.dont_filter and request.callback not in waypoints


def _deepen(requests: list[Request], parent: Request) -> None:
    """Requests that were made without `follow` are one link deeper than what they come from all the same."""
    for index, request in enumerate(requests):
        if request.depth == 0:
            requests[index] = copy_unchecked(request, depth=parent.depth + 1)


def _unspill(outcome: Outcome) -> None:
    """Forgets what a page has made so far: none of its effects becomes true."""
    outcome.stage = outcome.staged_items = 0
    outcome.filtered.clear()
