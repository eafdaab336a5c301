"""What a SQLite store finds when it is opened again, and which folders it refuses."""

from __future__ import annotations

import sqlite3
import string
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

import crawler.store.sqlite as module
from crawler.errors import JobError
from crawler.frontier import Frontier, Lane, Pending, Ticket, lane_name
from crawler.hooks.page_effects import MISSING
from crawler.messages import Request
from crawler.settings import Settings
from crawler.store import FailureRow, ItemRow, Kind, Observations, Outcome, RobotsAnswer
from crawler.store.inspect import failures, items, look, retry_failed
from crawler.store.outcome import CookieChange
from crawler.store.schema import APPLICATION, fingerprint, pack, unpack
from crawler.store.sqlite import SqliteStore

A, B = "http://a.test", "http://b.test"


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return tmp_path / "job"


def requests(*paths: str, host: str = A, **options: Any) -> list[Request]:
    return [Request(f"{host}/{path}", **options) for path in paths]


def ticket(pending: Pending, epoch: int) -> Ticket:
    lane: Lane = Frontier(Settings()).open(pending.group, epoch=epoch, head=(), more=False)
    return Ticket(pending, lane, epoch, 0.0)


async def claimed(store: SqliteStore) -> list[Ticket]:
    found = await store.claim("me", 100, 100, 60.0)
    return [ticket(pending, group.epoch) for group in found.groups for pending in group.head]


def done(held: Ticket, **effects: Any) -> Outcome:
    return Outcome(kind=Kind.DONE, ticket=held, attempts=1, page=True, **effects)


def failed(held: Ticket, message: str = "refused", **effects: Any) -> Outcome:
    failure = FailureRow(reason="connect_failed", message=message, traceback=message)
    return Outcome(kind=Kind.FAILED, ticket=held, attempts=3, failure=failure, **effects)


def paths(rows: Sequence[Ticket]) -> list[str]:
    return [row.request.url.rpartition("/")[2] for row in rows]


def tables(job: Path, statement: str) -> list[Any]:
    """What another program reads in the database."""
    database = sqlite3.connect(job / "job.sqlite")
    try:
        with database:
            return database.execute(statement).fetchall()
    finally:
        database.close()


# ---- opened again ----------------------------------------------------------------------------------------------------


async def test_what_was_not_settled_is_there_again_whoever_held_it(job: Path) -> None:
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


async def test_what_is_known_stays_known_though_it_is_not_in_memory(job: Path) -> None:
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
        assert (committed.verdicts[0].value, store.live, store.logged) == ("fenced", 1, 0)
        assert new.epoch > old.epoch


async def test_the_state_of_a_lane_comes_with_its_claim(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest([*requests("1", "2"), *requests("x", host=B)])
        one, _, other = await claimed(store)
        await store.commit([done(one, lane_state={"next_start": 5.0})])
        await store.release(B, other.epoch, {"next_start": 7.5})
    with SqliteStore(job) as store:
        found = await store.claim("me", 10, 10, 60.0)
        assert {group.name: group.state for group in found.groups} == {A: {"next_start": 5.0}, B: {"next_start": 7.5}}


async def test_notes_states_cookies_and_robots_are_kept_and_may_go(job: Path) -> None:
    def cookie(name: str, value: bytes | None) -> CookieChange:
        return CookieChange(session="s", domain="a.test", path="/", name=name, value=value)

    first = Observations(
        notes={"stats": b'{"pages":1}'},
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
        kept = await store.kept()
        assert kept.notes == {"stats": b'{"pages":1}'}
        assert kept.states == {"spider": {"page": 3}}
        assert kept.cookies == [("s", b'"2"')]
        [group] = (await store.claim("me", 1, 1, 60.0)).groups
        assert list(group.robots) == [RobotsAnswer(A, 200, b"User-agent: *\n", 12.5)]


async def test_a_sink_goes_on_where_a_commit_has_put_it(job: Path) -> None:
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


async def test_a_sink_that_is_left_out_costs_no_memory(job: Path) -> None:
    with SqliteStore(job) as store:
        assert await store.follow("left out") == await store.follow("file") == (0, None)
        await store.ingest(requests(*map(str, range(20))))
    with SqliteStore(job) as store:
        await store.follow("file")
        for number, row in enumerate(await claimed(store)):
            await store.commit([done(row, items=[ItemRow(b"{}")] * 100)])
            assert len(await store.read(100 * number, 1000)) == 100
            await store.advance("file", 100 * (number + 1), None)
        assert len(store._log._places) < 200  # where items begin that may still be read
        assert await store.follow("left out") == (0, None)
        assert len(await store.read(0, 10)) == 10


async def test_long_items_are_read_a_few_at_a_time(job: Path) -> None:
    item = b'{"text":"' + b"x" * 3_000_000 + b'"}'
    with SqliteStore(job) as store:
        await store.follow("file")
        await store.ingest(requests("1"))
        [row] = await claimed(store)
        await store.commit([done(row, items=[ItemRow(item)] * 10)])
        found = 0
        while rows := await store.read(found, 1000):
            assert len(rows) <= 3
            found += len(rows)
            await store.advance("file", found, None)
    assert found == sum(len(part) for part in items(job)) == 10


async def test_a_run_that_came_to_its_end_was_clean_and_a_killed_one_was_not(job: Path) -> None:
    with SqliteStore(job) as store:
        assert not store.unclean
    with SqliteStore(job) as store:
        assert not (await store.kept()).unclean
    opened = f"s.SqliteStore(pathlib.Path({str(job)!r})).__enter__()"
    script = f"import os, pathlib, crawler.store.sqlite as s\n{opened}\nos._exit(9)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9  # noqa: ASYNC221
    with SqliteStore(job) as store:
        assert (await store.kept()).unclean


async def test_what_lies_behind_the_committed_length_of_the_spool_is_cut_off(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1", "2"))
        one, two = await claimed(store)
        await store.commit([done(one, items=[ItemRow(b'{"n":1}')])])
    with (job / "items.spool").open("ab") as file:
        file.write(b'{"key":"half a ro')
    with SqliteStore(job) as store:
        assert store.logged == 1
        [two] = await claimed(store)
        await store.commit([done(two, items=[ItemRow(b'{"n":2}')])])
        assert [bytes(row.data) for row in await store.read(0, 9)] == [b'{"n":1}', b'{"n":2}']


async def test_a_spool_that_lacks_what_was_committed_is_refused(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1"))
        await store.commit([done(row, items=[ItemRow(b"{}")]) for row in await claimed(store)])
    (job / "items.spool").write_bytes(b"{")
    with pytest.raises(JobError, match=r"items\.spool is damaged: 1 bytes, \d+ were committed"), SqliteStore(job):
        raise AssertionError
    (job / "items.spool").unlink()
    with pytest.raises(JobError, match=r"items\.spool is damaged: 0 bytes"), SqliteStore(job):
        raise AssertionError


# ---- in memory -------------------------------------------------------------------------------------------------------


async def test_the_known_keys_in_memory_are_bounded_and_nothing_is_fetched_twice(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KNOWN", 10)
    with SqliteStore(job) as store:
        for start in range(0, 100, 10):
            await store.ingest(requests(*map(str, range(start, start + 10))))
            assert len(store.known) == 10
        await store.ingest(requests(*map(str, range(100))))
        assert store.live == 100
        assert len(store.known) == 10


async def test_more_lanes_than_are_kept_in_memory_are_all_claimed_in_the_end(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LANES", 5)
    with SqliteStore(job) as store:
        await store.ingest([request for n in range(20) for request in requests("1", host=f"http://h{n}.test")])
        names: list[str] = []
        while store.unclaimed:
            for group in (await store.claim("me", 3, 10, 60.0)).groups:
                names.append(group.name)
                await store.commit([done(ticket(group.head[0], group.epoch))])
        assert sorted(names) == sorted(f"http://h{n}.test" for n in range(20))
        assert store.live == 0


# ---- what fails half-way ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [False, True])
async def test_an_ingest_that_fails_half_way_leaves_no_request_that_would_never_end(job: Path, power: bool) -> None:
    with SqliteStore(job, power=power) as store:
        await store.ingest(requests("0"))
        refuse = "CREATE TRIGGER full BEFORE INSERT ON pending WHEN new.url = '/2' BEGIN SELECT RAISE(ABORT, 'no'); END"
        store._database.execute(refuse)
        with pytest.raises(JobError, match="no"):
            await store.ingest(requests("1", "2"))
        store._database.execute("DROP TRIGGER full")
        await store.commit([])
        assert store.live == 1
    assert look(job).waiting == 1
    assert tables(job, "SELECT count(*) FROM pending") == [(1,)]


@pytest.mark.parametrize("power", [False, True])
async def test_a_cancel_while_the_log_is_folded_does_not_undo_what_is_committed(
    job: Path, power: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteStore(job, power=power) as store:
        await store.ingest(requests("1"))
        [row] = await claimed(store)
        with trio.CancelScope() as scope:

            async def checkpoint() -> None:
                scope.cancel()
                await trio.lowlevel.checkpoint()

            monkeypatch.setattr(store, "_checkpoint", checkpoint)
            await store.commit([done(row, items=[ItemRow(b"{}")])])
        assert scope.cancelled_caught
        monkeypatch.undo()
        await store.commit([])
        assert (store.live, store.logged) == (0, 1)
    assert (look(job).waiting, look(job).items) == (0, 1)


async def test_a_long_write_ahead_log_is_folded_into_the_database(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECKPOINT", 100_000)
    folds = []
    fold = SqliteStore._fold
    monkeypatch.setattr(SqliteStore, "_fold", lambda store: folds.append(fold(store)))
    with SqliteStore(job) as store:
        for start in range(0, 2000, 10):
            await store.ingest(requests(*map(str, range(start, start + 10))))
            assert (job / "job.sqlite-wal").stat().st_size < 400_000
    assert tables(job, "SELECT count(*) FROM pending") == [(2000,)]
    assert 2 < len(folds) < 100  # not after each of 200 commits, once it was long


async def test_a_log_that_somebody_is_reading_is_folded_later(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECKPOINT", 100_000)
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
    assert tables(job, "SELECT count(*) FROM pending") == [(3001,)]


async def test_words_that_are_no_characters_do_not_stop_a_job(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1"))
        await store.commit([failed(row, "a byte \udc80") for row in await claimed(store)])
    assert [failure.message for failure in failures(job)] == ["a byte ?"]


# ---- requests in rows ------------------------------------------------------------------------------------------------

NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=5)
VALUES = st.dictionaries(NAMES, st.none() | st.integers(-9, 9) | st.text(max_size=5) | st.lists(st.booleans()))
NUMBERS = st.none() | st.integers(1, 10**9)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "callback": NAMES,
        "errback": NAMES,
        "method": st.sampled_from(["GET", "POST", "PUT"]),
        "headers": st.dictionaries(NAMES, st.text(string.ascii_letters, max_size=5)),
        "body": st.binary(max_size=20),
        "cookies": st.dictionaries(NAMES, NAMES),
        "session": NAMES,
        "auth": st.tuples(NAMES, NAMES),
        "proxy": st.just("http://proxy.test:8080/"),
        "meta": VALUES,
        "priority": st.integers(-(2**63) + 1, 2**63 - 1),
        "dont_filter": st.booleans(),
        "lane": NAMES,
        "quotas": st.dictionaries(NAMES, st.floats(0.5, 10)),
        "accept_status": st.lists(st.integers(100, 599), unique=True),
        "timeout": st.floats(0.5, 1000),
        "attempts": NUMBERS,
        "max_body": NUMBERS,
        "plugins": VALUES,
    },
)
HOSTS = st.sampled_from([A, "https://a.test:8443", "http://[::1]:9", "http://a.test.example"])
PATHS = st.text(string.ascii_letters + string.digits + "/?=&%.:", max_size=30)


@given(
    host=HOSTS, path=PATHS, fields=FIELDS, depth=st.integers(0, 99), redirects=st.lists(st.just(A + "/"), max_size=2)
)
def test_a_request_comes_out_of_a_row_as_it_went_in(
    host: str, path: str, fields: dict[str, Any], depth: int, redirects: list[str]
) -> None:
    try:
        request = Request(f"{host}/{path}", **fields).replace(depth=depth, redirects=tuple(redirects))
    except ValueError:
        return  # no URL
    lane = lane_name(request)
    database = sqlite3.connect(":memory:")
    place = (-request.priority, 7)
    row = database.execute("SELECT ?, ?, ?, ?, ?, ?, NULL, NULL", (*place, *pack(request, lane))).fetchone()
    database.close()
    pending = unpack(lane, row)
    assert pending.request == request
    assert (pending.order, pending.group, pending.attempts) == (place, lane, 0)


def test_a_plain_request_takes_no_more_than_its_path() -> None:
    assert pack(Request(f"{A}/shelf/1?page=2"), A) == ("/shelf/1?page=2", 0, None, None)


async def test_requests_of_every_priority_are_claimed_again(job: Path) -> None:
    with SqliteStore(job) as store:
        for priority in (-(2**62) - 5, 0, 2**62 + 5, 2**63 - 1):
            await store.ingest(requests(str(priority), priority=priority))
    with SqliteStore(job) as store:
        assert paths(await claimed(store)) == [str(2**63 - 1), str(2**62 + 5), "0", str(-(2**62) - 5)]


def test_fingerprints_use_the_whole_range_of_an_integer_of_sqlite() -> None:
    prints = [fingerprint(str(n)) for n in range(1000)]
    assert len(set(prints)) == 1000
    assert min(prints) < -(2**62)
    assert max(prints) > 2**62
    assert all(-(2**63) <= number < 2**63 for number in prints)


# ---- folders that are refused ----------------------------------------------------------------------------------------


def refused(job: Path) -> str:
    with pytest.raises(JobError) as caught, SqliteStore(job):
        raise AssertionError
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_programs_database_is_refused_and_left_alone(job: Path) -> None:
    job.mkdir()
    tables(job, "CREATE TABLE birds (name)")
    before = (job / "job.sqlite").read_bytes()
    assert refused(job) == f"{job}/job.sqlite is no job of this program"
    assert (job / "job.sqlite").read_bytes() == before


@pytest.mark.parametrize("garbage", [b"birds\n" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused_and_left_alone(job: Path, garbage: bytes) -> None:
    job.mkdir()
    (job / "job.sqlite").write_bytes(garbage)
    assert refused(job).startswith(f"{job}/job.sqlite is damaged (")
    assert (job / "job.sqlite").read_bytes() == garbage


async def test_a_database_that_was_cut_off_is_refused(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests(*map(str, range(2000))))
    data = (job / "job.sqlite").read_bytes()
    (job / "job.sqlite").write_bytes(data[: len(data) // 2 // 4096 * 4096])
    assert "job.sqlite is damaged" in refused(job)


async def test_a_database_with_a_spoilt_page_is_refused(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests(*map(str, range(2000))))
    data = bytearray((job / "job.sqlite").read_bytes())
    for page in range(4096 * 8, len(data), 4096):
        data[page : page + 200] = b"\xaa" * 200
    (job / "job.sqlite").write_bytes(data)
    assert "job.sqlite is damaged" in refused(job)


def test_a_job_of_another_version_is_refused(job: Path) -> None:
    with SqliteStore(job):
        pass
    tables(job, "PRAGMA user_version = 7")
    assert refused(job) == f"{job}/job.sqlite is of version 7, this program writes version 1: begin a new job"
    with pytest.raises(JobError, match="version 7"):
        look(job)


def test_a_folder_with_other_things_is_no_job(job: Path) -> None:
    job.mkdir()
    (job / "thesis.txt").write_text("x")
    assert refused(job) == f"{job} is no job: it holds thesis.txt, and a job begins in a new or empty folder"
    assert [path.name for path in job.iterdir()] == ["thesis.txt"]


def test_other_files_may_come_into_the_folder_of_a_job(job: Path) -> None:
    with SqliteStore(job):
        pass
    (job / "items.jsonl").write_text("")
    with SqliteStore(job) as store:
        assert store.live == 0


def test_a_file_and_a_folder_without_a_parent_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert refused(tmp_path / "file") == f"{tmp_path}/file is no folder"
    assert "no such file or directory" in refused(tmp_path / "none" / "job")


def test_a_folder_that_is_in_use_is_refused_and_says_by_whom(job: Path) -> None:
    with SqliteStore(job):
        script = f"import pathlib, crawler.store.sqlite as s\ns.SqliteStore(pathlib.Path({str(job)!r})).__enter__()"
        answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert f"JobError: {job} is in use by process " in answer.stderr
        assert refused(job).startswith(f"{job} is in use by process ")
        with pytest.raises(JobError, match="in use"):
            retry_failed(job)
        assert look(job).runs == 1  # looking is no use
    with SqliteStore(job):
        pass


def test_a_crawl_that_was_killed_while_it_made_its_database_begins_anew(job: Path) -> None:
    job.mkdir()
    tables(job, "PRAGMA journal_mode=WAL")
    assert (job / "job.sqlite").stat().st_size > 0
    with pytest.raises(JobError, match=r"is no job: its job\.sqlite is empty"):
        look(job)
    with SqliteStore(job) as store:
        assert store.live == 0
    assert tables(job, "PRAGMA application_id") == [(APPLICATION,)]


def test_another_crawl_is_refused_and_named_unless_it_is_to_go_on(job: Path) -> None:
    was = {"spider": "books (Books)", "arguments": {"shelf": 1}, "settings": {"max_depth": None}}
    now = was | {"arguments": {"shelf": 2}}
    with SqliteStore(job, was):
        pass
    with SqliteStore(job, was) as store:
        assert not store.unclean
    with pytest.raises(JobError, match="belongs to another crawl: arguments shelf was 1, now 2"), SqliteStore(job, now):
        raise AssertionError
    with SqliteStore(job, now, override=True) as store:
        assert not store.unclean  # the refused one has changed nothing
    with pytest.raises(JobError, match="arguments shelf was 2, now 1"), SqliteStore(job, was):
        raise AssertionError
    assert look(job).arguments == {"shelf": 2}
    assert look(job).runs == 3


# ---- looking at it ---------------------------------------------------------------------------------------------------


async def half_done(job: Path) -> None:
    """Two failures, an item of a page, one of an errback, and three requests that wait."""
    with SqliteStore(job, {"spider": "books (Books)", "arguments": {}}) as store:
        await store.ingest([*requests("1", "2", "3", "4"), *requests("5", "6", host=B)])
        rows = {row.request.url: row for row in await claimed(store)}
        stats = {
            "pages": 1,
            "failed": 2,
            "failures": {"connect_failed": 2},
            "kinds": {"connect_failed.refused": 2},
            "samples": {"connect_failed": ["x"], "connect_failed.refused": ["x"], "robots": ["y"]},
        }
        await store.commit(
            [
                done(rows[f"{A}/1"], items=[ItemRow(b'{"n":1}')]),
                failed(rows[f"{A}/2"], items=[ItemRow(b'{"n":"errback"}')]),
                failed(rows[f"{B}/6"], "refused\u2026"),
            ],
            Observations(notes={"stats": msgspec.json.encode(stats), "exhausted": b"true"}),
        )


async def test_a_job_shows_where_it_stands(job: Path) -> None:
    await half_done(job)
    state = look(job)
    assert (state.spider, state.runs, state.finished, state.waiting, state.items) == ("books (Books)", 1, False, 3, 2)
    assert state.waiting_by_lane == {A: 2, B: 1}
    assert state.failed_by_reason == {"connect_failed": 2}
    assert [(failure.url, failure.reason, failure.message, failure.attempts) for failure in failures(job)] == [
        (f"{A}/2", "connect_failed", "refused", 3),
        (f"{B}/6", "connect_failed", "refused\u2026", 3),
    ]
    assert all(failure.at > 1.7e9 for failure in failures(job))


async def test_a_job_is_finished_when_nothing_waits_and_start_had_no_more(job: Path) -> None:
    with SqliteStore(job):
        pass
    assert not look(job).finished
    with SqliteStore(job) as store:
        await store.commit([], Observations(notes={"exhausted": b"true"}))
    assert look(job).finished


async def test_items_are_read_in_parts_and_only_what_is_committed(job: Path) -> None:
    await half_done(job)
    with (job / "items.spool").open("ab") as file:
        file.write(b"half")
    parts = list(items(job, 1))
    assert [[bytes(row.data) for row in part] for part in parts] == [[b'{"n":1}'], [b'{"n":"errback"}']]
    with pytest.raises(JobError, match="is no job"):
        list(items(job.parent / "none"))
    (job / "items.spool").write_bytes(b"nothing of the kind\n" * 20)
    with pytest.raises(JobError, match="is damaged"):
        list(items(job))


async def test_failures_put_back_are_asked_for_again_and_counted_no_more(job: Path) -> None:
    await half_done(job)
    assert retry_failed(job) == 2
    state = look(job)
    assert (state.waiting, state.failed_by_reason, list(failures(job))) == (5, {}, [])
    assert state.stats == {"pages": 1, "failed": 0, "failures": {}, "kinds": {}, "samples": {"robots": ["y"]}}
    assert retry_failed(job) == 0
    with SqliteStore(job) as store:
        rows = await claimed(store)
        assert sorted(paths(rows)) == ["2", "3", "4", "5", "6"]
        assert {row.pending.attempts for row in rows} == {0}
        await store.commit([done(row, items=[ItemRow(b"{}")]) for row in rows])
        assert store.live == 0
        keys = [row.key for row in await store.read(0, 100)]
        assert len(keys) == len(set(keys)) == 7  # those of the errback's item is not taken by the second try


def test_there_is_nothing_to_put_back_where_there_is_no_job(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(JobError, match=r"is no job: it has no job\.sqlite"):
            retry_failed(folder)
        with pytest.raises(JobError, match=r"is no job: it has no job\.sqlite"):
            look(folder)
    assert list(tmp_path.iterdir()) == []


async def test_bodies_are_known_when_the_job_is_opened_again_also_one_of_before_they_were(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1"))
    with SqliteStore(job) as store:
        assert not await store.met(b"body")
        await store.commit([done(held, digest=b"body") for held in await claimed(store)])
    with SqliteStore(job) as store:
        assert await store.met(b"body")
