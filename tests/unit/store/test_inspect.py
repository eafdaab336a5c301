"""The state of a job, its items and its failed requests, as other commands read them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.stores import A, B, claimed, done, failed, paths, requests

from crawler.errors import JobError
from crawler.store import Checkpoint, ItemRow, Observations
from crawler.store.identity import Identity
from crawler.store.inspect import failed_requests, inspect_job, read_items, retry_failed
from crawler.store.sqlite import SqliteStore


async def half_done(job: Path) -> None:
    """Make a job with two failures, an item of a page, an item of an errback, and three waiting requests."""
    with SqliteStore(job, Identity(crawl={"spider": "books (Books)", "arguments": {}})) as store:
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
            Observations(checkpoint=Checkpoint(stats=msgspec.json.encode(stats), exhausted=True)),
        )


async def test_a_job_shows_its_state(job: Path) -> None:
    await half_done(job)
    state = inspect_job(job)
    assert (state.spider, state.runs, state.finished, state.waiting, state.items) == ("books (Books)", 1, False, 3, 2)
    assert state.waiting_by_lane == {A: 2, B: 1}
    assert state.failed_by_reason == {"connect_failed": 2}
    assert [(failure.url, failure.reason, failure.message, failure.attempts) for failure in failed_requests(job)] == [
        (f"{A}/2", "connect_failed", "refused", 3),
        (f"{B}/6", "connect_failed", "refused\u2026", 3),
    ]
    assert all(failure.at > 1.7e9 for failure in failed_requests(job))


async def test_a_job_is_finished_when_nothing_waits_and_start_is_exhausted(job: Path) -> None:
    with SqliteStore(job):
        pass
    assert not inspect_job(job).finished
    with SqliteStore(job) as store:
        await store.commit([], Observations(checkpoint=Checkpoint(exhausted=True)))
    assert inspect_job(job).finished


async def test_committed_items_are_read_in_batches(job: Path) -> None:
    await half_done(job)
    with (job / "items.spool").open("ab") as file:
        file.write(b"half")
    parts = list(read_items(job, 1))
    assert [[bytes(row.data) for row in part] for part in parts] == [[b'{"n":1}'], [b'{"n":"errback"}']]
    with pytest.raises(JobError, match="is not a job folder"):
        list(read_items(job.parent / "none"))
    (job / "items.spool").write_bytes(b"nothing of the kind\n" * 20)
    with pytest.raises(JobError, match="is damaged"):
        list(read_items(job))


async def test_failed_requests_are_queued_again_and_no_longer_counted(job: Path) -> None:
    await half_done(job)
    assert retry_failed(job) == 2
    state = inspect_job(job)
    assert (state.waiting, state.failed_by_reason, list(failed_requests(job))) == (5, {}, [])
    counts = {"pages": 1, "failed": 0, "failures": {}, "kinds": {}, "unreachable": {}}
    assert state.stats == counts | {"samples": {"robots": ["y"]}}
    assert retry_failed(job) == 0
    with SqliteStore(job) as store:
        rows = await claimed(store)
        assert sorted(paths(rows)) == ["2", "3", "4", "5", "6"]
        assert {row.pending.attempts for row in rows} == {0}
        await store.commit([done(row, items=[ItemRow(b"{}")]) for row in rows])
        assert store.live == 0
        keys = [row.key for row in await store.read(0, 100)]
        assert len(keys) == len(set(keys)) == 7  # the retry does not reuse the key of the errback's item


def test_a_folder_without_a_job_has_nothing_to_retry_or_inspect(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(JobError, match=r"is not a job folder: it has no job\.sqlite"):
            retry_failed(folder)
        with pytest.raises(JobError, match=r"is not a job folder: it has no job\.sqlite"):
            inspect_job(folder)
    assert list(tmp_path.iterdir()) == []


async def test_lone_surrogates_in_a_message_do_not_stop_a_job(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1"))
        await store.commit([failed(row, "a byte \udc80") for row in await claimed(store)])
    assert [failure.message for failure in failed_requests(job)] == ["a byte ?"]
