"""Behaviour of the store in memory alone. `test_protocol.py` tests what all stores have in common."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from contextlib import closing
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from support.stores import A, B, claimed, done, paths, requests, ticket

from crawler.messages import Request
from crawler.store import (
    Checkpoint,
    CommitResult,
    CookieChange,
    ItemRow,
    Kind,
    MemoryStore,
    Observations,
    Outcome,
    ResumeState,
    RobotsAnswer,
    memory,
)


async def one_page(store: MemoryStore, path: str, items: list[ItemRow]) -> None:
    await store.ingest(requests(path))
    [held] = await claimed(store)
    await store.commit([done(held, items=items)])
    await store.release(A, held.epoch, {})


async def test_a_memory_store_has_no_earlier_run() -> None:
    store = MemoryStore()
    observations = Observations(
        checkpoint=Checkpoint(stats=b"{}"),
        states={"spider": {"page": b"1"}},
        cookies=[CookieChange(session="", domain="a.test", path="/", name="a", value=b'"1"')],
        robots=[RobotsAnswer(A, 200, b"", 0.0)],
    )
    await store.ingest(requests("1"), exhausted=True)
    await store.commit([], observations)
    assert not store.durable
    assert await store.resume_state() == ResumeState()
    [group] = (await store.claim(1, 1)).groups
    assert list(group.robots) == []


async def test_items_are_counted_and_not_kept_while_no_sink_follows() -> None:
    store = MemoryStore()
    await one_page(store, "1", [ItemRow(b'{"n":1}')])
    assert store.logged == 1
    assert await store.follow("late") == (1, None)
    assert await store.read(1, 10) == []
    await one_page(store, "2", [ItemRow(b'{"n":2}')])
    assert [bytes(row.data) for row in await store.read(1, 10)] == [b'{"n":2}']


async def test_other_tasks_run_while_the_requests_of_a_large_page_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "STEP", 10)
    store, lives = MemoryStore(), set[int]()

    async def watch() -> None:
        while True:
            lives.add(store.live)
            await trio.lowlevel.checkpoint()

    await store.ingest(requests("page"), exhausted=True)
    [held] = await claimed(store)
    await store.stage(1, [], requests(*map(str, range(95)), "1", "page"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        committed = await store.commit([done(held, stage=1)])
        nursery.cancel_scope.cancel()
    assert len(lives) >= 4
    assert (store.live, committed.duplicates, committed.grew) == (95, 2, {A})


async def test_a_sink_is_new_in_every_run() -> None:
    store = MemoryStore()
    await store.follow("file")
    assert not store.follows("file")


async def test_rows_hold_the_objects_that_the_callback_made() -> None:
    store = MemoryStore()
    await store.follow("collector")
    value = {"n": 1}
    await one_page(store, "1", [ItemRow(b'{"n":1}', value)])
    [row] = await store.read(0, 10)
    assert row.value is value
    assert row.page == f"{A}/1"


async def test_items_that_every_sink_has_stored_are_forgotten() -> None:
    store = MemoryStore()
    await store.follow("one")
    await store.follow("two")
    await one_page(store, "1", [ItemRow(b"{}")] * 100)
    await store.advance("one", 100, None)
    assert len(store._log) == 100
    await store.advance("two", 60, None)
    assert len(store._log) == 40
    assert len(await store.read(60, 1000)) == 40


async def test_a_release_under_an_old_epoch_changes_nothing() -> None:
    store = MemoryStore()
    await store.ingest(requests("1"))
    [held] = await claimed(store)
    await store.release(A, held.epoch - 1, {"next_start": 9.0})
    await store.release("http://unknown.test", held.epoch, {})
    assert not store.unclaimed


PUSHED = st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, 12), st.integers(-1, 1)), max_size=6)


@given(pages=st.lists(PUSHED, min_size=1, max_size=12), most=st.integers(0, 4), retries=st.integers(0, 3))
async def test_a_store_that_writes_to_disk_returns_the_same_requests(
    pages: list[list[tuple[str, int, int]]], most: int, retries: int
) -> None:
    """Both stores get the same pages, and give the same requests in the same order, attempts included."""
    told = []
    for limits in ({}, {"max_keys": most, "max_pending": most}):
        with closing(MemoryStore(**limits)) as store:
            told.append(await replay(store, pages, retries))
    assert told[0] == told[1]


async def replay(store: MemoryStore, pages: list[list[tuple[str, int, int]]], retries: int) -> list[Any]:
    """Settle the first request of each group repeatedly, each with one of the pages; return what was seen."""
    seen: list[Any] = []
    await store.ingest([Request(f"{A}/start"), Request(f"{B}/start")])
    for links in pages:
        groups = (await store.claim(9, 2)).groups
        seen += [(group.name, paths(group.head), [row.attempts for row in group.head], group.more) for group in groups]
        for group in groups:
            held = ticket(group.head[0], group.epoch)
            seen.append(paths(await store.more(group.name, group.epoch, group.head[0].order, 3)))
            if held.pending.attempts < retries:
                attempts = held.pending.attempts + 1
                again = Outcome(kind=Kind.RETRY, ticket=held, attempts=attempts, not_before=5.0)
                assert (await store.commit([again])).results == [CommitResult.OK]
            found = [Request(f"{host}/{n}", priority=priority) for host, n, priority in links]
            made = await store.commit([done(held, discovered=found), done(held, discovered=found)])
            assert made.results == [CommitResult.OK, CommitResult.DUP]
            seen += [paths(made.fresh), made.duplicates, store.live]
            await store.release(group.name, group.epoch, {})
    return seen


async def test_no_request_is_lost_or_doubled_between_memory_and_disk() -> None:
    with closing(MemoryStore(max_keys=20, max_pending=10)) as store:
        await store.ingest(requests(*map(str, range(100))))
        [group] = (await store.claim(9, 7)).groups
        counts: Counter[str] = Counter()
        rows, number = group.head, 100
        while rows:
            for row in rows:
                counts[row.request.url] += 1
                more = requests(*map(str, range(number, number + 3))) if number < 400 else []
                number += len(more)
                await store.commit([done(ticket(row, group.epoch), discovered=[*more, *requests("5", "50")])])
            rows = await store.more(group.name, group.epoch, rows[-1].order, 7)
        assert counts == Counter(f"{A}/{n}" for n in range(number))
        assert store.live == 0
        assert len(store.known) == number


MANY = """
import trio
from crawler.messages.request import plain_get
from crawler.store import MemoryStore

async def main():
    store = MemoryStore(max_keys=5_000, max_pending=5_000)
    before = memory()
    for batch in range(200):
        urls = [f"https://h{n % 9}.example/articles/{batch}/page-{n}" for n in range(500)]
        await store.ingest([plain_get(url, None, 1) for url in urls])
    print(memory() - before, store.live, len(store.known))
    store.close()

def memory():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

trio.run(main)
"""


def test_100_000_pending_requests_take_little_memory() -> None:
    """In dictionaries they take 60 MB."""
    run = subprocess.run([sys.executable, "-c", MANY], check=True, capture_output=True, text=True)
    megabytes, live, known = map(int, run.stdout.split())
    assert (live, known) == (100_000, 100_000)
    assert megabytes < 35


async def test_a_request_that_cannot_be_written_to_disk_stays_in_memory() -> None:
    with closing(MemoryStore(max_pending=1)) as store:
        made = requests("1", "2", "3")
        made[1].meta["found"] = thing = object()
        await store.ingest(made)
        held = await claimed(store)
        assert paths([each.pending for each in held]) == ["1", "2", "3"]
        assert held[1].pending.request.meta["found"] is thing
        await store.commit([done(each) for each in held])
        assert store.live == 0
