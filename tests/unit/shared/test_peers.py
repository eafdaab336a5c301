"""`SharedPeers`: nothing goes out without a fresh lease, and changes that are refused are made again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest
import trio
from support.memory_job import MemoryJob
from support.memory_worker import MemoryWorker
from support.workers import Worker, kept_items
from trio.testing import MockClock, wait_all_tasks_blocked

from crawler import Produced, Request, Response, Settings, Spider
from crawler.clock import Clock
from crawler.engine.slots import Slots
from crawler.errors import LeaseLost
from crawler.frontier import Frontier, PageTicket, Pending
from crawler.hooks.state import State
from crawler.http.cookies import CookieJar
from crawler.shared.peers import SharedPeers
from crawler.shared.remote_changes import RemoteValues, SharedStates
from crawler.store import Checkpoint, CommitResult, Committed, Kind, Observations, Outcome, RemoteChanges
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawler.store import SharedStore

A = "https://a.test"
PAGES = 12


class Committing(MemoryWorker):
    """Keeps what is committed."""

    def __init__(self, job: MemoryJob, owner: Any) -> None:
        super().__init__(job, owner)
        self.given: list[tuple[list[Outcome], Observations | None]] = []
        self.fences = False

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        self.given.append((list(outcomes), observations))
        return Committed(results=[CommitResult.FENCED if self.fences else CommitResult.OK for _ in outcomes])


class Parts:
    """The peers of a worker that has one lane."""

    def __init__(self) -> None:
        job = MemoryJob()
        self.store = Committing(job, job.owners[job.join().owner])
        self.clock = Clock()
        self.frontier = Frontier(Settings(obey_robots=False))
        self.frontier.reports_sending = True
        self.states = SharedStates([State("spider", {"n": 1})], version=1)
        values = RemoteValues(CookieJar(), None, None)
        start = Slots(self.frontier, self.clock).start
        self.peers = SharedPeers(
            self.frontier, cast("SharedStore", self.store), self.clock, self.states, values, (), start
        )
        self.lane = self.frontier.lanes.open(A, epoch=1, head=(), more=False)

    def ticket(self) -> PageTicket:
        request = Request(f"{A}/")
        return PageTicket(
            Pending((0, 1), request, A), self.lane, 1, 0.0, self.frontier.budgets.permit(self.lane, request)
        )

    def outcome(self, **fields: Any) -> Outcome:
        return Outcome(kind=Kind.DONE, ticket=self.ticket(), generation=self.states.generation, **fields)

    def renew(self, seconds: float) -> None:
        self.frontier.starts_until = self.clock() + seconds
        self.frontier.changed.set()


async def test_nothing_is_ready_before_the_lease_is_renewed(autojump_clock: MockClock) -> None:
    parts = Parts()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(parts.peers.ready)
        await wait_all_tasks_blocked()
        parts.frontier.changed.set()
        await wait_all_tasks_blocked()
        assert nursery.child_tasks
        parts.renew(5.0)
    await parts.peers.ready()


async def test_a_request_whose_bytes_would_go_out_too_late_waits_for_the_lease(autojump_clock: MockClock) -> None:
    parts, sent = Parts(), list[float]()
    parts.renew(1.0)

    async def exchange(request: Request, *, on_sent: Callable[[float], None]) -> Response:
        await trio.sleep(2.0)  # the connection is made
        on_sent(trio.current_time())
        return Response(request.url, 200, {}, request=request)

    guarded = parts.peers.guard(exchange, parts.ticket(), sent.append)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(guarded, Request(f"{A}/"))
        await trio.sleep(3.0)
        assert sent == []
        parts.renew(60.0)
    assert sent == [pytest.approx(began + 5.0)]


async def test_an_outdated_outcome_is_refused_without_the_store_and_the_counts_wait(autojump_clock: MockClock) -> None:
    parts = Parts()
    old, new = parts.outcome(state={"spider": {"n": b"2"}}), parts.outcome()
    old.lane_state = {"next_start": 5.0}
    parts.states.apply(RemoteChanges(states={"spider": {"n": b"7"}}, version=2))
    observations = Observations(checkpoint=Checkpoint(stats=b"{}", clock=3.0))
    committed = await parts.peers.commit([old, new], observations)
    assert committed.results == [CommitResult.CONFLICT, CommitResult.OK]
    [(outcomes, observed)] = parts.store.given
    assert outcomes == [new]
    assert new.lane_state == {"next_start": 5.0}
    assert observed is not None
    assert (observed.checkpoint.stats, observed.checkpoint.clock) == (None, 3.0)


async def test_a_commit_by_a_worker_that_was_removed_ends_it(autojump_clock: MockClock) -> None:
    parts = Parts()
    parts.store.fences = True
    with pytest.raises(LeaseLost):
        await parts.peers.commit([parts.outcome()], None)


class Counting(Spider):
    """Counts the pages of two hosts in a state that all workers change, and fails at some pages."""

    start_urls = ("https://a.test/", "https://b.test/")
    settings = Settings(obey_robots=False, attempts=2, backoff_base=0.1)

    def parse(self, response: Response) -> Produced:
        self.state["pages"] = self.state.get("pages", 0) + 1
        yield {"url": response.url}
        yield from response.follow_all()


def two_hosts() -> FakeSite:
    """Return two hosts whose pages each fail once."""
    links = "".join(f'<a href="/{n}">x</a>' for n in range(PAGES))
    pages: dict[str, Any] = {f"https://{host}.test/": Page(links, delay=0.1) for host in "ab"}
    for host in "ab":
        pages |= {f"https://{host}.test/{n}": [Page("", 500), Page("x", delay=0.1)] for n in range(PAGES)}
    return FakeSite(pages)


async def test_a_conflict_uses_up_no_attempt_and_sends_no_request(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(), two_hosts()
    workers = [Worker(job, Counting(), site) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
    report = workers[0].report
    assert report is not None
    assert (report.failed, report.pages, report.items) == (0, 2 + 2 * PAGES, 2 + 2 * PAGES)
    assert report.requests == len(site.log) == 2 + 2 * 2 * PAGES
    assert len(kept_items(job, workers)) == 2 + 2 * PAGES


async def test_workers_whose_changes_are_refused_end_with_the_crawl(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(), two_hosts()
    workers = [Worker(job, Counting(), site, settings=Settings(max_items=5)) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
    assert {worker.report.finished for worker in workers if worker.report is not None} == {"max_items"}
    assert trio.current_time() < 5  # and not at the end of `grace`
