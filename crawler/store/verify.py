"""`check_job`: refuses a job that cannot be continued, before anything in its folder is changed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler.errors import JobError
from crawler.logs import get_logger
from crawler.store.identity import Identity, check_same
from crawler.store.job_folder import (
    DATABASE,
    SPOOL,
    SQLITE_ERRORS,
    WAL,
    connect,
    connect_without_wal,
    describe_error,
    has_crashed,
    size,
)
from crawler.store.spool import DamagedSpool, check_rows, read_ahead

__all__ = ["check_job"]

RESTORE: Final = "restore {} from a copy, or name another folder"
log = get_logger("crawler.store")


class _Ahead(JobError):
    """The write-ahead log has commits whose items were lost; without it, the job is whole."""


def check_job(folder: Path, identity: Identity | None, *, override: bool) -> None:
    """Check the database of a job, whose crawl it is, and its items. The folder is locked.

    If the system went down during the last run, the job is taken back to its last checkpoint where that is needed.
    """
    try:
        _check(folder, identity, override=override)
    except _Ahead:
        with closing(connect_without_wal(folder)) as database:
            if not has_crashed(dict(database.execute("SELECT name, value FROM meta"))):
                raise
        _take_back(folder / WAL, 0)
        _check(folder, identity, override=override)


def _take_back(path: Path, length: int) -> None:
    """Cut a file after what belongs to the last checkpoint."""
    log.warning(
        "the system went down: %s goes back to its last checkpoint; pages since then are fetched again", path.parent
    )
    os.truncate(path, length)


def _check(folder: Path, identity: Identity | None, *, override: bool) -> None:
    """Check a job. The connection is read-only: it leaves the write-ahead log as it is when it closes."""
    has_wal = (folder / WAL).exists()
    with closing(connect(folder, read_only=True)) as database:
        try:
            meta = dict(database.execute("SELECT name, value FROM meta"))
        except SQLITE_ERRORS as error:
            raise JobError(describe_error(folder / DATABASE, error)) from error
        if identity is not None and not override and "identity" in meta:
            check_same(identity, msgspec.json.decode(meta["identity"]), folder)
        _check_items(folder, meta)
        if not has_wal:
            _check_commits(folder, meta)


def _check_items(folder: Path, meta: Mapping[str, Any]) -> None:
    """Check that the spool has all committed items."""
    spool, length, logged = folder / SPOOL, int(meta.get("spool", 0)), int(meta.get("logged", 0))
    try:
        if size(spool) < length:
            raise DamagedSpool(spool, size(spool), f"it ends there, but {length} bytes were committed")
        count = check_rows(spool, length) if length else 0
    except DamagedSpool as damage:
        raise _remedy(folder, damage) from None
    if count is not None and count != logged:
        raise JobError(
            f"{spool} is damaged: it has {count} items, but {logged} were committed; {RESTORE.format(folder)}"
        )


def _remedy(folder: Path, damage: DamagedSpool) -> JobError:
    """Return the error for a damaged spool, with advice."""
    wal = folder / WAL
    if size(wal):
        try:
            with closing(connect_without_wal(folder)) as database:
                row = database.execute("SELECT value FROM meta WHERE name = 'spool'").fetchone()
        except SQLITE_ERRORS:
            row = (damage.at + 1,)
        if (row[0] if row else 0) <= damage.at:
            return _Ahead(
                f"{damage}; if the power failed, truncate -s 0 {shlex.quote(str(wal))} takes the job back to its last "
                "checkpoint, and the pages since then are fetched again"
            )
    return JobError(f"{damage}; {RESTORE.format(folder)}")


def _check_commits(folder: Path, meta: Mapping[str, Any]) -> None:
    """Check that the database has all commits whose items the spool has.

    A crawl that was killed may have written the items of one more commit. If there are more, the write-ahead log was
    removed.
    """
    length, commits = int(meta.get("spool", 0)), int(meta.get("commits", 0))
    spool = folder / SPOOL
    if size(spool) > length and any(commit > commits + 1 for commit, _ in read_ahead(spool, length)):
        if has_crashed(meta):
            _take_back(spool, length)
            return
        raise JobError(
            f"{folder / WAL} is missing, which had the last commits of the job: restore it; or truncate -s {length} "
            f"{shlex.quote(str(spool))} takes the job back to its last checkpoint, and the pages since then are "
            "fetched again"
        )
