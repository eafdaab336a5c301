"""The writer: makes outcomes true, many at once, and gives the frontier what they uncovered.

No timer: it commits what gathered while the previous commit ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
import trio

from crawler.engine.admission import ADMIT_FAILED
from crawler.messages import Request
from crawler.store import Kind, Observations, Outcome, Verdict

if TYPE_CHECKING:
    from crawler.engine.crawl import RunningCrawl
    from crawler.engine.sinks import SinkRunner

__all__ = ["Message", "NewRequests", "Writer"]

MOST: Final = 64
"""Outcomes in one commit."""
WHOLE: Final = 1.0
"""Seconds between two commits that keep the counts of all lanes."""


@attrs.frozen(eq=False)
class NewRequests:
    """Requests from elsewhere than a page: start requests, and what `crawl.add` brought."""

    requests: list[Request]
    """What is to be fetched, if it is not known."""
    last: bool = False
    """Whether `start()` has no more."""


Message: TypeAlias = Outcome | NewRequests


class Writer:
    """The only one that changes the store, and through it the frontier.

    Parameters:
        crawl: the parts of the running crawl.
        followers: the sinks, which it must not run away from.
    """

    def __init__(self, crawl: RunningCrawl, followers: SinkRunner) -> None:
        self._crawl = crawl
        self._followers = followers
        self._whole_at = 0.0
        self._whole = True
        self.arriving = 0
        """Arrivals on their way here."""
        self.starts = 0
        """Requests that no page made and that are not settled."""

    async def run(
        self,
        messages: trio.MemoryReceiveChannel[Message],
        *,
        task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Works until all who send have closed their ends; shielded, it gives back the scope that can end it."""
        try:
            with messages, self._crawl.shutdown.finishing() as scope:
                task_status.started(scope)
                async for message in messages:
                    batch = [message]
                    while len(batch) < MOST:
                        try:
                            batch.append(messages.receive_nowait())
                        except (trio.WouldBlock, trio.EndOfChannel):
                            break
                    await self._write(batch)
        finally:
            self._followers.complete()

    async def _write(self, batch: Sequence[Message]) -> None:
        crawl = self._crawl
        crawl.frontier.look(crawl.clock())
        for message in batch:
            if isinstance(message, NewRequests):
                await self._arrive(message)
        outcomes = self._within_limits([message for message in batch if isinstance(message, Outcome)])
        if outcomes:
            self._whole = False
            self._keep_lanes(outcomes)
            for outcome in outcomes:
                self._count(outcome)  # before the commit, which keeps the counts that it makes true
            committed = await crawl.store.commit(outcomes, self._observed())
            self._whole = True
            crawl.frontier.push(committed.fresh)
            crawl.frontier.grow(committed.grew)
            if committed.duplicates:
                crawl.stats.filtered["duplicate"] += committed.duplicates
            for outcome, verdict in zip(outcomes, committed.verdicts, strict=True):
                self._settle(outcome, verdict)
            self.stop_at_limits()
        crawl.frontier.changed.set()
        if self._followers:
            await self._followers.keep_up()

    def _keep_lanes(self, outcomes: Sequence[Outcome]) -> None:
        """What was learned of a lane rides with its last outcome, and the report gets to know its quotas."""
        last = {outcome.ticket.lane: outcome for outcome in outcomes}
        for lane, outcome in last.items():
            outcome.lane_state = lane.state()
            quotas = lane.throttle.policies()
            if quotas:
                self._crawl.stats.lane(lane.name).quotas = quotas

    async def _arrive(self, arrivals: NewRequests) -> None:
        crawl = self._crawl
        filtered: list[tuple[str, str]] = []
        admitted = crawl.admission.admit(arrivals.requests, filtered)
        self._filtered(filtered)
        starts = [request for request in admitted if request.depth == 0]
        parts = [part for part in (starts, [request for request in admitted if request.depth]) if part]
        if arrivals.last and not parts:
            parts = [[]]  # the end of `start()` is kept all the same
        for requests in parts:
            live = crawl.store.live
            notes = {"exhausted": b"true"} if arrivals.last and requests is parts[-1] else {}
            crawl.frontier.push(await crawl.store.ingest(requests, notes))
            added = crawl.store.live - live
            if added < len(requests):
                crawl.stats.filtered["duplicate"] += len(requests) - added
            if requests is starts:
                self.starts += added
        self.arriving -= 1

    def _within_limits(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Without what came after `max_items` was reached: that goes back."""
        most = self._crawl.settings.max_items
        if most is None:
            return outcomes
        items = self._crawl.stats.items
        for index, outcome in enumerate(outcomes):
            if items >= most:
                for late in outcomes[index:]:
                    self._crawl.frontier.put_back(late.ticket)
                return outcomes[:index]
            items += len(outcome.items) + outcome.staged_items
        return outcomes

    def _settle(self, outcome: Outcome, verdict: Verdict) -> None:
        crawl, ticket = self._crawl, outcome.ticket
        if outcome.digest and crawl.contents is not None:
            crawl.contents.give_up(outcome.digest)  # the store knows it now, or nobody does
        if outcome.kind is Kind.RETRY and verdict is Verdict.OK:
            crawl.frontier.put_back(ticket, outcome.not_before)
        else:
            crawl.frontier.settle(ticket)
            if ticket.request.depth == 0 and not ticket.request.redirects:
                self.starts -= 1

    def _observed(self) -> Observations:
        """What rides in the next commit; the counts of the lanes once in a while, since there may be many."""
        now = trio.current_time()
        whole = now >= self._whole_at
        if whole:
            self._whole_at = now + WHOLE
        return self._crawl.take_observed(whole=whole, started=self._started())

    def _started(self) -> bool:
        """Whether all start requests are in the store: only then may the next run do without `start()`."""
        return self._crawl.exhausted and self.arriving == 0

    async def finish(self) -> None:
        """Commits what was observed last; not after a commit that failed, whose outcomes are in the counts."""
        if not self._whole:
            return
        await self._crawl.store.commit([], self._crawl.take_observed(whole=True, started=self._started()))

    def _count(self, outcome: Outcome) -> None:
        """What an outcome adds to the counts."""
        stats = self._crawl.stats
        stats.bytes += outcome.size
        if outcome.status:
            stats.statuses[outcome.status] += 1
        self._filtered(outcome.filtered)
        if outcome.repeats:
            stats.filtered["duplicate"] += outcome.repeats
        for reason in outcome.dropped:
            stats.dropped[reason] += 1
        if outcome.kind is Kind.RETRY:
            stats.retries += 1
            return
        stats.pages += outcome.page
        stats.redirects += bool(outcome.redirect)
        stats.items += len(outcome.items) + outcome.staged_items
        for name, n in outcome.counters.items():
            stats.counters[name] += n
        if outcome.failure is not None:
            self._fail(outcome.failure.reason, outcome.ticket.request.url, outcome.failure.full_reason)

    def _filtered(self, filtered: Sequence[tuple[str, str]]) -> None:
        for reason, url in filtered:
            if reason == ADMIT_FAILED:
                self._fail(reason, url)
            else:
                self._crawl.stats.filter(reason, url)

    def _fail(self, reason: str, url: str, full_reason: str = "") -> None:
        stats = self._crawl.stats
        stats.failed += 1
        stats.failures[reason] += 1
        stats.sample(reason, url)
        stats.kinds[full_reason or reason] += 1
        if full_reason:
            stats.sample(full_reason, url)

    def stop_at_limits(self) -> None:
        """Stops the crawl if a limit is reached, by this run or by an earlier one of its job."""
        stats, settings, shutdown = self._crawl.stats, self._crawl.settings, self._crawl.shutdown
        if settings.max_pages is not None and stats.pages >= settings.max_pages:
            shutdown.stop("max_pages")
        if settings.max_items is not None and stats.items >= settings.max_items:
            shutdown.stop("max_items")
        if settings.max_errors is not None and stats.failed >= settings.max_errors:
            shutdown.stop("max_errors", by_limit=True)
