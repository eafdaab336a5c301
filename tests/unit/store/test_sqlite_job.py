"""The database of a durable job that is opened again, fails halfway, or is brought to the disk."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import trio
from support.stores import claimed, done, execute, requests

from crawler.errors import JobError
from crawler.store import Checkpoint, FailureRow, ItemRow, Kind, Observations, Outcome
from crawler.store import sqlite_job as module
from crawler.store.inspect import inspect_job
from crawler.store.sqlite import SqliteStore


async def test_a_crawl_that_begins_again_keeps_its_items_and_states(job: Path) -> None:
    counts = Observations(checkpoint=Checkpoint(stats=b"{}", clock=5.0), states={"p": {"a": b"1"}})
    with SqliteStore(job) as store:
        await store.ingest(requests("1", "2"), exhausted=True)
        one, two = await claimed(store)
        assert not await store.has_body(b"digest")
        failure = FailureRow(reason="x", message="y")
        await store.commit([done(one, items=[ItemRow(b"{}")], digest=b"digest")], counts)
        await store.commit([Outcome(kind=Kind.FAILED, ticket=two, failure=failure)])
    for number in (2, 3):
        with SqliteStore(job) as store:
            await store.begin_again()
            assert store.round == number
            resumed = await store.resume_state()
            assert (resumed.checkpoint.exhausted, resumed.checkpoint.stats) == (False, None)
            assert (resumed.checkpoint.clock, resumed.states) == (5.0, {"p": {"a": 1}})
            assert (store.logged, await store.has_body(b"digest")) == (1, False)
            assert not inspect_job(job).failed_by_reason
    with SqliteStore(job) as store:
        assert store.round == 3
        await store.ingest(requests("1", "2"))
        assert store.live == 2
        first, _ = await claimed(store)
        await store.commit([done(first, items=[ItemRow(b"{}")])])
        assert len({row.key for row in await store.read(0, 9)}) == 2


async def test_a_finished_run_was_clean_and_a_killed_one_was_not(job: Path) -> None:
    with SqliteStore(job) as store:
        assert not store.unclean
    with SqliteStore(job) as store:
        assert not (await store.resume_state()).unclean
    opened = f"s.SqliteStore(pathlib.Path({str(job)!r})).__enter__()"
    script = f"import os, pathlib, crawler.store.sqlite as s\n{opened}\nos._exit(9)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9  # noqa: ASYNC221
    for _ in range(2):  # a run that sends nothing learns nothing about what was in flight
        with SqliteStore(job) as store:
            assert (await store.resume_state()).unclean
            await store.ingest(requests("1"))
    with SqliteStore(job) as store:
        await claimed(store)
    with SqliteStore(job) as store:
        assert not (await store.resume_state()).unclean


async def test_the_keys_in_memory_are_bounded_and_nothing_is_fetched_twice(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_RECENT_KEYS", 10)
    with SqliteStore(job) as store:
        for start in range(0, 100, 10):
            await store.ingest(requests(*map(str, range(start, start + 10))))
            assert len(store.known) == 10
        await store.ingest(requests(*map(str, range(100))))
        assert store.live == 100
        assert len(store.known) == 10


@pytest.mark.parametrize("power", [False, True])
async def test_an_ingest_that_fails_halfway_leaves_no_request_that_would_never_be_settled(
    job: Path, power: bool
) -> None:
    with SqliteStore(job, power=power) as store:
        await store.ingest(requests("0"))
        refuse = "CREATE TRIGGER full BEFORE INSERT ON pending WHEN new.url = '/2' BEGIN SELECT RAISE(ABORT, 'no'); END"
        store._database.execute(refuse)
        with pytest.raises(JobError, match="no"):
            await store.ingest(requests("1", "2"))
        store._database.execute("DROP TRIGGER full")
        await store.commit([])
        assert store.live == 1
    assert inspect_job(job).waiting == 1
    assert execute(job, "SELECT count(*) FROM pending") == [(1,)]


@pytest.mark.parametrize("power", [False, True])
async def test_a_cancellation_during_the_checkpoint_does_not_undo_the_commit(
    job: Path, power: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteStore(job, power=power) as store:
        await store.ingest(requests("1"))
        [row] = await claimed(store)
        with trio.CancelScope() as scope:

            async def checkpoint() -> None:
                scope.cancel()
                await trio.lowlevel.checkpoint()

            monkeypatch.setattr(store, "_checkpoint_if_due", checkpoint)
            await store.commit([done(row, items=[ItemRow(b"{}")])])
        assert scope.cancelled_caught
        monkeypatch.undo()
        await store.commit([])
        assert (store.live, store.logged) == (0, 1)
    assert (inspect_job(job).waiting, inspect_job(job).items) == (0, 1)


async def test_a_long_write_ahead_log_is_written_into_the_database(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAL", 100_000)
    runs = []
    original = SqliteStore._checkpoint_wal
    monkeypatch.setattr(SqliteStore, "_checkpoint_wal", lambda store: runs.append(original(store)))
    with SqliteStore(job) as store:
        for start in range(0, 2000, 10):
            await store.ingest(requests(*map(str, range(start, start + 10))))
            assert (job / "job.sqlite-wal").stat().st_size < 400_000
    assert execute(job, "SELECT count(*) FROM pending") == [(2000,)]
    assert 2 < len(runs) < 100  # not after each of 200 commits, once it was long


async def test_a_write_ahead_log_that_is_being_read_is_written_into_the_database_later(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAL", 100_000)
    with SqliteStore(job) as store:
        await store.ingest(requests("first"))
        with closing(sqlite3.connect(job / "job.sqlite", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM pending").fetchone() == (1,)
            for start in range(0, 2000, 50):
                await store.ingest(requests(*map(str, range(start, start + 50))))
            assert (job / "job.sqlite-wal").stat().st_size > 400_000
            assert reader.execute("SELECT count(*) FROM pending").fetchone() == (1,)
        for start in range(2000, 3000, 50):
            await store.ingest(requests(*map(str, range(start, start + 50))))
        assert (job / "job.sqlite-wal").stat().st_size < 400_000
    assert execute(job, "SELECT count(*) FROM pending") == [(3001,)]
