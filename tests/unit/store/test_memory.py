"""Behaviour of the store in memory alone. `test_protocol.py` tests what all stores have in common."""

from __future__ import annotations

from support.stores import A, claimed, done, requests

from crawler.store import Checkpoint, CookieChange, ItemRow, MemoryStore, Observations, ResumeState, RobotsAnswer


async def one_page(store: MemoryStore, path: str, items: list[ItemRow]) -> None:
    await store.ingest(requests(path))
    [held] = await claimed(store)
    await store.commit([done(held, items=items)])
    await store.release(A, held.epoch, {})


async def test_it_ends_with_the_process_and_has_no_earlier_run() -> None:
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
    [group] = (await store.claim("me", 1, 1, 60.0)).groups
    assert list(group.robots) == []


async def test_items_are_counted_and_not_kept_while_no_sink_follows() -> None:
    store = MemoryStore()
    await one_page(store, "1", [ItemRow(b'{"n":1}')])
    assert store.logged == 1
    assert await store.follow("late") == (1, None)
    assert await store.read(1, 10) == []
    await one_page(store, "2", [ItemRow(b'{"n":2}')])
    assert [bytes(row.data) for row in await store.read(1, 10)] == [b'{"n":2}']


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
