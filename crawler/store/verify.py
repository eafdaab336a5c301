"""`check_job`: refuses a job that cannot be continued, before anything in its folder is changed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from crawler.errors import JobError
from crawler.store.identity import Identity, check_same
from crawler.store.job_folder import (
    DATABASE,
    SPOOL,
    SQLITE_ERRORS,
    WAL,
    connect,
    connect_without_wal,
    describe_error,
    size,
)
from crawler.store.spool import DamagedSpool, check_rows, read_ahead

__all__ = ["check_job"]


def check_job(folder: Path, identity: Identity | None, *, override: bool) -> None:
    """Check the database of a job, whose crawl it is, and its items. The folder is locked.

    The connection is read-only: it leaves the write-ahead log as it is when it closes.
    """
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
        raise JobError(f"{damage}; {_remedy(folder, damage.at)}") from None
    if count is not None and count != logged:
        raise JobError(f"{spool} is damaged: it has {count} items, but {logged} were committed; {_remedy(folder, -1)}")


def _remedy(folder: Path, damaged_at: int) -> str:
    """Return the advice for a spool with damage at a byte offset."""
    wal = folder / WAL
    if size(wal):
        try:
            with closing(connect_without_wal(folder)) as database:
                row = database.execute("SELECT value FROM meta WHERE name = 'spool'").fetchone()
        except SQLITE_ERRORS:
            row = (damaged_at + 1,)
        if (row[0] if row else 0) <= damaged_at:
            return (
                f"if the power failed, truncate -s 0 {shlex.quote(str(wal))} takes the job back to its last "
                "checkpoint, and the pages since then are fetched again"
            )
    return f"restore {folder} from a copy, or name another folder"


def _check_commits(folder: Path, meta: Mapping[str, Any]) -> None:
    """Check that the database has all commits whose items the spool has.

    A crawl that was killed may have written the items of one more commit. If there are more, the write-ahead log was
    removed.
    """
    length, commits = int(meta.get("spool", 0)), int(meta.get("commits", 0))
    spool = folder / SPOOL
    if size(spool) > length and any(commit > commits + 1 for commit, _ in read_ahead(spool, length)):
        raise JobError(
            f"{folder / WAL} is missing, which had the last commits of the job: restore it; or truncate -s {length} "
            f"{shlex.quote(str(spool))} takes the job back to its last checkpoint, and the pages since then are "
            "fetched again"
        )
