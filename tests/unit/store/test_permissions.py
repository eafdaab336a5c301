"""Jobs are private to their owner, from their first file on."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stores import execute, requests

from crawler.store.permissions import create_folder, tighten
from crawler.store.sqlite import SqliteStore

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
