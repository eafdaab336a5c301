"""The folder of a durable job: its lock, its database, and the checks that refuse a folder that is not a job."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler.errors import JobError
from crawler.files import create_private, error_reason, locked, sync_folder
from crawler.store.permissions import create_folder, tighten
from crawler.store.schema import APPLICATION_ID, CREATE_STAGED, SCHEMA, VERSION

__all__ = ["DATABASE", "SPOOL", "connect", "describe_error", "first_difference", "locked_folder", "sync_names"]

DATABASE: Final = "job.sqlite"
SPOOL: Final = "items.spool"
LOCK: Final = "lock"
MAX_CHECKED: Final = 256 * 1024 * 1024
"""Size in bytes up to which a database is checked completely when it is opened. Damage in a larger one shows when it is
read."""
FILES: Final = frozenset({DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal", SPOOL, LOCK})


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock the folder of a job for this process; the folder is created if it does not exist.

    Raises:
        JobError: The folder is in use, holds other files, or cannot be created.
    """
    with ExitStack() as stack:
        try:
            if not folder.exists():
                create_folder(folder)
            elif not folder.is_dir():
                raise JobError(f"{folder} is not a directory")
            others = sorted(found.name for found in folder.iterdir() if found.name not in FILES)
            if others and not (folder / DATABASE).exists():
                raise JobError(
                    f"{folder} is not a job folder: it contains {others[0]}; name a new or an empty folder for the job"
                )
            lock = stack.enter_context(locked(folder / LOCK))
        except BlockingIOError:
            owner = (folder / LOCK).read_text("ascii", "replace").strip()
            raise JobError(f"{folder} is in use by process {owner or 'unknown'}") from None
        except OSError as error:
            reason = error_reason(error)
            raise JobError(f"cannot use {folder} as a job folder: {reason}") from error
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n" % os.getpid(), 0)
        except OSError as error:
            raise JobError(f"cannot write to {folder}: {error_reason(error)}") from error
        yield


def sync_names(folder: Path) -> None:
    """Wait until the file names of a job are on the disk, as its data is."""
    sync_folder(folder)
    sync_folder(folder.resolve().parent)


def connect(folder: Path, *, power: bool = False, read_only: bool = False) -> sqlite3.Connection:
    """Connect to the database of a job; it is created if it does not exist.

    Parameters:
        folder: The folder of the job.
        power: Whether each commit must survive a power failure.
        read_only: Whether to read only. The database must exist then.

    Raises:
        JobError: The database is damaged, belongs to another program or version, or cannot be written.
    """
    path = folder / DATABASE
    if read_only and not path.is_file():
        raise JobError(f"{folder} is not a job folder: it has no {DATABASE}")
    if not read_only and not _size(path) and _size(folder / SPOOL):
        raise JobError(
            f"{path} is missing, but {SPOOL} holds items of the job: restore {DATABASE}, or name another folder"
        )
    database: sqlite3.Connection | None = None
    try:
        if not read_only:
            create_private(path)  # SQLite gives the other files of a database the permissions of its main file
        uri = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        database = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
        new = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if new and read_only:
            raise JobError(f"{folder} is not a job folder: its {DATABASE} is empty")
        if not new:
            _check(database, path)
        if not read_only:
            tighten(folder, FILES, is_known=not new)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute(f"PRAGMA synchronous={'FULL' if power else 'NORMAL'}")
            database.execute("PRAGMA cache_size=-4096")
            database.execute("PRAGMA wal_autocheckpoint=0")
            database.executescript(CREATE_STAGED)
        if new:
            database.executescript(
                f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id={APPLICATION_ID}; "
                f"PRAGMA user_version={VERSION}; COMMIT;"
            )
    except (sqlite3.Error, OSError) as error:
        if database is not None:
            database.close()
        raise JobError(describe_error(path, error)) from error
    except JobError:
        if database is not None:
            database.close()
        raise
    return database


def _size(path: Path) -> int:
    """Return the size of a file in bytes, 0 if it does not exist."""
    return path.stat().st_size if path.exists() else 0


def _check(database: sqlite3.Connection, path: Path) -> None:
    """Raise `JobError` if a database belongs to another program or version, or is damaged."""
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise JobError(f"{path} is the database of another program")
    if version != VERSION:
        raise JobError(f"{path} has job format {version}, and this version of crawler reads {VERSION}: start a new job")
    pages, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    wal = path.with_name(f"{path.name}-wal")
    if path.stat().st_size < pages * size and not (wal.exists() and wal.stat().st_size):
        raise JobError(f"{path} is damaged: its end is missing")
    verdict = "ok"
    if pages * size <= MAX_CHECKED:
        verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise JobError(f"{path} is damaged: {verdict.splitlines()[0]}")


def describe_error(path: Path, error: Exception) -> str:
    """Return one line for an error of SQLite or of the file system: what happened to `path`, and what to do."""
    words = str(error) if isinstance(error, sqlite3.Error) else getattr(error, "strerror", None) or str(error)
    words = words.lower()
    if "malformed" in words or "not a database" in words or "corrupt" in words:
        return f"{path} is damaged ({words}): the job cannot be continued"
    if "full" in words or "no space" in words or "too large" in words:
        return f"cannot write {path}: the disk is full ({words}); free some space, then run the same command again"
    if "readonly" in words or "read-only" in words:
        return f"cannot write {path}: {words}"
    return f"{path}: {words}; nothing committed is lost: solve the problem, then run the same command again"


def first_difference(kept: dict[str, Any], now: dict[str, Any], where: str = "") -> str | None:
    """Return in words the first difference between the crawl that a job belongs to and this one; `None` without one."""
    for name in sorted(kept.keys() | now.keys()):
        one, other = kept.get(name), now.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found = first_difference(one, other, f"{where}{name} ")
            if found is not None:
                return found
        elif one != other:
            return f"{where}{name} was {_short(one)} and is now {_short(other)}"
    return None


def _short(value: Any) -> str:
    """Return a value as JSON of at most 80 characters."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:77] + "..."
