"""`Worker`: takes a ticket, makes an attempt, and turns the result into an outcome for the writer.

A worker changes neither the store nor the frontier, except that it puts back a ticket that it could not finish.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

import trio

from crawler.decision.decide import decide
from crawler.decision.decisions import Again, Decision, Fail, Follow, Page, Refuse
from crawler.decision.facts import Facts
from crawler.errors import CrawlFailed, HookError, Refused, RequestError
from crawler.files import full_disk_cause
from crawler.frontier import PageTicket, RefusedTicket, RobotsTicket, current_ticket
from crawler.logs import get_logger
from crawler.messages import Failure, Request, Response, Retry
from crawler.store import FailureRow, Kind, Outcome
from crawler.store.outcome import DONE, INCOMPLETE

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.decision.decide import Policy
    from crawler.engine.admission import Admission
    from crawler.engine.attempt import Attempts, Result
    from crawler.engine.body_dedup import BodyDeduplicator
    from crawler.engine.commits import CommitCalls
    from crawler.engine.page import PageRunner
    from crawler.engine.robots import RobotsFetcher
    from crawler.engine.writer import Message
    from crawler.frontier import Frontier, PoppedTicket, StoredTicket

__all__ = ["Inbox", "Outbox", "Worker"]

Inbox: TypeAlias = "trio.MemoryReceiveChannel[PoppedTicket]"
Outbox: TypeAlias = "trio.MemorySendChannel[Message]"
log = get_logger("crawler.engine")


class Worker:
    """Fetches and handles pages, one at a time. Each of its tasks runs `run` with channels of its own."""

    def __init__(
        self,
        frontier: Frontier,
        attempts: Attempts,
        pages: PageRunner | BodyDeduplicator,
        robots: RobotsFetcher,
        admission: Admission,
        policy: Policy,
        clock: Clock,
        commits: CommitCalls,
    ) -> None:
        self._frontier = frontier
        self._attempts = attempts
        self._pages = pages
        self._robots = robots
        self._admission = admission
        self._policy = policy
        self._clock = clock
        self._commits = commits
        self._cut_lanes: set[str] = set()  # those of which a page was cut

    async def run(self, inbox: Inbox, outbox: Outbox) -> None:
        """Work until the scheduler closes its end of `inbox`."""
        with inbox, outbox:
            while True:
                self._frontier.changed.set()  # the scheduler pops only while a worker waits
                try:
                    ticket = await inbox.receive()
                except trio.EndOfChannel:
                    return
                await self._work(ticket, outbox)

    async def _work(self, ticket: PoppedTicket, outbox: Outbox) -> None:
        """Turn one ticket into an outcome and send that. In any other case the ticket is put back."""
        if isinstance(ticket, RobotsTicket):
            await self._robots.fetch(ticket)
            return
        if isinstance(ticket, RefusedTicket) and self._robots.forgets_refusal(ticket):
            self._frontier.put_back(ticket)
            return
        outcome: Outcome | None = None
        token = current_ticket.set(ticket)
        try:
            outcome = await self._outcome_of(ticket)
        finally:
            current_ticket.reset(token)
            if outcome is None:
                self._commits.forget(ticket)
                self._frontier.put_back(ticket)
        try:
            outbox.send_nowait(outcome)  # without a shield, which is costly: mostly there is room
        except trio.WouldBlock:
            await self._send(outcome, outbox)
        except trio.BrokenResourceError:  # the writer has failed
            self._frontier.put_back(ticket)

    async def _send(self, outcome: Outcome, outbox: Outbox) -> None:
        """Send an outcome. No cancellation loses what a handler has finished: the writer outlives the workers."""
        try:
            with trio.CancelScope(shield=True):
                await outbox.send(outcome)
        except trio.BrokenResourceError:
            self._frontier.put_back(outcome.ticket)

    async def _outcome_of(self, ticket: StoredTicket) -> Outcome:
        pending = ticket.pending
        outcome = Outcome(kind=DONE, ticket=ticket, attempts=pending.attempts)
        response: Response | None = None
        result: Result | RequestError | None = None
        if isinstance(ticket, RefusedTicket):
            decision = self._decide_unsent(ticket)
        else:
            outcome.attempts = pending.attempts + 1
            result = await self._attempt(ticket, outcome.attempts) if ticket.kept is None else ticket.kept
            if isinstance(result, Response):
                response = result
                outcome.status, outcome.size = response.status, len(response.body)
            decision = self._decide(result, ticket, outcome)
            while isinstance(decision, Page):  # twice if a reader finds that the page was cut, and it is to be kept
                if (fault := await self._run_page(decision.response, outcome)) is None:
                    break
                decision = self._decide(fault, ticket, outcome)
        if isinstance(decision, Page):
            if outcome.page and not decision.response.complete:
                self._note_incomplete(decision.response, outcome)
        else:
            await self._carry_out(decision, response, outcome)
        if outcome.state and isinstance(ticket, PageTicket):
            ticket.kept = result
        return outcome

    async def _attempt(self, ticket: PageTicket, number: int) -> Result | RequestError:
        """Return what the attempt of that number gives."""
        try:
            return await self._attempts.make(ticket, number)
        except RequestError as error:
            _end_if_disk_is_full(error)
            return error

    def _decide(self, result: Result | RequestError, ticket: PageTicket, outcome: Outcome) -> Decision:
        """Return the decision about a request after an attempt, or after its page. Most are plain pages."""
        if isinstance(result, Response) and self._policy.is_plain_page(result, ticket):
            return Page(result)
        now = self._clock()
        return decide(result, Facts.of(ticket, outcome.attempts, now), self._policy, now)

    def _decide_unsent(self, ticket: RefusedTicket) -> Decision:
        """Return the decision about a request that must not be sent."""
        error = self._robots.refusal(ticket) if ticket.error is None else ticket.error
        facts = Facts(request=ticket.request, attempts=ticket.pending.attempts, is_sent=False)
        return decide(error, facts, self._policy, self._clock())

    def _note_incomplete(self, response: Response, outcome: Outcome) -> None:
        """Let a page that was cut be counted, and warn of the first of each lane."""
        outcome.status, outcome.size = response.status, len(response.body)
        length = None if "content-encoding" in response.headers else response.headers.get("content-length")
        came = f"{outcome.size} bytes" if length in (None, str(outcome.size)) else f"{outcome.size} of {length} bytes"
        outcome.failure = FailureRow(reason=INCOMPLETE, message=f"kept {came}")
        lane = outcome.ticket.lane.name
        level = logging.DEBUG if lane in self._cut_lanes else logging.WARNING
        self._cut_lanes.add(lane)
        log.log(level, "kept what came of a page of %s, %s: %s", lane, came, response.url)

    async def _run_page(self, response: Response, outcome: Outcome) -> Retry | RequestError | None:
        """Run the handlers of a page. Return why its request is not done; `None`: it is."""
        try:
            return await self._pages.run(response, outcome)
        except HookError as error:
            _end_if_disk_is_full(error)
            return error

    async def _carry_out(self, decision: Decision, response: Response | None, outcome: Outcome) -> None:
        """Make a decision part of the outcome."""
        pending = outcome.ticket.pending
        match decision:
            case Follow(target):
                await self._follow(target, response, outcome)
            case Again():
                self._send_again(decision, outcome)
            case Fail(error):
                outcome.kind = Kind.FAILED if decision.counted else Kind.DONE
                if decision.filtered_by:
                    outcome.filtered.append((decision.filtered_by, pending.request.url))
                await self._fail(error, response, outcome, calls_errback=decision.calls_errback)
            case Refuse(by, error, is_success):
                outcome.is_success = is_success
                log.debug("refused by %s: %s", by, pending.request.url)
                outcome.kind = Kind.REFUSED
                outcome.filtered.append((by, pending.request.url))
                if error is not None:  # nothing was sent
                    outcome.attempts = pending.attempts
                    if pending.request.errback is not None:
                        await self._fail(error, None, outcome)

    def _send_again(self, decision: Again, outcome: Outcome) -> None:
        reason, wait, pending = decision.reason, decision.wait, outcome.ticket.pending
        log.debug("again in %.1f s (%s): %s", wait or 0.0, reason, pending.request.url)
        outcome.kind = Kind.RETRY
        if wait is not None:
            outcome.not_before = self._clock() + wait
        pending.book(reason)
        pending.is_behind = decision.is_behind
        outcome.attempts = pending.attempts

    async def _follow(self, target: Request, response: Response | None, outcome: Outcome) -> None:
        """Add the target of a redirect, in the commit that settles its origin.

        If the target is refused, the errback is called, since no callback will be.
        """
        request = outcome.ticket.request
        log.debug("%s leads to %s", request.url, target.url)
        outcome.redirect = target.url
        if self._admission.is_known(target):
            outcome.filtered.append(("duplicate", target.url))  # listed, unlike a link that is known
            return
        outcome.discovered = self._admission.admit([target], outcome.filtered)
        if not outcome.discovered and request.errback is not None:
            by = outcome.filtered[-1][0]
            refused = Refused(f"{request.url} leads to {target.url}, which is refused: {by}", by=by, request=target)
            await self._fail(refused, response, outcome)

    async def _fail(
        self, error: RequestError, response: Response | None, outcome: Outcome, *, calls_errback: bool = True
    ) -> None:
        """Call the handlers of a failure. What they make of it becomes part of the outcome."""
        request = outcome.ticket.request
        failure = Failure(request=request, error=error, attempts=outcome.attempts, response=response)
        await self._pages.fail(failure, outcome, calls_errback=calls_errback)


def _end_if_disk_is_full(error: RequestError) -> None:
    """End the crawl if a callback or hook could not write: each further page would fail in the same way."""
    full = full_disk_cause(error) if isinstance(error, HookError) else None
    if isinstance(error, HookError) and full is not None:
        raise CrawlFailed(f"{error.plugin}.{error.hook}: the disk is full ({full})") from error
