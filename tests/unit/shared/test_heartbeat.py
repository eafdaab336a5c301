"""The lease is renewed three times, nothing starts when it is not, and a worker that was removed ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from support.memory_job import MemoryJob
from support.workers import Connection
from trio.testing import MockClock

from crawler.clock import Clock
from crawler.errors import LeaseLost
from crawler.frontier import Frontier
from crawler.settings import Settings
from crawler.shared.heartbeat import BEATS, FRESH, Heartbeat
from crawler.store import Extended

LEASE = 60.0


class Parts:
    """A worker that only renews its lease."""

    def __init__(self, job: MemoryJob) -> None:
        self.asleep = 0.0
        self.clock = Clock(asleep=lambda: self.asleep)
        self.frontier = Frontier(Settings())
        self.store = Connection(job.join())
        self.answers: list[Extended] = []
        self.heartbeat = Heartbeat(self.store, self.frontier, self.clock, self.answers.append)  # type: ignore[arg-type]

    def fresh_for(self) -> float:
        return self.frontier.starts_until - self.clock()


@asynccontextmanager
async def beating(parts: Parts) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(parts.heartbeat.run)
        yield
        nursery.cancel_scope.cancel()


async def test_a_lease_is_renewed_while_it_is_still_fresh(autojump_clock: MockClock) -> None:
    job = MemoryJob(LEASE)
    parts = Parts(job)
    async with beating(parts):
        for _ in range(10):
            await trio.sleep(LEASE / 2 + 0.1)
            assert FRESH * LEASE - LEASE / 3 - 1e-6 <= parts.fresh_for() <= FRESH * LEASE
    [owner] = job.owners.values()
    assert owner.until > job.now()


async def test_the_freshness_counts_from_the_question_not_from_its_answer(autojump_clock: MockClock) -> None:
    parts = Parts(MemoryJob(LEASE))
    parts.store.cut()
    async with beating(parts):
        await trio.sleep(10.0)
        parts.store.restore()
        await trio.sleep(0.0)
        await trio.testing.wait_all_tasks_blocked()
        assert parts.fresh_for() == pytest.approx(FRESH * LEASE - 10.0)


async def test_a_machine_that_was_suspended_has_no_fresh_lease(autojump_clock: MockClock) -> None:
    parts = Parts(MemoryJob(LEASE))
    async with beating(parts):
        await trio.sleep(1.0)
        assert parts.fresh_for() > FRESH * LEASE - 2.0
        parts.store.cut()
        await trio.sleep(LEASE / BEATS)  # it asks, and is suspended before the answer comes
        parts.asleep += 10 * LEASE
        assert parts.fresh_for() < 0
        parts.store.restore()
        await trio.testing.wait_all_tasks_blocked()
        assert parts.fresh_for() < 0
        await trio.sleep(LEASE / BEATS)
        assert parts.fresh_for() > 0


async def test_a_change_by_another_worker_is_noticed_soon(autojump_clock: MockClock) -> None:
    job = MemoryJob(LEASE)
    parts = Parts(job)
    async with beating(parts):
        await trio.sleep(5.0)
        before = parts.frontier.starts_until
        job.changed.set()
        await trio.sleep(1.1)
        assert parts.frontier.starts_until > before


async def test_a_silent_store_is_reported_once_and_so_is_its_return(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    parts = Parts(MemoryJob(LEASE))
    async with beating(parts):
        await trio.sleep(1.0)
        parts.store.cut()
        await trio.sleep(10 * LEASE)
        parts.store.restore()
        await trio.sleep(LEASE)
        parts.store.cut()
        await trio.sleep(1.0)
    said = [record.message for record in caplog.records]
    assert ["does not answer" in line for line in said] == [True, False]
    assert "answers again, after" in said[1]


async def test_a_worker_that_was_removed_ends(autojump_clock: MockClock) -> None:
    job = MemoryJob(LEASE)
    parts = Parts(job)
    with pytest.RaisesGroup(LeaseLost, flatten_subgroups=True):
        async with beating(parts):
            await trio.sleep(1.0)
            job.remove(next(iter(job.owners.values())))
            await trio.sleep(LEASE)
