"""The log of items: what is committed, and where each sink is in it."""

from __future__ import annotations

import string
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stores import claimed, done, requests

from crawler.errors import JobError
from crawler.store import ItemRow
from crawler.store.inspect import read_items
from crawler.store.item_log import MAX_READ, Spool, read_rows
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


async def test_bytes_behind_the_committed_length_of_the_spool_are_cut_off(job: Path) -> None:
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
        pytest.raises(JobError, match=r"items\.spool is damaged: it has 1 bytes, but \d+ were committed"),
        SqliteStore(job),
    ):
        raise AssertionError
    (job / "items.spool").unlink()
    with pytest.raises(JobError, match=r"items\.spool is damaged: it has 0 bytes"), SqliteStore(job):
        raise AssertionError


# ---- the file alone --------------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=20)
ITEMS = st.text(string.printable, max_size=20).map(lambda text: text.encode("unicode_escape").replace(b'"', b"'"))
ROWS = st.lists(st.tuples(TEXTS, TEXTS, ITEMS.map(lambda text: b'"' + text.replace(b"\\", b"/") + b'"')), max_size=9)


@given(batches=st.lists(ROWS, max_size=4), n=st.integers(1, 5))
def test_rows_are_read_as_they_were_written_however_many_at_a_time(
    batches: list[list[tuple[str, str, bytes]]], n: int
) -> None:
    with TemporaryDirectory() as folder:
        spool = Spool(Path(folder, "items"), 0)
        for batch in batches:
            spool.length = spool.write(batch, at=spool.length)
        found, offset = [], 0
        while offset < spool.length:
            rows, ends = spool.read(offset, n)
            assert 0 < len(rows) == len(ends) <= n
            found += rows
            offset = ends[-1]
        spool.close()
        assert [(row.key, row.page, bytes(row.data)) for row in found] == [row for batch in batches for row in batch]
        assert offset == Path(folder, "items").stat().st_size


def test_rows_that_were_not_committed_are_overwritten_and_not_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "items", 0)
    spool.length = spool.write([("1", "page", b"1")], at=0)
    spool.write([("lost", "page", b'"long"')], at=spool.length)
    assert [row.key for row in spool.read(0, 9)[0]] == ["1"]
    spool.close()
    again = Spool(tmp_path / "items", spool.length)
    again.length = again.write([("2", "page", b"2")], at=again.length)
    again.sync()
    assert [row.key for row in again.read(0, 9)[0]] == ["1", "2"]
    again.close()


def test_a_row_longer_than_a_read_is_returned_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "items", 0)
    item = b'"' + b"x" * (MAX_READ + 1) + b'"'
    spool.length = spool.write([("1", "", item), ("2", "", b"2")], at=0)
    rows, ends = spool.read(0, 9)
    assert [bytes(row.data) for row in rows] == [item]
    assert [row.key for row in spool.read(ends[-1], 9)[0]] == ["2"]
    spool.close()


@pytest.mark.parametrize("content", [b"birds\n", b'{"key":1}\n', b'{"key":"a","page":"b","item":', b"\xff\xfe\n"])
def test_a_file_of_anything_else_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "items"
    path.write_bytes(content)
    with pytest.raises(JobError, match="items is damaged: "):
        read_rows(path, 0, 9, len(content))


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "items").mkdir()
    with pytest.raises(JobError, match=r"cannot open .*items: is a directory"):
        Spool(tmp_path / "items", 0)
    with pytest.raises(JobError, match="damaged"):
        read_rows(tmp_path / "none", 0, 9, 5)
