"""`FileSink`: the base class of sinks that write a file.

The constructor checks the file, so that a bad output is refused before the first request. The file is open during the
crawl. A batch is written completely or not at all: a partial write is cut off, since the same batch comes again.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

from crawler.errors import ConfigError, JobError
from crawler.files import error_reason, write_all
from crawler.hooks.plugin import Crawl
from crawler.hooks.sink import Sink

__all__ = ["FileSink", "IfExists", "last_line"]

IfExists: TypeAlias = Literal["refuse", "overwrite", "append"]
"""What to do with a file that exists already."""
CHUNK = 64 * 1024
MAX_EMPTY = len(b"[\n]\n")
"""Bytes of the longest file without items: a run may be killed before the job knows its position."""
REMEDY = "restore it, or name another output, which gets all items of the job"


class FileSink(Sink, ABC):
    """Base class of sinks that write one file.

    Parameters:
        path: The file. Its folder must exist.
        if_exists: ``refuse``, ``overwrite`` or ``append``.
        in_job: Whether the file belongs to a durable job, which cuts it to its position and continues it.

    Raises:
        ConfigError: The file cannot be written, exists under ``refuse``, or cannot be continued in this format.
    """

    name = "file"
    file: FileIO
    """The open file, unbuffered: other processes see each batch at once."""
    _sync = False
    end: int
    """Byte offset of the next batch."""

    def __init__(self, path: Path, if_exists: IfExists = "refuse", *, in_job: bool = False) -> None:
        self.path = Path(path)
        self.name = f"{type(self).name}:{os.fsencode(path).decode(errors='backslashreplace')}"
        self._if_exists = if_exists
        _check(self.path, "append" if in_job else if_exists)
        self.continues = if_exists == "append" and self.path.exists() and self.path.stat().st_size > 0
        """Whether the sink appends to the items of another crawl."""
        self._create = if_exists == "refuse"
        if not in_job:  # the file of a job may end in a partial line; `lifespan` knows its position
            self.check()

    @abstractmethod
    def inspect(self, file: BinaryIO) -> None:
        """Check the format of a file to append to.

        Raises:
            ConfigError: The file has another format.
        """

    @abstractmethod
    def cut(self, position: Any) -> int:
        """Truncate the open file to a position of the job, and return the byte offset of the next batch.

        Parameters:
            position: A result of `persist`.

        Raises:
            JobError: The file is shorter.
        """

    @abstractmethod
    def begin(self) -> int:
        """Prepare the open file, and return the byte offset of the first batch."""

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Keep the file open while the crawl runs."""
        self._sync = crawl.settings.durability == "power"
        continued = self.resumes and self.position is not None
        # Known to the job without a position: that run ended before it wrote, or could not open the file.
        restarts = self.resumes and (not self.path.exists() or self.path.stat().st_size <= MAX_EMPTY)
        if not continued and (self.continues or not restarts):
            self.check()
        create = self._create and not self.resumes
        self.file = self._open("r+" if continued or self.continues else "x+" if create else "w+")
        try:
            self.end = self.cut(self.position) if continued else self.begin()
            if self.position is None:
                self.position = self.here()
            yield
        finally:
            self.file.close()

    def check(self) -> None:
        """Check the file as it is now.

        Raises:
            ConfigError: It cannot be written, must not be, or cannot be continued in this format.
        """
        _check(self.path, self._if_exists)
        if self.continues:
            with self.path.open("rb") as file:
                self.inspect(file)

    def here(self) -> Any:
        """Return the present position, in the form of `persist` and `cut`."""
        return self.end

    def _open(self, mode: str) -> FileIO:
        try:
            return FileIO(self.path, mode)
        except FileNotFoundError as error:
            if not self.resumes:
                raise ConfigError(f"cannot write {self.path}: {error_reason(error)}") from error
            raise JobError(f"{self.path} is missing, and the job has written to it: {REMEDY}") from None
        except OSError as error:
            raise ConfigError(f"cannot write {self.path}: {error_reason(error)}") from error

    def cut_at(self, length: int) -> int:
        """Truncate the open file to `length` bytes, and return `length`.

        Raises:
            JobError: The file is shorter.
        """
        size = self.file.seek(0, os.SEEK_END)
        if size < length:
            raise self.too_short(f"{size} of {length} bytes")
        self.file.truncate(length)
        return length

    def too_short(self, why: str) -> JobError:
        """Return the error for a file that lacks items of the job."""
        return JobError(f"{self.path} has lost items that the job wrote to it ({why}): {REMEDY}")

    def put(self, data: bytes, at: int) -> int:
        """Write `data` at byte offset `at`, completely or not at all, and return the offset behind it.

        Raises:
            OSError: The write failed. The file ends at `at`.
        """
        self.file.seek(at)
        try:
            write_all(self.file.write, data)
        except OSError:
            with suppress(OSError):
                self.file.truncate(at)
            raise
        if self._sync:
            os.fdatasync(self.file.fileno())
        return at + len(data)

    def refuse(self, why: str) -> ConfigError:
        """Return the error for a file that cannot be appended to."""
        return ConfigError(f"cannot append to {self.path}: {why} (--overwrite replaces it)")


def last_line(file: BinaryIO) -> bytes:
    """Return the last line of a file, with its line break if it has one."""
    start = file.seek(0, os.SEEK_END)
    tail = b""
    while start > 0 and b"\n" not in tail[:-1]:
        size = min(CHUNK, start)
        start = file.seek(start - size)
        tail = file.read(size) + tail
    return tail[tail.rfind(b"\n", 0, -1) + 1 :]


def _check(path: Path, if_exists: IfExists) -> None:
    """Raise `ConfigError` if `path` cannot or must not be written."""
    try:
        if path.is_dir():
            raise ConfigError(f"{path} is a directory, not a file")
        if not path.parent.is_dir():
            raise ConfigError(f"no such directory: {path.parent} (for {path})")
        if path.exists():
            if if_exists == "refuse":
                raise ConfigError(f"{path} exists already: --overwrite replaces it, --append adds to it")
            if not path.is_file():
                raise ConfigError(f"{path} is not a regular file")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise ConfigError(f"no permission to write {path}")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error_reason(error)}") from error
