"""The requests, states and items of a SQLite store that is opened again."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stores import A, B, claimed, done, paths, requests, ticket

from crawler.hooks.page_effects import MISSING
from crawler.store import Checkpoint, ItemRow, Kind, Observations, Outcome, RobotsAnswer, sqlite_lanes
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


async def test_an_epoch_of_an_earlier_run_is_fenced(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1"))
        [old] = await claimed(store)
    with SqliteStore(job) as store:
        [new] = await claimed(store)
        committed = await store.commit([done(old, items=[ItemRow(b"{}")])])
        assert (committed.results[0].value, store.live, store.logged) == ("fenced", 1, 0)
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
