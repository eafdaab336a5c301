"""The worker: takes a ticket, asks, hands the answer to the handlers, sends an outcome to the writer.

It never changes the frontier or the store, but for giving a token back when a body has ended and putting back what it
could not finish.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import trio

from crawler import urls
from crawler.engine.retries import UNAVAILABLE, bad_status
from crawler.engine.slots import current_ticket
from crawler.errors import BadRedirect, BadStatus, FetchError, HookError, Refused, RequestError, WouldExceedDeadline
from crawler.frontier import Ticket
from crawler.http.address_guard import is_start_page
from crawler.http.redirects import redirect_request
from crawler.http.robots import DISALLOW_ALL, Robots
from crawler.messages import Drop, Failure, Request, Response, Retry
from crawler.messages.link_filter import LinkFilter
from crawler.messages.request import copy_unchecked
from crawler.store import FailureRow, Kind, Outcome

if TYPE_CHECKING:
    from crawler.engine.body_dedup import BodyDeduplicator
    from crawler.engine.crawl import RunningCrawl
    from crawler.engine.page import PageResult
    from crawler.engine.writer import Message

__all__ = ["Worker"]

MOST_PUT_OFFS: Final = 20
"""How often a page is put back for an inline fetch that has to wait, before that is a failure."""
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
        outcome = Outcome(kind=Kind.REFUSED, ticket=ticket, attempts=ticket.pending.attempts)
        if ticket.refused:
            await self._refused(ticket, outcome)
            return outcome
        outcome.attempts += 1
        try:
            answer = await self._crawl.attempts.make(ticket, outcome.attempts)
            if isinstance(answer, Response):
                outcome.status, outcome.size = answer.status, len(answer.body)
                await self._answered(answer, ticket, outcome)
            elif isinstance(answer, Drop):
                outcome.filtered.append((answer.reason, ticket.request.url))
            else:
                await self._again(answer, ticket, outcome, None)
        except RequestError as error:
            if isinstance(error, Refused) and error.by == "network":
                outcome.attempts -= 1
                await self._kept_out(error, ticket, outcome)
            else:
                await self._again(error, ticket, outcome, None)
        return outcome

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

    async def _refused(self, ticket: Ticket, outcome: Outcome) -> None:
        """A robots.txt forbids it; or there was none to be had, since its origin cannot be reached."""
        request = ticket.request
        if ticket.refused == "quota":
            outcome.kind = Kind.FAILED
            stalled = Refused(f"{ticket.lane.name} has refused everything for a long time", by="quota", request=request)
            await self._failed(Failure(request=request, error=stalled, attempts=outcome.attempts), outcome)
            return
        origin, lane = urls.origin(request.url), ticket.lane
        found = lane.robots.get(origin) or lane.stale.get(origin)
        rules = found if isinstance(found, Robots) else DISALLOW_ALL
        error = rules.refusal(request)
        if isinstance(error, Refused) and (error.by == "network" or rules.error is None):
            await self._kept_out(error, ticket, outcome)
            return
        if isinstance(error, Refused):  # by a server that could not say what it allows: the page may be had one day
            outcome.filtered.append((error.by, request.url))
        outcome.kind = Kind.FAILED
        await self._failed(Failure(request=request, error=error, attempts=outcome.attempts), outcome)

    async def _kept_out(self, error: Refused, ticket: Ticket, outcome: Outcome) -> None:
        """It is not asked for: that is no failure, and counted by who said so."""
        request = ticket.request
        log.debug("refused by %s: %s: %s", error.by, request.url, error)
        outcome.kind = Kind.REFUSED
        outcome.filtered.append((error.by, request.url))
        if request.errback is not None:
            await self._failed(Failure(request=request, error=error, attempts=outcome.attempts), outcome)

    async def _answered(self, response: Response, ticket: Ticket, outcome: Outcome) -> None:
        """A status came back: a page, a redirect, an error for good, or one that may heal."""
        crawl = self._crawl
        request = ticket.request
        excuse = ticket.was_refused and 200 <= response.status < 300  # an error in the body of a success
        if crawl.accepts(response) and not excuse:
            target = crawl.refreshed(response)
            if target is not None:
                await self._redirected(target, response, ticket, outcome)
            elif crawl.contents is not None and _is_compared(response, crawl.spider.waypoints):
                await self._new_page(response, crawl.contents, ticket, outcome)
            else:
                await self._page(response, ticket, outcome)
            return
        try:
            target = (
                None if ticket.was_refused else redirect_request(response, max_redirects=crawl.settings.max_redirects)
            )
        except BadRedirect as bad:
            await self._again(bad, ticket, outcome, response)
            return
        if target is not None:
            await self._redirected(target, response, ticket, outcome)
            return
        error = bad_status(response, crawl.clock())
        if error.retryable or ticket.was_refused:
            await self._again(error, ticket, outcome, response)
        else:
            outcome.kind = Kind.DONE
            await self._failed(
                Failure(request=request, error=error, attempts=outcome.attempts, response=response), outcome
            )

    async def _redirected(self, target: Request, response: Response, ticket: Ticket, outcome: Outcome) -> None:
        """The target becomes a request of its own, in the commit that settles the one that led to it.

        If it may not be asked for, the errback is told, since the callback will not be reached.
        """
        crawl = self._crawl
        request = ticket.request
        log.debug("%s %s leads to %s", response.status, request.url, target.url)
        outcome.kind = Kind.DONE
        outcome.redirect = target.url
        if not target.dont_filter and target.key in crawl.store.known:
            outcome.filtered.append(("duplicate", target.url))  # with a sample, unlike a link that is known
            return
        outcome.discovered = crawl.admission.admit([target], outcome.filtered)
        if not outcome.discovered and request.errback is not None:
            reason = outcome.filtered[-1][0]
            refused = Refused(f"{request.url} leads to {target.url}, which is refused: {reason}", by=reason)
            refused.request = target
            failure = Failure(request=request, error=refused, attempts=outcome.attempts, response=response)
            await self._failed(failure, outcome)

    async def _new_page(self, response: Response, contents: BodyDeduplicator, ticket: Ticket, outcome: Outcome) -> None:
        """A page, unless its body is that of another one."""
        digest = await contents.claim(response.body)
        if digest is None:
            outcome.kind = Kind.DONE
            outcome.filtered.append(("duplicate_content", response.url))
            return
        try:
            await self._page(response, ticket, outcome)
        finally:
            if outcome.page:
                outcome.digest = digest
                contents.keep(digest)
            else:
                contents.give_up(digest)

    async def _page(self, response: Response, ticket: Ticket, outcome: Outcome) -> None:
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
            late = _too_late(error.__cause__)
            if late is not None and ticket.pending.put_offs < MOST_PUT_OFFS:  # an inline fetch has to wait too long
                ticket.pending.put_offs += 1
                outcome.kind, outcome.not_before = Kind.RETRY, late
                outcome.attempts -= 1
                _unspill(outcome)
                return
            crawl.log_failure(error, response.url)
            outcome.kind = Kind.FAILED
            _unspill(outcome)
            failure = Failure(request=ticket.request, error=error, attempts=outcome.attempts, response=response)
            await self._failed(failure, outcome, errback=False)
            return
        if products.retry is not None:
            _unspill(outcome)
            await self._again(products.retry, ticket, outcome, response)
            return
        outcome.kind = Kind.DONE
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

    async def _again(
        self, error: RequestError | Retry, ticket: Ticket, outcome: Outcome, response: Response | None
    ) -> None:
        """Another attempt, if there is one; else it has failed for good."""
        crawl = self._crawl
        if ticket.was_refused and isinstance(error, BadStatus):
            stalled = ticket.lane.throttle.is_stalled(crawl.clock())
            if not stalled and crawl.retries.goes_back(ticket.request, error, ticket.pending.refusals):
                log.debug("refused with %s, it goes back: %s", error.status, ticket.request.url)
                ticket.pending.refusals += 1
                outcome.kind = Kind.RETRY
                outcome.attempts -= 1
                if error.retry_after is None and error.status == UNAVAILABLE:  # others are to show whether it is alone
                    outcome.not_before = crawl.clock() + crawl.retries.pause(ticket.pending.refusals)
                return
        if crawl.retries.goes_at_once(ticket.request, error, ticket.pending.stale):
            log.debug("its connection was closed, again at once: %s", ticket.request.url)
            ticket.pending.stale += 1
            outcome.kind = Kind.RETRY
            outcome.attempts -= 1
            return
        wait = crawl.retries.wait(ticket.request, outcome.attempts, error)
        if wait is not None:
            log.debug("again in %.1f s: %s", wait, ticket.request.url)
            outcome.kind, outcome.not_before = Kind.RETRY, crawl.clock() + wait
            return
        if isinstance(error, Retry):
            error = FetchError(f"still to be retried: {error.reason}", request=ticket.request)
        if isinstance(error, HookError):
            crawl.log_failure(error, ticket.request.url)
        outcome.kind = Kind.FAILED
        await self._failed(
            Failure(request=ticket.request, error=error, attempts=outcome.attempts, response=response), outcome
        )

    async def _failed(self, failure: Failure, outcome: Outcome, *, errback: bool = True) -> None:
        """Tells the errback and the plugins; what they make is kept."""
        crawl = self._crawl
        error = failure.error
        if outcome.kind is Kind.FAILED:
            outcome.failure = FailureRow(
                reason=failure.reason,
                message=str(error),
                traceback=failure.traceback,
                full_reason=error.full_reason if error.kind else "",
            )
            if not isinstance(error, HookError):
                log.info("failed: %s: %s", failure.request.url, error)
        name = failure.request.errback if errback else None
        if name is None and not crawl.table.failed:
            return
        told = await crawl.handlers.failure(failure, name)
        for hook_error in told.raised:
            crawl.log_failure(hook_error, failure.request.url)
        if told.errback_raised and outcome.kind in (Kind.DONE, Kind.REFUSED):
            outcome.kind = Kind.FAILED
            outcome.failure = FailureRow(reason="hook_error", message=str(told.raised[0]))
        _deepen(told.products.requests, failure.request)
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


def _too_late(error: BaseException | None) -> float | None:
    """Seconds: when what an inline fetch had to wait for may start, if that is all that is wrong."""
    if isinstance(error, WouldExceedDeadline):
        return error.retry_at
    if isinstance(error, ExceptionGroup):
        times = [_too_late(inner) for inner in error.exceptions]
        return None if None in times else max(time for time in times if time is not None)
    return None
