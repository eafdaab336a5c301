"""`Commits`: commits outcomes with their counts, and with what has changed in the crawl as a whole, in one transaction.

Rule: the counts that the store has are those of the outcomes that it has, whenever the process is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from crawler.engine.admission import count_filtered
from crawler.engine.handler_results import describe_error
from crawler.errors import CrawlerError, CrawlFailed
from crawler.frontier import StoredTicket, current_ticket
from crawler.losses.find import EMPTY, NOTHING, PAGE, REFUSED, WALL
from crawler.outages.failed_attempt import GIVEN_UP_END
from crawler.stats import Stats
from crawler.store import CommitResult, Outcome
from crawler.store.outcome import DONE, INCOMPLETE, RETRY
from crawler.store.protocol import OK

if TYPE_CHECKING:
    from crawler.engine.checkpointer import Checkpointer
    from crawler.engine.peers import Peers
    from crawler.store import Committed

__all__ = ["CommitCalls", "Commits", "no_request"]

CommitFunction: TypeAlias = Callable[[list[Any]], object]

no_request: ContextVar[bool] = ContextVar("no_request", default=False)
"""Whether this task fetches a robots.txt, which is kept whether or not the request that needs it is settled."""


class CommitCalls:
    """The calls of `crawl.job.before_commit` that wait for a commit. Those of an interrupted request never happen."""

    def __init__(self) -> None:
        self._by_ticket: dict[StoredTicket, list[tuple[CommitFunction, object]]] = {}
        self._next: list[tuple[CommitFunction, object]] = []

    def __bool__(self) -> bool:
        return bool(self._by_ticket or self._next)

    def add(self, function: CommitFunction, value: object) -> None:
        """Call a function before the request of this task is settled; outside of a request, at the next commit."""
        ticket = None if no_request.get() else current_ticket.get()
        calls = self._next if ticket is None else self._by_ticket.setdefault(ticket, [])
        calls.append((function, value))

    def run(self, settled: Sequence[StoredTicket]) -> None:
        """Call each function once, with the values of the requests that are about to be settled, in order."""
        calls, self._next = self._next, []
        for ticket in settled:
            calls += self._by_ticket.pop(ticket, ())
        grouped: dict[CommitFunction, list[object]] = {}
        for function, value in calls:
            grouped.setdefault(function, []).append(value)
        for function, values in grouped.items():
            try:
                function(values)
            except CrawlerError:
                raise
            except Exception as error:
                name = getattr(function, "__qualname__", repr(function))
                raise CrawlFailed(f"{name} failed before a commit: {describe_error(error)}") from error

    def forget(self, ticket: StoredTicket) -> None:
        """Forget the calls of a request that was interrupted."""
        self._by_ticket.pop(ticket, None)


class Commits:
    """The only part that commits outcomes."""

    def __init__(self, peers: Peers, checkpointer: Checkpointer, stats: Stats, calls: CommitCalls) -> None:
        self.peers = peers
        self._checkpointer = checkpointer
        self._stats = stats
        self._calls = calls
        self._is_consistent = True  # whether the store has committed what the counts say

    async def commit(self, outcomes: Sequence[Outcome]) -> Committed:
        """Commit outcomes and all that has changed since the last commit."""
        stats = self._stats
        self._is_consistent = False
        self._add_lane_states(outcomes)
        if self._calls:
            self._calls.run([outcome.ticket for outcome in outcomes])
        for outcome in outcomes:
            self._count(outcome, stats)  # first: the commit stores the counts as well
        try:
            committed = await self.peers.commit(outcomes, self._checkpointer.checkpoint())
        except CrawlerError:  # a full disk, for instance
            for outcome in outcomes:
                self._discount(outcome)
            raise
        self._is_consistent = True
        if committed.duplicates:
            stats.filtered["duplicate"] += committed.duplicates
        for outcome, result in zip(outcomes, committed.results, strict=True):
            if result is not OK and result is not CommitResult.DUP:
                self._count_again(outcome, result)
        return committed

    async def keep_states(self) -> None:
        """Commit what lifespans have written to the states of plugins."""
        if self._checkpointer.has_new_states():
            await self.peers.commit([], self._checkpointer.checkpoint())

    async def finish(self) -> None:
        """Commit the last checkpoint, unless a commit has failed: the counts include its outcomes."""
        if self._is_consistent:
            self._calls.run(())
            await self.peers.commit([], self._checkpointer.checkpoint(whole=True))

    def _add_lane_states(self, outcomes: Sequence[Outcome]) -> None:
        """Add the state of each lane to its last outcome, and its quotas to the report."""
        last = {outcome.ticket.lane: outcome for outcome in outcomes}
        for lane, outcome in last.items():
            outcome.lane_state = lane.state()
            quotas = lane.throttle.policies()
            if quotas:
                self._stats.lane(lane.name).quotas = quotas

    # ---- counts ------------------------------------------------------------------------------------------------------

    def _count(self, outcome: Outcome, stats: Stats) -> None:
        stats.bytes += outcome.size
        if outcome.status:
            stats.statuses[outcome.status] += 1
            if outcome.status >= 300 and outcome.kind is DONE and not (outcome.page or outcome.redirect):  # a dead link
                stats.sample(f"status_{outcome.status}", outcome.ticket.request.url)
        count_filtered(outcome.filtered, stats)
        if outcome.repeats:
            stats.filtered["duplicate"] += outcome.repeats
        for reason in outcome.dropped:
            stats.dropped[reason] += 1
        if outcome.kind is RETRY:
            stats.retries += 1
            return
        stats.pages += outcome.page
        stats.dealt_with += outcome.is_success
        if outcome.redirect:
            stats.redirect(outcome.ticket.request.url, outcome.redirect, outcome.ticket.request.redirects)
        stats.items += len(outcome.items) + outcome.staged_items
        for name, n in outcome.counters.items():
            stats.counters[name] += n
        result = _result_of(outcome)
        if result:
            request = outcome.ticket.pending.request
            url = request.redirects[0] if request.redirects and result.startswith(WALL) else request.url
            stats.result(request.callback or "parse", result, url)
        if (failure := outcome.failure) is not None and outcome.page:
            stats.incomplete += 1
            stats.sample(INCOMPLETE, outcome.ticket.request.url)
        elif failure is not None:
            url = outcome.ticket.request.url
            is_unreachable = failure.message.endswith(GIVEN_UP_END) and not failure.traceback
            stats.fail(failure.reason, url, failure.full_reason, is_unreachable=is_unreachable)

    def _count_again(self, outcome: Outcome, result: CommitResult) -> None:
        """Correct the counts by an outcome that was not committed, or not with its effects."""
        self._discount(outcome)
        if result is CommitResult.SAME_CONTENT:
            effects = {"page": False, "items": [], "staged_items": 0, "filtered": [], "failure": None}
            self._count(replace(outcome, **effects), self._stats)
            self._stats.filter("duplicate_content", outcome.ticket.request.url)

    def _discount(self, outcome: Outcome) -> None:
        """Remove an outcome from the counts."""
        counted = Stats()
        self._count(outcome, counted)
        self._stats.subtract(counted)


def _result_of(outcome: Outcome) -> str:
    """Return what the response to a request gave, for `Stats.results`; empty if that is no one's loss."""
    if outcome.page:
        effects = outcome.items or outcome.discovered or outcome.repeats or outcome.filtered or outcome.stage
        if effects or outcome.counters or outcome.state or outcome.dropped:
            return PAGE
        return NOTHING if outcome.size else EMPTY
    if outcome.filtered and outcome.filtered[-1][0].startswith(WALL):
        return outcome.filtered[-1][0]
    return f"status_{outcome.status}" if outcome.status in REFUSED and outcome.kind is DONE else ""
