"""`Writer`: commits outcomes in batches, and pushes the discovered requests to the frontier.

It has no timer: it commits what arrived while the previous commit ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import trio
from msgspec import Struct
from msgspec.structs import replace

from crawler.engine.admission import ADMIT_FAILED
from crawler.errors import CrawlerError
from crawler.messages import Request
from crawler.stats import Stats
from crawler.store import CommitResult, Outcome
from crawler.store.outcome import DONE, RETRY
from crawler.store.protocol import CONFLICT, OK

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.engine.admission import Admission
    from crawler.engine.checkpointer import Checkpointer
    from crawler.engine.commit_calls import CommitCalls
    from crawler.engine.page import Pages
    from crawler.engine.peers import Peers
    from crawler.engine.shutdown import Shutdown
    from crawler.engine.sinks import SinkRunner
    from crawler.frontier import Frontier
    from crawler.settings import Settings
    from crawler.store import Store

__all__ = ["Message", "NewRequests", "Writer"]

MAX_BATCH: Final = 64
"""Outcomes in one commit."""
MAX_BATCH_BYTES: Final = 32 * 1024**2
"""Bytes of items in one commit, after which it takes no further outcome: servers of jobs limit the size of a call."""


class NewRequests(Struct, frozen=True, eq=False):
    """Requests that no page made: those of `start()`, and those that `crawl.add` was given."""

    requests: list[Request]
    """Requests to make, unless they are known."""
    last: bool = False
    """Whether `start()` has no more."""


Message: TypeAlias = Outcome | NewRequests


class Writer:
    """The only part that commits to the store and pushes to the frontier."""

    def __init__(
        self,
        store: Store,
        frontier: Frontier,
        admission: Admission,
        checkpointer: Checkpointer,
        stats: Stats,
        settings: Settings,
        shutdown: Shutdown,
        sinks: SinkRunner,
        clock: Clock,
        commits: CommitCalls,
        peers: Peers,
        pages: Pages,
    ) -> None:
        self._store = store
        self._frontier = frontier
        self._admission = admission
        self._checkpointer = checkpointer
        self._stats = stats
        self._settings = settings
        self._shutdown = shutdown
        self._sinks = sinks
        self._clock = clock
        self._commits = commits
        self._peers = peers
        self._pages = pages
        self._is_consistent = True  # whether the store has committed what the counts say
        self.arriving = 0
        """`NewRequests` on their way here."""
        self.starts = 0
        """Start requests that are not settled."""

    async def run(
        self,
        messages: trio.MemoryReceiveChannel[Message],
        *,
        task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Work until all senders have closed their ends. Shielded; `started` gets the scope that can cancel it."""
        try:
            with messages, self._shutdown.finishing() as scope:
                task_status.started(scope)
                async for message in messages:
                    batch, size = [message], _bytes_of(message)
                    while len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
                        try:
                            message = messages.receive_nowait()
                        except (trio.WouldBlock, trio.EndOfChannel):
                            break
                        batch.append(message)
                        size += _bytes_of(message)
                    await self._write(batch)
        finally:
            self._sinks.complete()

    async def _write(self, batch: Sequence[Message]) -> None:
        self._frontier.advance_clock(self._clock())
        for message in batch:
            if isinstance(message, NewRequests):
                await self._ingest(message)
        outcomes = self._within_max_items([message for message in batch if isinstance(message, Outcome)])
        if outcomes:
            await self._commit(outcomes)
            self.stop_at_limits()
        self._frontier.changed.set()
        if self._sinks:
            await self._sinks.keep_up()

    async def _commit(self, outcomes: Sequence[Outcome]) -> None:
        frontier, stats = self._frontier, self._stats
        self._is_consistent = False
        self._add_lane_states(outcomes)
        if self._commits:
            self._commits.run([outcome.ticket for outcome in outcomes])
        for outcome in outcomes:
            self._count(outcome, stats)  # first: the commit stores the counts as well
        try:
            committed = await self._peers.commit(outcomes, self._checkpointer.checkpoint())
        except CrawlerError:  # a full disk, for instance
            for outcome in outcomes:
                self._discount(outcome)
            raise
        self._is_consistent = True
        frontier.push(committed.fresh)
        frontier.reload(committed.grew)
        if committed.duplicates:
            stats.filtered["duplicate"] += committed.duplicates
        for outcome, result in zip(outcomes, committed.results, strict=True):
            if result is not OK and result is not CommitResult.DUP:
                self._count_again(outcome, result)
            self._release(outcome, result)

    def _add_lane_states(self, outcomes: Sequence[Outcome]) -> None:
        """Add the state of each lane to its last outcome, and its quotas to the report."""
        last = {outcome.ticket.lane: outcome for outcome in outcomes}
        for lane, outcome in last.items():
            outcome.lane_state = lane.state()
            quotas = lane.throttle.policies()
            if quotas:
                self._stats.lane(lane.name).quotas = quotas

    async def _ingest(self, message: NewRequests) -> None:
        """Store new requests that are admitted."""
        store, stats = self._store, self._stats
        filtered: list[tuple[str, str]] = []
        admitted = self._admission.admit(message.requests, filtered)
        _count_filtered(filtered, stats)
        starts = [request for request in admitted if request.depth == 0]
        parts = [part for part in (starts, [request for request in admitted if request.depth]) if part]
        if message.last and not parts:
            parts = [[]]  # the end of `start()` is stored even without requests
        for requests in parts:
            ingested = await store.ingest(requests, exhausted=message.last and requests is parts[-1])
            self._frontier.push(ingested.fresh)
            self._frontier.reload(ingested.grew)
            if ingested.added < len(requests):
                stats.filtered["duplicate"] += len(requests) - ingested.added
            if requests is starts:
                self.starts += ingested.added
        self.arriving -= 1

    def _within_max_items(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Return the outcomes up to `max_items`. The tickets of the others are put back."""
        max_items = self._settings.max_items
        if max_items is None:
            return outcomes
        items = self._total("items")
        for index, outcome in enumerate(outcomes):
            if items >= max_items:
                for late in outcomes[index:]:
                    self._frontier.put_back(late.ticket)
                return outcomes[:index]
            items += len(outcome.items) + outcome.staged_items
        return outcomes

    def _release(self, outcome: Outcome, result: CommitResult) -> None:
        """Give the ticket of a committed outcome back to the frontier."""
        ticket = outcome.ticket
        if outcome.digest:
            self._pages.release(outcome.digest)
        if outcome.kind is RETRY and result is OK:
            self._frontier.put_back(ticket, outcome.not_before)
        elif result is CONFLICT:
            self._frontier.handle_again(ticket)
        else:
            self._frontier.settle(ticket)
            request = ticket.pending.request
            if request.depth == 0 and not request.redirects:
                self.starts -= 1

    async def keep_states(self) -> None:
        """Commit what lifespans have written to the states of plugins."""
        if self._checkpointer.has_new_states():
            await self._peers.commit([], self._checkpointer.checkpoint())

    async def finish(self) -> None:
        """Commit the last checkpoint, unless a commit has failed: the counts include its outcomes."""
        if self._is_consistent:
            self._commits.run(())
            await self._peers.commit([], self._checkpointer.checkpoint(whole=True))

    # ---- counts ------------------------------------------------------------------------------------------------------

    def _count(self, outcome: Outcome, stats: Stats) -> None:
        stats.bytes += outcome.size
        if outcome.status:
            stats.statuses[outcome.status] += 1
            if outcome.status >= 300 and outcome.kind is DONE and not (outcome.page or outcome.redirect):  # a dead link
                stats.sample(f"status_{outcome.status}", outcome.ticket.request.url)
        _count_filtered(outcome.filtered, stats)
        if outcome.repeats:
            stats.filtered["duplicate"] += outcome.repeats
        for reason in outcome.dropped:
            stats.dropped[reason] += 1
        if outcome.kind is RETRY:
            stats.retries += 1
            return
        stats.pages += outcome.page
        stats.dealt_with += outcome.is_success
        stats.redirects += bool(outcome.redirect)
        stats.items += len(outcome.items) + outcome.staged_items
        for name, n in outcome.counters.items():
            stats.counters[name] += n
        if outcome.failure is not None:
            _count_failure(outcome.failure.reason, outcome.ticket.request.url, stats, outcome.failure.full_reason)

    def _count_again(self, outcome: Outcome, result: CommitResult) -> None:
        """Correct the counts by an outcome that was not committed, or not with its effects."""
        self._discount(outcome)
        if result is CommitResult.SAME_CONTENT:
            effects = {"page": False, "items": [], "staged_items": 0, "filtered": []}
            self._count(replace(outcome, **effects), self._stats)
            self._stats.filter("duplicate_content", outcome.ticket.request.url)

    def _discount(self, outcome: Outcome) -> None:
        """Remove an outcome from the counts."""
        counted = Stats()
        self._count(outcome, counted)
        self._stats.subtract(counted)

    def _total(self, name: str) -> int:
        """Return a count of all workers."""
        own: int = getattr(self._stats, name)
        return own + self._peers.counts.get(name, 0)

    def stop_at_limits(self) -> None:
        """Stop the crawl if a limit was reached, in this run or in an earlier one of its job."""
        settings, shutdown = self._settings, self._shutdown
        if settings.max_pages is not None and self._total("pages") >= settings.max_pages:
            shutdown.stop("max_pages")
        if settings.max_items is not None and self._total("items") >= settings.max_items:
            shutdown.stop("max_items")
        if settings.max_errors is not None and self._total("failed") >= settings.max_errors:
            shutdown.stop("max_errors", by_limit=True)


def _count_filtered(filtered: Sequence[tuple[str, str]], stats: Stats) -> None:
    for reason, url in filtered:
        if reason == ADMIT_FAILED:
            _count_failure(reason, url, stats)
        else:
            stats.filter(reason, url)


def _count_failure(reason: str, url: str, stats: Stats, full_reason: str = "") -> None:
    stats.failed += 1
    stats.failures[reason] += 1
    stats.sample(reason, url)
    stats.kinds[full_reason or reason] += 1
    if full_reason:
        stats.sample(full_reason, url)


def _bytes_of(message: Message) -> int:
    """Return the size of the items in a message."""
    return sum(len(item.data) for item in message.items) if isinstance(message, Outcome) else 0
