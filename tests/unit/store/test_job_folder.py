"""Folders and databases that are refused, and those that are used."""

from __future__ import annotations

import logging
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stores import execute, requests

from crawler.engine.job import Job
from crawler.errors import JobError
from crawler.store.identity import Identity
from crawler.store.inspect import inspect_job, retry_failed, runs_of
from crawler.store.job_folder import create_folder, tighten
from crawler.store.schema import APPLICATION_ID
from crawler.store.sqlite import SqliteStore


def refused(job: Path) -> str:
    with pytest.raises(JobError) as caught, SqliteStore(job):
        raise AssertionError
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_programs_database_is_refused_and_left_alone(job: Path) -> None:
    job.mkdir()
    execute(job, "CREATE TABLE birds (name)")
    before = (job / "job.sqlite").read_bytes()
    assert refused(job) == f"{job}/job.sqlite is the database of another program"
    assert (job / "job.sqlite").read_bytes() == before


@pytest.mark.parametrize("garbage", [b"birds\n" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_not_a_database_is_refused_and_left_alone(job: Path, garbage: bytes) -> None:
    job.mkdir()
    (job / "job.sqlite").write_bytes(garbage)
    assert refused(job).startswith(f"{job}/job.sqlite is damaged (")
    assert (job / "job.sqlite").read_bytes() == garbage


async def test_a_truncated_database_is_refused(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests(*map(str, range(2000))))
    data = (job / "job.sqlite").read_bytes()
    (job / "job.sqlite").write_bytes(data[: len(data) // 2 // 4096 * 4096])
    assert re.fullmatch(
        r"\S+/job.sqlite is damaged \(.+\): restore \S+ from a copy, or name another folder", refused(job)
    )


async def test_a_database_with_a_corrupt_page_is_refused(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests(*map(str, range(2000))))
    data = bytearray((job / "job.sqlite").read_bytes())
    for page in range(4096 * 8, len(data), 4096):
        data[page : page + 200] = b"\xaa" * 200
    (job / "job.sqlite").write_bytes(data)
    assert refused(job).startswith(f"{job}/job.sqlite is damaged (")


async def test_what_is_wrong_with_a_database_is_named(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests(*map(str, range(2000))))
    data = bytearray((job / "job.sqlite").read_bytes())
    data[4096 * 9 : 4096 * 9 + 8] = b"\xaa" * 8  # the header of one page
    (job / "job.sqlite").write_bytes(data)
    message = refused(job)
    assert "database main" not in message
    assert message.endswith(f"): restore {job} from a copy, or name another folder")


def test_a_database_whose_schema_is_not_utf_8_is_refused(job: Path) -> None:
    with SqliteStore(job):
        pass
    data = (job / "job.sqlite").read_bytes()
    (job / "job.sqlite").write_bytes(data.replace(b"CREATE TABLE pending", b"CREATE \xacABLE pending"))
    assert "job.sqlite is damaged (malformed)" in refused(job)
    with pytest.raises(JobError, match="is damaged"):
        inspect_job(job)


def test_a_job_of_another_version_is_refused(job: Path) -> None:
    with SqliteStore(job):
        pass
    execute(job, "PRAGMA user_version = 7")
    assert refused(job) == f"{job}/job.sqlite has job format 7, and this version of crawler reads 2: start a new job"
    with pytest.raises(JobError, match="job format 7"):
        inspect_job(job)


def test_a_folder_with_other_files_is_not_a_job_folder(job: Path) -> None:
    job.mkdir()
    (job / "thesis.txt").write_text("x")
    assert (
        refused(job) == f"{job} is not a job folder: it contains thesis.txt; name a new or an empty folder for the job"
    )
    assert [path.name for path in job.iterdir()] == ["thesis.txt"]


def test_other_files_may_be_added_to_a_job_folder(job: Path) -> None:
    with SqliteStore(job):
        pass
    (job / "items.jsonl").write_text("")
    with SqliteStore(job) as store:
        assert store.live == 0


def test_a_file_and_a_folder_without_a_parent_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert refused(tmp_path / "file") == f"{tmp_path}/file is not a folder"
    assert "no such file or directory" in refused(tmp_path / "none" / "job")


def test_a_folder_in_use_is_refused_and_the_message_names_the_process(job: Path) -> None:
    with SqliteStore(job):
        script = f"import pathlib, crawler.store.sqlite as s\ns.SqliteStore(pathlib.Path({str(job)!r})).__enter__()"
        answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert f"JobError: {job} is in use by process " in answer.stderr
        assert refused(job).startswith(f"{job} is in use by process ")
        with pytest.raises(JobError, match="in use"):
            retry_failed(job)
        assert inspect_job(job).runs == 1  # inspecting does not need the lock
    with SqliteStore(job):
        pass


def test_a_crawl_that_was_killed_while_creating_its_database_starts_over(job: Path) -> None:
    job.mkdir()
    execute(job, "PRAGMA journal_mode=WAL")
    assert (job / "job.sqlite").stat().st_size > 0
    with pytest.raises(JobError, match=r"is not a job folder: its job\.sqlite is empty"):
        inspect_job(job)
    with SqliteStore(job) as store:
        assert store.live == 0
    assert execute(job, "PRAGMA application_id") == [(APPLICATION_ID,)]


def test_another_crawl_is_refused_with_the_difference_unless_override_is_set(job: Path) -> None:
    crawl = {"spider": "books (Books)", "arguments": {"shelf": 1}, "settings": {"max_depth": None}}
    was, now = Identity(crawl=crawl), Identity(crawl=crawl | {"arguments": {"shelf": 2}})
    with SqliteStore(job, was):
        pass
    with SqliteStore(job, was) as store:
        assert not store.unclean
    with (
        pytest.raises(JobError, match="belongs to another crawl: argument shelf was 1 and is now 2"),
        SqliteStore(job, now),
    ):
        raise AssertionError
    with SqliteStore(job, now, override=True) as store:
        assert not store.unclean  # the refused run changed nothing
    with pytest.raises(JobError, match="argument shelf was 2 and is now 1"), SqliteStore(job, was):
        raise AssertionError
    assert inspect_job(job).arguments == {"shelf": 2}
    assert inspect_job(job).runs == 3


def test_a_folder_with_an_impossible_name_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 300)
    for use in (inspect_job, retry_failed, runs_of):
        with pytest.raises(JobError, match="as a job folder: file name too long"):
            use(folder)
    with pytest.raises(JobError, match="as a job folder: file name too long"):
        Job(folder).check()


FILES = {"items.spool", "job.sqlite", "job.sqlite-shm", "job.sqlite-wal", "lock"}


def modes(folder: Path) -> dict[str, str]:
    """Return the permissions of a folder, as ``.``, and of its files."""
    found = {".": folder, **{path.name: path for path in folder.iterdir()}}
    return {name: oct(stat.S_IMODE(path.stat().st_mode)) for name, path in found.items()}


PRIVATE = {".": "0o700", **dict.fromkeys(FILES, "0o600")}


@pytest.fixture(params=[0o000, 0o022, 0o177, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
async def test_a_job_is_private_whatever_the_umask_is(job: Path, caplog: pytest.LogCaptureFixture) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("a"))
        assert modes(job) == PRIVATE
    assert set(modes(job).values()) == {"0o700", "0o600"}
    with SqliteStore(job) as store:
        await store.ingest(requests("b"))
        assert modes(job) == PRIVATE
    assert not caplog.records


async def test_a_job_is_private_before_anything_is_in_it(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int]] = []

    def spy(path: object, flags: int, mode: int = 0o777, **rest: object) -> int:
        if flags & os.O_CREAT:
            opened.append((Path(str(path)).name, mode))
        return os_open(path, flags, mode, **rest)  # type: ignore[arg-type]

    os_open, before = os.open, os.umask(0)
    try:
        monkeypatch.setattr(os, "open", spy)
        with SqliteStore(job):
            pass
    finally:
        os.umask(before)
    assert opened == [("lock", 0o600), ("job.sqlite", 0o600), ("items.spool", 0o600)]


async def test_an_older_job_that_others_can_read_is_tightened_with_one_line(
    job: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("a"))
        wal = (job / "job.sqlite-wal").read_bytes()
    (job / "job.sqlite-wal").write_bytes(wal)  # as a killed process leaves it
    (job / "mine.txt").write_text("")
    for path in job.iterdir():
        path.chmod(0o644)
    job.chmod(0o755)
    with SqliteStore(job):
        assert modes(job) == PRIVATE | {"mine.txt": "0o644"}
        assert caplog.record_tuples == [
            (
                "crawler.store",
                logging.WARNING,
                f"other users could read {job}, which may hold passwords and cookies: they no longer can",
            )
        ]
    with SqliteStore(job):
        assert len(caplog.records) == 1


def test_an_empty_folder_that_others_can_read_becomes_private(job: Path, caplog: pytest.LogCaptureFixture) -> None:
    job.mkdir()
    job.chmod(0o777)
    with SqliteStore(job):
        assert modes(job) == PRIVATE
    assert not caplog.records


def test_a_folder_of_another_program_keeps_its_permissions(job: Path) -> None:
    job.mkdir()
    job.chmod(0o755)
    execute(job, "CREATE TABLE birds (name)")
    (job / "job.sqlite").chmod(0o644)
    with pytest.raises(Exception, match="another program"), SqliteStore(job):
        raise AssertionError
    assert modes(job)["."] == "0o755"
    assert modes(job)["job.sqlite"] == "0o644"


def test_permissions_that_cannot_be_changed_are_reported_and_the_job_is_used(
    job: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    create_folder(job)
    job.chmod(0o750)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    tighten(job, ("lock",), is_known=False)
    (line,) = caplog.messages
    assert line == (
        f"other users may read {job}, which may hold passwords and cookies: "
        "its permissions cannot be changed (operation not permitted)"
    )
