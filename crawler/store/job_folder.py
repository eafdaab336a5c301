"""The folder of a durable job: its lock, its database, and the checks that refuse a folder that is not a job."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from crawler.errors import CrawlerError, CrawlFailed, JobError
from crawler.files import PRIVATE, create_private, disk_is_full, error_reason, locked, sync_folder
from crawler.logs import get_logger
from crawler.store.schema import APPLICATION_ID, CREATE_STAGED, SCHEMA, VERSION

__all__ = [
    "DATABASE",
    "SPOOL",
    "SQLITE_ERRORS",
    "WAL",
    "boot_id",
    "check_is_job",
    "connect",
    "connect_without_wal",
    "create_folder",
    "describe_error",
    "has_crashed",
    "is_new",
    "locked_folder",
    "owner_of",
    "size",
    "store_error",
    "sync_names",
    "tighten",
]

DATABASE: Final = "job.sqlite"
WAL: Final = f"{DATABASE}-wal"
SPOOL: Final = "items.spool"
LOCK: Final = "lock"
SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""Raised by SQLite. The message about a damaged database may quote bytes that are not UTF-8."""
FILES: Final = frozenset({DATABASE, WAL, f"{DATABASE}-shm", f"{DATABASE}-journal", SPOOL, LOCK})
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
"""Names one run of the kernel; only Linux has it."""


def boot_id() -> str | None:
    """Return which run of the system this is; `None` if the system does not say."""
    with suppress(OSError):
        return BOOT.read_text("ascii").strip()
    return None


def has_crashed(meta: Mapping[str, Any]) -> bool:
    """Return whether the system went down while a process used the job, as far as the system says."""
    then, now = meta.get("boot"), boot_id()
    return meta.get("clean") == 0 and then is not None and now is not None and then != now


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock the folder of a job for this process; the folder is created if it does not exist."""
    with ExitStack() as stack:
        try:
            if not folder.exists():
                create_folder(folder)
            elif not folder.is_dir():
                raise JobError(f"{folder} is not a folder")
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
            raise _failed(f"cannot use {folder} as a job folder: {reason}", error) from error
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n" % os.getpid(), 0)
        except OSError as error:
            raise _failed(f"cannot write to {folder}: {error_reason(error)}", error) from error
        yield


def owner_of(folder: Path) -> int | None:
    """Return the number of the process that uses the folder of a job; `None` if none does."""
    try:
        text = (folder / LOCK).read_text("ascii", "replace").strip()
        os.kill(int(text), 0)
    except PermissionError:
        pass  # a process of another user
    except (OSError, ValueError, OverflowError):
        return None
    try:  # the number may be that of another process by now
        with locked(folder / LOCK):
            return None
    except OSError:
        return int(text)


def sync_names(folder: Path) -> None:
    """Wait until the file names of a job are on the disk, as its data is."""
    sync_folder(folder)
    sync_folder(folder.resolve().parent)


def is_new(folder: Path) -> bool:
    """Return whether a folder has no job yet. Nothing is changed."""
    path = folder / DATABASE
    database: sqlite3.Connection | None = None
    try:
        if size(path):
            database = _open_to_read(path)
        new = database is None or _is_empty(database)
    except (*SQLITE_ERRORS, OSError) as error:
        raise store_error(path, error) from error
    finally:
        if database is not None:
            database.close()
    if new and size(folder / SPOOL):
        if size(path):
            lost = f"has no tables without {WAL}, which is missing or damaged"
        else:
            lost = "is empty" if path.exists() else "is missing"
        raise JobError(
            f"{path} {lost}, but {SPOOL} holds items of the job: restore the whole folder from a copy, or name another "
            "folder"
        )
    return new


def check_is_job(folder: Path) -> None:
    """Raise `JobError` if a folder is not that of a job, or if this process may not look into it."""
    try:
        if (folder / DATABASE).is_file():
            return
    except OSError as error:
        raise JobError(f"cannot use {folder} as a job folder: {error_reason(error)}") from error
    raise JobError(f"{folder} is not a job folder: it has no {DATABASE}")


def connect(folder: Path, *, power: bool = False, read_only: bool = False, checked: bool = False) -> sqlite3.Connection:
    """Connect to the database of a job; it is created if it does not exist."""
    path = folder / DATABASE
    if read_only:
        check_is_job(folder)
    if not read_only:
        is_new(folder)
    database: sqlite3.Connection | None = None
    try:
        if not read_only:
            create_private(path)  # the other files of a database get the permissions of its main file
        database = _open_to_read(path) if read_only else _open(path, "mode=rwc")
        new = _is_empty(database)
        if new and read_only:
            raise JobError(f"{folder} is not a job folder: its {DATABASE} is empty")
        if not new and not checked:
            _check(database, path)
        if not read_only:
            _prepare(database, folder, power=power, new=new)
    except (*SQLITE_ERRORS, OSError) as error:
        if database is not None:
            database.close()
        raise store_error(path, error) from error
    except JobError:
        if database is not None:
            database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, folder: Path, *, power: bool, new: bool) -> None:
    """Make a connection ready to write, and create the tables that do not exist."""
    tighten(folder, FILES, is_known=not new)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(f"PRAGMA synchronous={'FULL' if power else 'NORMAL'}")
    database.execute("PRAGMA fullfsync=1")  # on macOS; see `sync_data`
    database.execute("PRAGMA cache_size=-4096")
    database.execute("PRAGMA wal_autocheckpoint=0")
    database.executescript(CREATE_STAGED)
    if new:
        database.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION}; COMMIT;"
        )


def connect_without_wal(folder: Path) -> sqlite3.Connection:
    """Connect to the database of a job in the state of its last checkpoint, without its write-ahead log."""
    database = _open(folder / DATABASE, "mode=ro&immutable=1")
    if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        database.close()
        raise sqlite3.DatabaseError("malformed")
    return database


def size(path: Path) -> int:
    """Return the size of a file in bytes, 0 if it does not exist."""
    return path.stat().st_size if path.exists() else 0


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Open a database to read it. Without a write-ahead log it is not being written, and none is created."""
    return _open(path, "mode=ro" if path.with_name(WAL).exists() else "mode=ro&immutable=1")


def _open(path: Path, options: str) -> sqlite3.Connection:
    """Open a database of SQLite with the given options of its URI."""
    uri = f"{path.resolve().as_uri()}?{options}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)


def _is_empty(database: sqlite3.Connection) -> bool:
    """Return whether a database has no tables."""
    return bool(database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0)


def _check(database: sqlite3.Connection, path: Path) -> None:
    """Raise `JobError` if a database belongs to another program or version, or is damaged."""
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise JobError(f"{path} is the database of another program")
    if version != VERSION:
        raise JobError(f"{path} has job format {version}, and this version of crawler reads {VERSION}: start a new job")
    pages, page_size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if path.stat().st_size < pages * page_size and not size(path.with_name(WAL)):
        raise JobError(_damaged(path, "its end is missing"))
    verdict = "ok"
    # Size in bytes up to which a database is checked completely when it is opened. Damage in a larger one shows when it
    # is read.
    if pages * page_size <= 256 * 1024 * 1024:
        verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise JobError(_damaged(path, verdict.splitlines()[-1].lower()))  # the first line names the database


def _damaged(path: Path, why: str) -> str:
    """Return the message about a damaged database."""
    return f"{path} is damaged ({why}): restore {path.parent} from a copy, or name another folder"


def store_error(path: Path, error: Exception) -> CrawlerError:
    """Return the error of a job that could not be opened: `CrawlFailed` if the disk is full, `JobError` otherwise."""
    return _failed(describe_error(path, error), error)


def _failed(message: str, error: Exception) -> CrawlerError:
    if isinstance(error, OSError):
        is_full = disk_is_full(error)
    else:
        is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return CrawlFailed(message) if is_full else JobError(message)


def describe_error(path: Path, error: Exception) -> str:
    """Return one line for an error of SQLite or of the file system: what happened to `path`, and what to do."""
    message = str(error) if isinstance(error, sqlite3.Error) else getattr(error, "strerror", None) or str(error)
    message = "malformed" if isinstance(error, UnicodeDecodeError) else message.lower()
    if "malformed" in message or "not a database" in message or "corrupt" in message:
        return _damaged(path, message)
    if "full" in message or "no space" in message or "too large" in message:
        return f"cannot write {path}: the disk is full ({message}); free some space, then run it again"
    if "readonly" in message or "read-only" in message:
        return f"cannot write {path}: {message}"
    return f"{path}: {message}; nothing committed is lost: solve the problem, then run it again"


FOLDER: Final = 0o700
"""Permissions of the folder of a job."""
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
"""The permission bits of all users except the owner."""
log = get_logger("crawler.store")


def create_folder(path: Path) -> None:
    """Create a folder that only its owner may enter, whatever the umask is."""
    path.mkdir(FOLDER)
    path.chmod(FOLDER)


def tighten(folder: Path, files: Iterable[str], *, is_known: bool) -> None:
    """Remove the permissions of all users except the owner of a job."""
    open_paths = [path for path in (folder, *map(folder.joinpath, files)) if path.exists() and _is_open(path)]
    try:
        for path in open_paths:
            path.chmod(FOLDER if path == folder else PRIVATE)
    except OSError as error:
        log.warning(
            "other users may read %s, which may hold passwords and cookies: its permissions cannot be changed (%s)",
            folder,
            error_reason(error),
        )
        return
    if open_paths and is_known:
        log.warning("other users could read %s, which may hold passwords and cookies: they no longer can", folder)


def _is_open(path: Path) -> bool:
    """Return whether a user other than the owner has a permission on a file or folder."""
    return bool(path.stat().st_mode & OTHERS)
