"""`JobFolder`: the folder of a durable job: locked while in use, ours or refused, and of one crawl."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler.errors import JobError
from crawler.files import locked, sync_folder
from crawler.store.schema import APPLICATION, SCHEMA, STAGE, VERSION

__all__ = ["DATABASE", "SPOOL", "connect", "difference", "locked_folder", "sync_names", "told"]

DATABASE: Final = "job.sqlite"
SPOOL: Final = "items.spool"
LOCK: Final = "lock"
CHECKED: Final = 256 * 1024 * 1024
"""Bytes of a database that is looked through when it is opened; a larger one shows its damage where it is read."""
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
                folder.mkdir()
            elif not folder.is_dir():
                raise JobError(f"{folder} is no folder")
            strangers = sorted(found.name for found in folder.iterdir() if found.name not in FILES)
            if strangers and not (folder / DATABASE).exists():
                raise JobError(
                    f"{folder} is no job: it holds {strangers[0]}, and a job begins in a new or empty folder"
                )
            lock = stack.enter_context(locked(folder / LOCK))
        except BlockingIOError:
            owner = (folder / LOCK).read_text("ascii", "replace").strip()
            raise JobError(f"{folder} is in use by process {owner or 'unknown'}") from None
        except OSError as error:
            raise JobError(f"{folder} cannot be used for a job: {(error.strerror or str(error)).lower()}") from error
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n" % os.getpid(), 0)
        except OSError as error:
            raise JobError(f"{folder} cannot be written: {(error.strerror or str(error)).lower()}") from error
        yield


def sync_names(folder: Path) -> None:
    """Wait until the names of a job's files are on the disk, as their content is."""
    sync_folder(folder)
    sync_folder(folder.resolve().parent)


def connect(folder: Path, *, power: bool = False, read_only: bool = False) -> sqlite3.Connection:
    """A connection to the database of a job, which is made if it is missing.

    Parameters:
        folder: of the job.
        power: whether each commit has to survive the end of the machine.
        read_only: only look; the database must be there.

    Raises:
        JobError: it is damaged, of another program or another version, or cannot be written.
    """
    path = folder / DATABASE
    if read_only and not path.is_file():
        raise JobError(f"{folder} is no job: it has no {DATABASE}")
    if not read_only and not _size(path) and _size(folder / SPOOL):
        raise JobError(f"{path} is gone, and {SPOOL} holds items of its job: put it back, or begin another job")
    database: sqlite3.Connection | None = None
    try:
        uri = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        database = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
        new = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if new and read_only:
            raise JobError(f"{folder} is no job: its {DATABASE} is empty")
        if not new:
            _check(database, path)
        if not read_only:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute(f"PRAGMA synchronous={'FULL' if power else 'NORMAL'}")
            database.execute("PRAGMA cache_size=-4096")
            database.execute("PRAGMA wal_autocheckpoint=0")
            database.executescript(STAGE)
        if new:
            database.executescript(
                f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION}; COMMIT;"
            )
    except (sqlite3.Error, OSError) as error:
        if database is not None:
            database.close()
        raise JobError(told(path, error)) from error
    except JobError:
        if database is not None:
            database.close()
        raise
    return database


def _size(path: Path) -> int:
    """Bytes of a file; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def _check(database: sqlite3.Connection, path: Path) -> None:
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise JobError(f"{path} is no job of this program")
    if version != VERSION:
        raise JobError(f"{path} is of version {version}, this program writes version {VERSION}: begin a new job")
    pages, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    wal = path.with_name(f"{path.name}-wal")
    if path.stat().st_size < pages * size and not (wal.exists() and wal.stat().st_size):
        raise JobError(f"{path} is damaged: it has been cut off")
    verdict = "ok"
    if pages * size <= CHECKED:
        verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise JobError(f"{path} is damaged: {verdict.splitlines()[0]}")


def told(path: Path, error: Exception) -> str:
    """What went wrong with a file of a job, in one line that says what to do."""
    words = str(error) if isinstance(error, sqlite3.Error) else getattr(error, "strerror", None) or str(error)
    words = words.lower()
    if "malformed" in words or "not a database" in words or "corrupt" in words:
        return f"{path} is damaged ({words}): the job cannot be continued"
    if "full" in words or "no space" in words or "too large" in words:
        return f"{path}: the disk is full ({words}); make room and run the same command again"
    if "readonly" in words or "read-only" in words:
        return f"{path} cannot be written ({words})"
    return f"{path}: {words}; nothing that was committed is lost: run the same command again when that is mended"


def difference(kept: dict[str, Any], now: dict[str, Any], where: str = "") -> str | None:
    """The first thing in which a crawl is not the one that a job belongs to, in words; `None`: it is the same."""
    for name in sorted(kept.keys() | now.keys()):
        one, other = kept.get(name), now.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found = difference(one, other, f"{where}{name} ")
            if found is not None:
                return found
        elif one != other:
            return f"{where}{name} was {_short(one)}, now {_short(other)}"
    return None


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:77] + "..."
