"""`Accounting`: records an exchange: in its permit, the statistics and the outages, and for the `measure` hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from crawler import urls
from crawler.engine.handler_results import describe_error, describe_wrong
from crawler.engine.hook_errors import faults
from crawler.engine.outages import MIN_OUTAGE_STATUS
from crawler.errors import BrokenExchange, CrawlFailed, FetchError, FetchTimeout, RequestError
from crawler.frontier import RobotsTicket
from crawler.messages import Pause, Request, Response, Stop, Usage
from crawler.walls.challenges import Challenges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crawler.clock import Clock
    from crawler.decision.decide import Policy
    from crawler.engine.outages import OutageMonitor
    from crawler.engine.quota_events import QuotaEvents
    from crawler.engine.shutdown import Shutdown
    from crawler.frontier import Frontier, StartTicket
    from crawler.hooks.table import Hook
    from crawler.limits.events import QuotaEvent
    from crawler.stats import Stats

__all__ = ["Accounting"]


class Accounting:
    """Counts what goes out, and lets limits, outages, statistics and `measure` hooks learn from what comes back."""

    def __init__(
        self,
        hooks: Sequence[Hook],
        frontier: Frontier,
        stats: Stats,
        shutdown: Shutdown,
        clock: Clock,
        outages: OutageMonitor,
        policy: Policy,
    ) -> None:
        self._hooks = hooks
        self._frontier = frontier
        self._stats = stats
        self._shutdown = shutdown
        self._clock = clock
        self._outages = outages
        self._policy = policy
        self._challenges = Challenges()
        self._quota_events: QuotaEvents | None = None

    def note_sent(self, ticket: StartTicket, at: float) -> None:
        """Note that bytes of a request may have gone out, for the first time or again, at a time of trio's clock."""
        now = self._clock.from_trio(at)
        if not ticket.permit.is_open:  # a hook that sends by itself: its start was returned to another request
            ticket.permit.take(now, reports=True)
        self._frontier.sent(ticket, now)
        counts = self._stats.lane(ticket.lane.name)
        self._stats.requests += 1
        counts.requests += 1

    def learn(self, ticket: StartTicket, response: Response, now: float | None = None) -> list[QuotaEvent]:
        """Let the limits learn from a response of the network, and return what they have noticed."""
        now = self._clock() if now is None else now
        network = self._frontier.outages.network
        if now >= network.answered_at + 0.1:  # while nothing fails, ten answers a second prove as much as all
            network.note_online(urls.origin(ticket.request.url), now)
        status, body = response.status, response.body
        if (wall := self._policy.wall(response)) is not None and status >= 400 and not isinstance(ticket, RobotsTicket):
            status, body = 404, b""  # no limit and no ban explains it, and no wait ends it
        events = self._frontier.answered(
            ticket, now, status=status, headers=response.headers, body=body, first_byte=response.first_byte
        )
        self._note_refusal(ticket, events)
        if wall is not None and wall.kind == "challenge":
            lane = ticket.lane.name
            self._frontier.block(lane, self._challenges.meet(lane, ticket.now, now))
        elif self._challenges and 200 <= status < 300:
            self._challenges.end(ticket.lane.name)
        return events

    def _note_refusal(self, ticket: StartTicket, events: list[QuotaEvent]) -> None:
        """Note what the limits have noticed, and count a refusal."""
        if ticket.permit.refused_by is not None:
            self._stats.lane(ticket.lane.name).refusals += 1
        if not events:
            return
        if self._quota_events is None:
            from crawler.engine.quota_events import QuotaEvents  # noqa: PLC0415 - most servers declare nothing

            reported = any(hook.plugin.reports_quotas for hook in self._hooks)
            self._quota_events = QuotaEvents(self._stats, is_logged=not reported)
        self._quota_events.note(events, self._clock())

    def record(
        self,
        ticket: StartTicket,
        request: Request,
        response: Response | None,
        error: RequestError | None,
        events: Sequence[QuotaEvent] = (),
    ) -> None:
        """Close the permit of an exchange unless that is done, count it, and call the `measure` hooks."""
        lane, frontier, now = ticket.lane, self._frontier, self._clock()
        is_sent = ticket.permit.sent_at is not None
        if error is not None:  # first: it decides when the lane is looked at again
            self._outages.failed(ticket, error, now)
        elif is_sent and response is not None and (frontier.outages.active or response.status >= MIN_OUTAGE_STATUS):
            self._outages.received(ticket, response, now)
        if ticket.permit.is_open:
            if is_sent and isinstance(error, FetchError) and error.is_refusal:
                events = frontier.refused(ticket, now)
                self._note_refusal(ticket, events)
            elif response is None:
                frontier.failed(ticket, now, overloaded=error is not None and _is_overload(error))
            elif is_sent:
                events = self.learn(ticket, response, now)
            else:
                frontier.refund(ticket)  # a plugin answered
        if lane.waited or self._hooks:
            self._report(ticket, request, response, error, events)

    def _report(
        self,
        ticket: StartTicket,
        request: Request,
        response: Response | None,
        error: RequestError | None,
        events: Sequence[QuotaEvent],
    ) -> None:
        """Count what the lane has waited for, and call the `measure` hooks."""
        lane = ticket.lane
        counts = self._stats.lane(lane.name)
        waited, lane.waited = lane.waited, {}
        for reason, seconds in waited.items():
            counts.waited[reason] = counts.waited.get(reason, 0.0) + seconds
        if not self._hooks:
            return
        usage = Usage(
            event="refused" if ticket.was_rate_limited else "error" if response is None else "answer",
            lane=lane.name,
            request=request,
            response=response,
            error=error,
            quotas=self._frontier.budgets.policies(lane, request),
            waited=waited,
            requests=counts.requests,
            refusals=counts.refusals,
        )
        self._measure(usage)
        for event in events:
            if event.kind not in ("refused", "concurrency"):
                self._measure(attrs.evolve(usage, event=event.kind, scope=event.scope, quota=event, waited={}))

    def _measure(self, usage: Usage) -> None:
        """Call the `measure` hooks. The longest pause wins."""
        pause: Pause | None = None
        for hook in self._hooks:
            try:
                answer = hook.call(usage)
            except faults() as error:
                raise CrawlFailed(f"{hook.plugin.name}.measure failed: {describe_error(error)}") from error
            if answer is not None and not isinstance(answer, (Stop, Pause)):
                raise CrawlFailed(f"{hook.plugin.name}.measure {describe_wrong(answer, 'a Pause or Stop')}")
            if isinstance(answer, Stop):
                self._shutdown.stop(answer.reason, by_limit=True)
            elif isinstance(answer, Pause) and (pause is None or answer.seconds > pause.seconds):
                pause = answer
        if pause is not None:
            scope = pause.scope or usage.lane
            self._frontier.block(scope, self._clock() + pause.seconds)


def _is_overload(error: RequestError) -> bool:
    """Return whether an error means that the server is overloaded."""
    if not isinstance(error, (FetchTimeout, BrokenExchange)) or not error.retryable:
        return False
    return error.kind not in {"bad_coding", "endless", "stale"}  # a faulty server, not a busy one
