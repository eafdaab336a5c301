"""Jobs that cannot be continued as they are: each is refused with one line, and left as it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.stores import claimed, done, requests

from crawler.errors import JobError
from crawler.store import ItemRow
from crawler.store.identity import Identity
from crawler.store.inspect import inspect_job
from crawler.store.sqlite import SqliteStore


def content(job: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in job.iterdir() if path.name not in ("lock", "job.sqlite-shm")}


def refused(job: Path) -> str:
    """Return the line with which a job is refused; nothing in its folder changes."""
    before = content(job)
    with pytest.raises(JobError) as caught, SqliteStore(job):
        raise AssertionError
    assert "\n" not in str(caught.value)
    assert content(job) == before
    return str(caught.value)


async def commit(store: SqliteStore, first: int, count: int) -> None:
    """Commit pages with one item each, one after another."""
    await store.ingest(requests(*(str(n) for n in range(first, first + count))))
    pages = await claimed(store)
    for page in pages:
        await store.commit([done(page, items=[ItemRow(b'{"page":"%b"}' % page.request.url.encode())])])
    await store.release(pages[0].lane.name, pages[0].epoch, {})


@pytest.fixture
async def killed(tmp_path: Path) -> Path:
    """A job that was killed after three commits, a checkpoint and three more commits."""
    with SqliteStore(tmp_path / "running") as store:
        await commit(store, 0, 3)
        await store.checkpoint()
        await commit(store, 3, 3)
        shutil.copytree(tmp_path / "running", tmp_path / "killed")
    return tmp_path / "killed"


def items(job: Path) -> int:
    return inspect_job(job).items


def run_advice(line: str) -> None:
    """Run the command in a message."""
    command = re.search(r"truncate -s \d+ \S+", line)
    assert command is not None, line
    subprocess.run(command.group().split(), check=True)


async def test_a_job_whose_tables_are_gone_keeps_its_items(job: Path, killed: Path) -> None:
    spool = (killed / "items.spool").read_bytes()
    for database in (None, b"", (killed / "job.sqlite").read_bytes()[:0]):
        for path in killed.glob("job.sqlite*"):
            path.unlink()
        if database is not None:
            (killed / "job.sqlite").write_bytes(database)
        lost = "missing" if database is None else "empty"
        assert refused(killed).startswith(f"{killed}/job.sqlite is {lost}, but items.spool holds items of the job: ")
        assert (killed / "items.spool").read_bytes() == spool


async def test_a_job_whose_first_commits_were_in_a_lost_write_ahead_log_keeps_its_items(job: Path) -> None:
    """Version 0.1 made no checkpoint before the write-ahead log had 16 MB."""
    with SqliteStore(job) as store:
        await commit(store, 0, 3)
    spool = (job / "items.spool").read_bytes()
    (job / "job.sqlite").unlink()
    subprocess.run(  # noqa: ASYNC221
        ["python3", "-c", "import sqlite3; sqlite3.connect('job.sqlite').execute('PRAGMA journal_mode=WAL')"],
        cwd=job, check=True,
    )  # fmt: skip
    assert (job / "job.sqlite").stat().st_size
    assert "job.sqlite has no tables without job.sqlite-wal" in refused(job)
    assert (job / "items.spool").read_bytes() == spool


@pytest.mark.parametrize("looked_at", [False, True])
async def test_a_job_without_its_write_ahead_log_is_refused_and_can_go_back(killed: Path, looked_at: bool) -> None:
    (killed / "job.sqlite-wal").unlink()
    if looked_at:
        assert items(killed) == 3
    line = refused(killed)
    assert "job.sqlite-wal is missing, which had the last commits of the job: restore it" in line
    run_advice(line)
    with SqliteStore(killed) as store:
        assert store.logged == 3
        await commit(store, 3, 3)
        assert [row.data for row in await store.read(0, 9)] == [b'{"page":"http://a.test/%d"}' % n for n in range(6)]


async def test_an_empty_write_ahead_log_takes_a_job_back_to_its_last_checkpoint(killed: Path) -> None:
    """As after a power failure."""
    os.truncate(killed / "job.sqlite-wal", 0)
    with SqliteStore(killed) as store:
        assert store.logged == 3
        assert store.live == 0


async def test_items_of_one_commit_that_a_kill_prevented_are_not_a_lost_commit(killed: Path) -> None:
    lines = (killed / "items.spool").read_bytes().splitlines(keepends=True)
    (killed / "job.sqlite-wal").unlink()  # another program has written it into the database
    (killed / "items.spool").write_bytes(b"".join(lines[:4]) + lines[4][:20])
    with SqliteStore(killed) as store:
        assert store.logged == 3
        await commit(store, 9, 1)
        assert len(await store.read(0, 9)) == 4


async def test_a_damaged_item_is_found_when_the_job_is_opened(killed: Path) -> None:
    spool = killed / "items.spool"
    rows = spool.read_bytes().splitlines(keepends=True)
    spool.write_bytes(rows[0] + rows[1].replace(b"/1", b"/7") + b"".join(rows[2:]))
    assert refused(killed) == (
        f"{spool} is damaged at byte {len(rows[0])}: an item has changed since it was written (wrong checksum); "
        f"restore {killed} from a copy, or name another folder"
    )


@pytest.mark.parametrize("zeros", [False, True])
async def test_items_that_a_power_failure_took_after_the_last_checkpoint_are_fetched_again(
    killed: Path, zeros: bool
) -> None:
    spool = killed / "items.spool"
    content = spool.read_bytes()
    rows = content.splitlines(keepends=True)
    at = len(b"".join(rows[:4]))
    spool.write_bytes(content[:at] + bytes(len(content) - at) * zeros)
    line = refused(killed)
    assert line.startswith(f"{spool} is damaged at byte {at}: ")
    assert line.endswith("takes the job back to its last checkpoint, and the pages since then are fetched again")
    run_advice(line)
    with SqliteStore(killed) as store:
        assert (store.logged, store.live) == (3, 0)


async def test_a_spool_with_a_row_too_few_is_refused(killed: Path) -> None:
    rows = (killed / "items.spool").read_bytes().splitlines(keepends=True)
    (killed / "items.spool").write_bytes(rows[0] + rows[1][:-1] + b" " * len(rows[2]) + b"\n" + b"".join(rows[3:]))
    assert "is damaged: it has 5 items, but 6 were committed" in refused(killed)


async def test_a_job_that_is_refused_keeps_its_write_ahead_log(killed: Path) -> None:
    with SqliteStore(killed.with_name("running"), Identity(crawl={"spider": "a", "arguments": {}})):
        pass
    before = content(killed)
    with SqliteStore(killed, Identity(crawl={"spider": "a", "arguments": {}})):
        shutil.copytree(killed, killed.with_name("again"))
    assert before != content(killed)
    job = killed.with_name("again")
    before = content(job)
    other = Identity(crawl={"spider": "b", "arguments": {}})
    with pytest.raises(JobError, match="belongs to another crawl"), SqliteStore(job, other):
        raise AssertionError
    assert content(job) == before
