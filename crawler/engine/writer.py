"""`Writer`: commits outcomes in batches, and pushes the discovered requests to the frontier.

It has no timer: it commits what arrived while the previous commit ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import trio

from crawler.engine.new_requests import NewRequests
from crawler.store import CommitResult, Outcome
from crawler.store.outcome import RETRY
from crawler.store.protocol import CONFLICT, OK

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.engine.body_dedup import BodyDeduplicator
    from crawler.engine.commits import Commits
    from crawler.engine.crawl_limits import CrawlLimits, NoCrawlLimits
    from crawler.engine.new_requests import Ingest
    from crawler.engine.page import PageRunner
    from crawler.engine.shutdown import Shutdown
    from crawler.engine.sinks import SinkRunner
    from crawler.frontier import Frontier

__all__ = ["Message", "Writer"]


Message: TypeAlias = Outcome | NewRequests


class Writer:
    """The only task that commits outcomes, stores new requests and pushes to the frontier."""

    def __init__(
        self,
        frontier: Frontier,
        ingest: Ingest,
        commits: Commits,
        sinks: SinkRunner,
        limits: CrawlLimits | NoCrawlLimits,
        pages: PageRunner | BodyDeduplicator,
        shutdown: Shutdown,
        clock: Clock,
    ) -> None:
        self.commits = commits
        self.ended = trio.Event()
        self._frontier = frontier
        self._ingest = ingest
        self._sinks = sinks
        self._limits = limits
        self._pages = pages
        self._shutdown = shutdown
        self._clock = clock

    async def run(
        self,
        messages: trio.MemoryReceiveChannel[Message],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Start the sinks, then work until all senders have closed their ends, and the sinks have stored everything.

        It and the sinks are shielded from everything but the deadlines of a stop.
        """
        try:
            async with trio.open_nursery() as nursery:
                try:
                    await self._sinks.start(nursery)
                    await nursery.start(self._receive, messages)
                except BaseException:  # the sinks that have started are shielded
                    self._shutdown.stop_now("cancelled")
                    raise
                self._limits.check()  # an earlier run of the job may have reached one
                task_status.started()
        finally:
            self._sinks.finish()
            self.ended.set()

    async def _receive(
        self, messages: trio.MemoryReceiveChannel[Message], *, task_status: trio.TaskStatus[None]
    ) -> None:
        try:
            with messages, self._shutdown.finishing():
                task_status.started()
                async for message in messages:
                    batch, size = [message], _bytes_of(message)
                    while len(batch) < 64 and size < 32 * 1024**2:  # servers of jobs limit the size of a call
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
                await self._ingest.add(message)
        outcomes = self._within_limits([message for message in batch if isinstance(message, Outcome)])
        if outcomes:
            await self._commit(outcomes)
            self._limits.check()
        self._frontier.changed.set()
        if self._sinks:
            await self._sinks.keep_up()

    async def _commit(self, outcomes: Sequence[Outcome]) -> None:
        frontier, committed = self._frontier, await self.commits.commit(outcomes)
        frontier.push(committed.fresh)
        frontier.reload(committed.grew)
        for outcome, result in zip(outcomes, committed.results, strict=True):
            self._release(outcome, result)

    def _within_limits(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Return the outcomes that the limits allow. The tickets of the others are put back."""
        count = self._limits.within(outcomes)
        while len(outcomes) > count:
            self._frontier.put_back(outcomes.pop().ticket)
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
                self._ingest.starts -= 1


def _bytes_of(message: Message) -> int:
    """Return the size of the items in a message."""
    return sum(len(item.data) for item in message.items) if isinstance(message, Outcome) else 0
