"""A job in memory keeps the contract of shared stores; random workers lose nothing and settle nothing twice."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractAsyncContextManager

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples
from support.memory_job import MemoryJob
from support.memory_worker import MemoryWorker
from support.store_contract import OpenWorker, SharedStoreContract
from support.stores import done, ticket
from support.virtual import run_virtually
from trio.testing import MockClock

from crawler.frontier import PageTicket
from crawler.messages import Request
from crawler.store import CommitResult, ItemRow, Store


class TestMemoryWorker(SharedStoreContract):
    @pytest.fixture
    def clock(self, autojump_clock: MockClock) -> MockClock:
        return autojump_clock

    @pytest.fixture
    def open_worker(self) -> OpenWorker:
        job = MemoryJob(lease=self.lease)

        def open_worker() -> AbstractAsyncContextManager[Store]:
            return job.worker()

        return open_worker


HOSTS, LEASE = 5, 60.0
STEPS = st.tuples(
    st.sampled_from(["claim", "commit", "release", "extend", "stop", "join", "sleep"]),
    st.integers(0, 2),  # the worker
    st.integers(0, HOSTS - 1),
)


class RandomWorkers:
    """Three workers that take random steps, on time or not."""

    def __init__(self) -> None:
        self.job = MemoryJob(LEASE)
        self.stores = [self.job.join() for _ in range(3)]
        self.held: dict[tuple[int, str], list[PageTicket]] = {}
        self.settled: Counter[str] = Counter()

    async def step(self, step: str, number: int, host: int, page: int) -> None:
        """Let one worker take one step."""
        store, name = self.stores[number], f"http://h{host}.test"
        if step == "claim":
            for group in (await store.claim(HOSTS, 3)).groups:
                self.held[number, group.name] = [ticket(pending, group.epoch) for pending in group.head]
        elif step == "commit" and self.held.get((number, name)):
            await self.commit(store, self.held[number, name].pop(0), page)
        elif step == "release" and (held := self.held.pop((number, name), None)):
            await store.release(name, held[0].epoch, {}, 1.0)
        elif step == "extend":
            await store.extend()
        elif step == "stop":
            await self.stop(store)
        elif step == "join" and store.owner not in self.job.owners:
            self.stores[number] = self.job.join()
        elif step == "sleep":
            await trio.sleep(host)

    async def commit(self, store: MemoryWorker, held: PageTicket, page: int) -> None:
        """Commit one page, which has found others."""
        found = [Request(f"http://h{(page * 3 + n) % HOSTS}.test/{page}") for n in range(3)]
        committed = await store.commit([done(held, discovered=found, items=[ItemRow(b"{}")])])
        self.settled[held.request.url] += committed.results == [CommitResult.OK]

    async def stop(self, store: MemoryWorker) -> None:
        """Stop one worker for longer than its lease, while the others live."""
        for _ in range(3):
            await trio.sleep(LEASE / 2)
            for other in self.stores:
                if other is not store:
                    await other.extend()

    def check(self) -> None:
        """Check that each group has one owner that is alive, and that each request is either live or settled once."""
        job = self.job
        assert {group.owner for group in job.groups.rows.values()} <= {0, *job.owners}
        assert job.live == sum(len(group.requests) for group in job.groups.rows.values())
        assert all(n <= 1 for n in self.settled.values())
        assert len(job.known) == job.live + sum(self.settled.values())
        logs = sum(len(owner.log) for owner in job.owners.values()) + len(job.orphans)
        assert logs == sum(self.settled.values())  # each item is in one log


@given(st.lists(STEPS, max_size=60))
@examples(60)
def test_random_workers_settle_each_request_once(steps: list[tuple[str, int, int]]) -> None:
    async def run() -> None:
        workers = RandomWorkers()
        await workers.stores[0].ingest([Request(f"http://h{n}.test/") for n in range(HOSTS)])
        for page, step in enumerate(steps):
            await workers.step(*step, page)
            workers.check()

    run_virtually(run)
