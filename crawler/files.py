"""Files: complete writes, replacement in one step, and locks between processes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

try:
    import fcntl
except ImportError:  # not on every system; only jobs need locks
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "PRIVATE",
    "create_private",
    "disk_is_full",
    "error_reason",
    "full_disk_cause",
    "is_replaced",
    "locked",
    "replace_file",
    "set_aside",
    "sync_data",
    "sync_folder",
    "write_all",
    "write_refusal",
]

FULL: Final = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
"""Numbers of the errors for a lack of space; not every system has quotas."""
OPEN_FILES: Final = (Path("/dev"), Path("/dev/fd"))
"""Folders of names such as ``/dev/stdout``, which stand for a file that another program has open."""
PRIVATE: Final = 0o600
"""Permissions of a file that only its owner may read and write."""


def write_all(write: Callable[[memoryview], int], data: bytes) -> None:
    """Write all of `data`, however many calls that takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[write(rest) :]


@contextmanager
def replace_file(
    path: Path, *, mode: int | None = None, sync: bool = False, sole_writer: bool = False
) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` when the block ends; if the block raises, `path` stays as it was.

    The new file lies in the same folder as the old one, hidden, under a name with the same ending. A symbolic link
    stays a link: the file that it points to is replaced. A pipe or a device, such as ``/dev/null`` or ``/dev/stdout``,
    is written to and never replaced.
    """
    if not is_replaced(path):
        with path.open("ab") as file:
            yield file
        return
    target = path.resolve()
    new = target.with_name(f".{'new' if sole_writer else os.getpid()}.{target.name}")
    new.unlink(missing_ok=True)
    with ExitStack() as undo:
        if mode is None and target.exists():
            mode = stat.S_IMODE(target.stat().st_mode)
        new.touch(0o666 if mode is None else mode, exist_ok=False)
        undo.callback(new.unlink, missing_ok=True)
        if mode is not None:
            new.chmod(mode)
        with new.open("r+b") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        new.replace(target)
        undo.pop_all()
    if sync:
        sync_folder(target.parent)


def set_aside(path: Path) -> Path:
    """Rename a file to the first free name of ``NAME.damaged``, ``NAME.damaged-2`` …, and return it."""
    kept, number = path.with_name(f"{path.name}.damaged"), 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.damaged-{number}")
    return path.rename(kept)


def is_replaced(path: Path) -> bool:
    """Return whether `replace_file` replaces a path; if not, it is a pipe or a device, which is written to."""
    return path.parent not in OPEN_FILES and (path.is_file() or not path.exists())


def write_refusal(path: Path) -> str:
    """Return why a file or folder cannot be written, with ``{}`` for its name; empty if it can."""
    if os.access(path, os.W_OK):
        return ""
    is_read_only = path.exists() and os.statvfs(path).f_flag & os.ST_RDONLY
    return "cannot write {}: it is on a read-only file system" if is_read_only else "no permission to write {}"


def error_reason(error: OSError) -> str:
    """Return the system's description of an error, without its number and path, to follow the name of the file."""
    return (error.strerror or str(error)).lower()


def disk_is_full(error: OSError) -> bool:
    """Return whether an error says that there is no space for a file: on the disk, in the quota, or below a limit.

    Libraries such as deltalake and DuckDB give no number, but the words of the system.
    """
    if error.errno is None:
        return any(os.strerror(number) in str(error) for number in FULL)
    return error.errno in FULL


def full_disk_cause(error: BaseException | None) -> BaseException | None:
    """Return the exception that says that the disk is full, among an exception and its causes; `None` without one."""
    while error is not None:
        is_full = isinstance(error, OSError) and disk_is_full(error)
        if is_full or getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            return error
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
    return None


def sync_data(descriptor: int) -> None:
    """Wait until the content of a file is on the disk."""
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS, whose `fsync` leaves it in the cache of the disk
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        getattr(os, "fdatasync", os.fsync)(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk (`fsync` of a file covers its content alone)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_private(path: Path) -> None:
    """Create an empty file with the permissions `PRIVATE`, whatever the umask is.

    A file that exists is left as it is.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, PRIVATE)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the exclusive lock (`flock`) of a file, and yield its descriptor.

    The file is created for its owner alone if it does not exist, and stays: removing it would let two processes lock
    two files of the same name. The lock ends with the process, also if that is killed.
    """
    if fcntl is None:
        raise OSError(errno.ENOTSUP, "this system has no locks of files (flock)")
    create_private(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    finally:
        os.close(descriptor)
