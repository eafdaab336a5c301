"""A SQLite store that is opened again, grows, or fails halfway."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import trio
from support.stores import A, B, claimed, done, execute, paths, requests, ticket

import crawler.store.sqlite as module
from crawler.errors import JobError
from crawler.hooks.page_effects import MISSING
from crawler.store import Checkpoint, FailureRow, ItemRow, Kind, Observations, Outcome, RobotsAnswer, sqlite_lanes
from crawler.store.inspect import inspect_job
from crawler.store.outcome import CookieChange
from crawler.store.sqlite import SqliteStore


async def test_unsettled_requests_are_there_again_leased_or_not(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest([*requests("1", "2", "3"), *requests("x", host=B)])
        one, two, three, _ = await claimed(store)
        await store.commit([done(one, discovered=requests("4"))])
        await store.commit([Outcome(kind=Kind.RETRY, ticket=two, attempts=2, not_before=99.0)])
    with SqliteStore(job) as store:
        assert store.live == 4
        assert store.unclaimed
        rows = await claimed(store)
        assert sorted(paths(rows)) == ["2", "3", "4", "x"]
        again = {row.request.url: row.pending for row in rows}
        assert (again[f"{A}/2"].attempts, again[f"{A}/2"].not_before) == (2, 99.0)
        assert again[f"{A}/3"].attempts == 0
        assert again[f"{A}/3"].order == three.pending.order


async def test_known_keys_stay_known_without_being_in_memory(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1", "2"))
    with SqliteStore(job) as store:
        assert f"{A}/1" not in store.known
        await store.ingest(requests("1", "2", "3"))
        assert store.live == 3


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


async def test_an_epoch_of_an_earlier_run_is_fenced(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1"))
        [old] = await claimed(store)
    with SqliteStore(job) as store:
        [new] = await claimed(store)
        committed = await store.commit([done(old, items=[ItemRow(b"{}")])])
        assert (committed.verdicts[0].value, store.live, store.logged) == ("fenced", 1, 0)
        assert new.epoch > old.epoch


async def test_the_state_of_a_lane_comes_with_its_claim(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest([*requests("1", "2"), *requests("x", host=B)])
        one, _, other = await claimed(store)
        await store.commit([done(one, lane_state={"next_start": 5.0})])
        await store.release(B, other.epoch, {"next_start": 7.5})
    with SqliteStore(job) as store:
        found = await store.claim(10, 10)
        assert {group.name: group.state for group in found.groups} == {A: {"next_start": 5.0}, B: {"next_start": 7.5}}


async def test_checkpoints_states_cookies_and_robots_are_stored_and_can_be_deleted(job: Path) -> None:
    def cookie(name: str, value: bytes | None) -> CookieChange:
        return CookieChange(session="s", domain="a.test", path="/", name=name, value=value)

    first = Observations(
        checkpoint=Checkpoint(stats=b'{"pages":1}', clock=1.5),
        states={"spider": {"page": b"3", "gone": b"1"}},
        cookies=[cookie("a", b'"1"'), cookie("b", b'"2"')],
        robots=[RobotsAnswer(A, 200, b"User-agent: *\n", 12.5)],
    )
    second = Observations(states={"spider": {"gone": MISSING}}, cookies=[cookie("a", None)])
    with SqliteStore(job) as store:
        await store.ingest(requests("1"))
        await store.commit([], first)
        await store.commit([], second)
    with SqliteStore(job) as store:
        kept = await store.resume_state()
        assert kept.checkpoint == Checkpoint(stats=b'{"pages":1}', clock=1.5)
        assert kept.states == {"spider": {"page": 3}}
        assert kept.cookies == [("s", b'"2"')]
        [group] = (await store.claim(1, 1)).groups
        assert list(group.robots) == [RobotsAnswer(A, 200, b"User-agent: *\n", 12.5)]


async def test_a_sink_continues_at_its_committed_position(job: Path) -> None:
    with SqliteStore(job) as store:
        assert not store.follows("file")
        assert await store.follow("file") == (0, None)
        await store.ingest(requests("1", "2"))
        for row in await claimed(store):
            await store.commit([done(row, items=[ItemRow(b'{"n":1}'), ItemRow(b'{"n":2}')])])
        await store.read(0, 100)
        await store.advance("file", 3, {"length": 24})
    with SqliteStore(job) as store:
        assert store.follows("file")
        assert await store.follow("file") == (3, {"length": 24})
        assert [bytes(row.data) for row in await store.read(3, 100)] == [b'{"n":2}']
        assert await store.follow("another") == (0, None)
        rows = await store.read(0, 100)
        assert [row.page for row in rows] == [f"{A}/1", f"{A}/1", f"{A}/2", f"{A}/2"]
        assert len({row.key for row in rows}) == 4


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


async def test_more_lanes_than_fit_in_memory_are_all_claimed_in_the_end(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_lanes, "MAX_LANES", 5)
    with SqliteStore(job) as store:
        await store.ingest([request for n in range(20) for request in requests("1", host=f"http://h{n}.test")])
        names: list[str] = []
        while store.unclaimed:
            for group in (await store.claim(3, 10)).groups:
                names.append(group.name)
                await store.commit([done(ticket(group.head[0], group.epoch))])
        assert sorted(names) == sorted(f"http://h{n}.test" for n in range(20))
        assert store.live == 0


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


async def test_requests_of_every_priority_are_claimed_again(job: Path) -> None:
    with SqliteStore(job) as store:
        for priority in (-(2**62) - 5, 0, 2**62 + 5, 2**63 - 1):
            await store.ingest(requests(str(priority), priority=priority))
    with SqliteStore(job) as store:
        assert paths(await claimed(store)) == [str(2**63 - 1), str(2**62 + 5), "0", str(-(2**62) - 5)]


async def test_bodies_are_known_when_a_job_is_reopened_even_one_that_had_no_table_for_them(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1"))
    with SqliteStore(job) as store:
        assert not await store.has_body(b"body")
        await store.commit([done(held, digest=b"body") for held in await claimed(store)])
    with SqliteStore(job) as store:
        assert await store.has_body(b"body")
