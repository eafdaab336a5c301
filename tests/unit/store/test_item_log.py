"""The log of items: what is committed, and where each sink is in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support.stores import claimed, done, requests

from crawler.errors import JobError
from crawler.messages import Row
from crawler.store import ItemRow, Observations
from crawler.store.inspect import read_items
from crawler.store.spool import Spool
from crawler.store.sqlite import SqliteStore


async def test_a_sink_that_is_not_followed_costs_no_memory(job: Path) -> None:
    with SqliteStore(job) as store:
        assert await store.follow("left out") == await store.follow("file") == (0, None)
        await store.ingest(requests(*map(str, range(20))))
    with SqliteStore(job) as store:
        await store.follow("file")
        for number, row in enumerate(await claimed(store)):
            await store.commit([done(row, items=[ItemRow(b"{}")] * 100)])
            assert len(await store.read(100 * number, 1000)) == 100
            await store.advance("file", 100 * (number + 1), None)
        assert len(store._log._offsets) < 200  # where items begin that may still be read
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
    assert found == sum(len(part) for part in read_items(job)) == 10


async def test_bytes_after_the_committed_length_of_the_spool_are_cut_off(job: Path) -> None:
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


async def test_a_spool_shorter_than_its_committed_length_is_refused(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1"))
        await store.commit([done(row, items=[ItemRow(b"{}")]) for row in await claimed(store)])
    (job / "items.spool").write_bytes(b"{")
    with (
        pytest.raises(JobError, match=r"damaged at byte 1: it ends there, but \d+ bytes were committed"),
        SqliteStore(job),
    ):
        raise AssertionError
    (job / "items.spool").unlink()
    with pytest.raises(JobError, match=r"items\.spool is damaged at byte 0: it ends there"), SqliteStore(job):
        raise AssertionError


async def test_the_items_of_a_commit_are_written_together_and_in_order(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.store.item_log.GATHERED", 4)
    written: list[int] = []
    write = Spool.write

    def counted(spool: Spool, rows: Sequence[Row], *, at: int, commit: int) -> int:
        written.append(len(rows))
        return write(spool, rows, at=at, commit=commit)

    monkeypatch.setattr(Spool, "write", counted)
    with SqliteStore(job) as store:
        await store.ingest(requests(*map(str, range(7))))
        rows = await claimed(store)
        items = [[ItemRow(b"%d" % number)] for number in range(7)]
        await store.commit([done(row, items=item) for row, item in zip(rows[:6], items, strict=False)])
        await store.commit([done(rows[6], items=items[6])])
        assert written == [4, 2, 1]
        assert [bytes(row.data) for row in await store.read(0, 9)] == [b"%d" % number for number in range(7)]
    assert [bytes(row.data) for part in read_items(job) for row in part] == [b"%d" % number for number in range(7)]


async def test_items_of_a_transaction_that_fails_are_not_in_the_next_one(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1", "2"))
        one, two = await claimed(store)
        with monkeypatch.context() as broken:
            broken.setattr(store, "_observe", lambda _: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await store.commit([done(one, items=[ItemRow(b"1")])], Observations())
        await store.commit([done(two, items=[ItemRow(b"2")])])
        assert [bytes(row.data) for row in await store.read(0, 9)] == [b"2"]
