"""`PartialFile`: a file while it is downloaded, and `place`: how it gets its final name.

A file is noted under its final name before it gets it, and an unfinished file is deleted last. So a process that is
killed in between leaves a name without a file, which is downloaded again, or a second name, which the next run removes.

Everything here may block: call it in a thread.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["PartialFile", "digest_of", "free_name", "place", "remove_placed", "sync_path"]

NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)
"""Errors of a file system without hard links."""
BLOCK: Final = 1024 * 1024
"""Bytes that are read at once."""


class PartialFile:
    """An unfinished file. It is locked, so that no other process writes to it, and survives a kill.

    Parameters:
        path: Where it is.
        descriptor: The open file, locked.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._digest = hashlib.sha256()
        self._hashed = 0  # bytes of the file that the digest covers

    @classmethod
    def open(cls, path: Path) -> PartialFile | None:
        """Open or create an unfinished file; `None` if another process has it.

        Raises:
            OSError: It cannot be opened.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):  # else it has been finished and renamed since
                os.lseek(descriptor, 0, os.SEEK_END)
                return cls(path, descriptor)
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def write(self, data: bytes | bytearray) -> None:
        """Append bytes.

        Raises:
            OSError: They cannot be written. A part of them may have been.
        """
        self._hash_rest()
        rest = memoryview(data)
        while rest:
            written = os.write(self._descriptor, rest)
            self._digest.update(rest[:written])
            self.size += written
            self._hashed += written
            rest = rest[written:]

    def clear(self) -> None:
        """Remove the content."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._digest = hashlib.sha256()
        self.size = self._hashed = 0

    def digest(self) -> str:
        """Return the SHA-256 digest of the content, in hexadecimal digits."""
        self._hash_rest()
        return self._digest.hexdigest()

    def sync(self) -> None:
        """Wait until the content is on the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Release the lock. The content stays, to be continued; a file without content is removed."""
        if self.size == 0:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def _hash_rest(self) -> None:
        """Hash what an earlier process has written."""
        while self._hashed < self.size:
            block = os.pread(self._descriptor, BLOCK, self._hashed)
            if not block:
                raise OSError(errno.EIO, "another program has cut an unfinished file", str(self.path))
            self._digest.update(block)
            self._hashed += len(block)


def remove_placed(folder: Path) -> None:
    """Delete the unfinished files that have their final name too: a process was killed right after it had given it."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process may delete it
            if path.lstat().st_nlink > 1 and path.is_file():
                path.unlink()


def digest_of(path: Path) -> str:
    """Return the SHA-256 digest of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_path(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_name(folder: Path, wanted: str, digest: str) -> str:
    """Return the relative path for a complete file: that of a file of the same content, or one that is free.

    A file of another content stays, and the new file gets a part of its digest as a suffix.

    Parameters:
        folder: The folder of all files.
        wanted: The relative path, of safe names.
        digest: The SHA-256 digest of the content.

    Raises:
        FileExistsError: Every name is taken.
    """
    names = Path(wanted)
    by_digest = names.with_name(f"{names.stem}-{digest[:16]}{names.suffix}")
    apart = Path(f"{digest[:2]}-{digest[2:4]}") / f"{digest}{names.suffix}"  # a folder of `wanted` is a file
    for relative in (names, by_digest, apart):
        target = folder / relative
        above = next(parent for parent in target.parents if os.path.lexists(parent))
        if (above.is_dir() and not os.path.lexists(target)) or _has(target, digest):
            return relative.as_posix()
    raise FileExistsError(errno.EEXIST, "every name for the file is taken", str(folder / apart))


def place(source: Path, target: Path, digest: str, *, sync: bool) -> bool:
    """Give a complete file its final name, in one step, and return whether `target` has its content now.

    Parameters:
        source: The file, on the same file system.
        target: The name. A file that has it already stays.
        digest: The SHA-256 digest of the content.
        sync: Whether to wait until the name is on the disk.

    Raises:
        OSError: The file cannot be renamed.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, target, follow_symlinks=False)
    except (FileExistsError, NotADirectoryError):
        if not _has(target, digest):
            return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if not target.exists():
            source.rename(target)
        elif not _has(target, digest):
            return False
    if sync:
        sync_path(target.parent)
    source.unlink(missing_ok=True)
    return True


def _has(path: Path, digest: str) -> bool:
    return path.is_file() and digest_of(path) == digest
