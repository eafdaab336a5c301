"""`FileSink`: what the sinks that write a file have in common.

The file is looked at when the sink is made, so that what cannot work is refused before anything is fetched; it is
opened before the crawl and closed after it. A batch is written as a whole or not at all: one that failed half-way is
cut off again, since the same batch comes once more.
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
from crawler.files import write_all
from crawler.hooks.plugin import Crawl
from crawler.hooks.sink import Sink

__all__ = ["FileSink", "IfExists", "last_line"]

IfExists: TypeAlias = Literal["refuse", "overwrite", "append"]
"""What becomes of a file that exists already."""
CHUNK = 64 * 1024
BEGUN = len(b"[\n]\n")
"""Bytes of the longest beginning, which a run that was killed may leave before the job has its position."""
REMEDY = "put it back, or name another output, which gets all items of the job"


class FileSink(Sink, ABC):
    """Base of the sinks that write one file.

    Parameters:
        path: the file; its folder exists.
        if_exists: ``refuse``, ``overwrite`` or ``append``.
        in_job: whether it belongs to a durable job: a file of an earlier run is then cut to what that run had kept,
            and continued.

    Raises:
        ConfigError: the file cannot be written, exists and is to be refused, or cannot be continued in this format.
    """

    name = "file"
    file: FileIO
    """The open file, unbuffered: what was written is seen by others at once."""
    _sync = False
    end: int
    """Bytes: where the next batch goes."""

    def __init__(self, path: Path, if_exists: IfExists = "refuse", *, in_job: bool = False) -> None:
        self.path = Path(path)
        self.name = f"{type(self).name}:{os.fsencode(path).decode(errors='backslashreplace')}"
        self._if_exists = if_exists
        _check(self.path, "append" if in_job else if_exists)
        self.continues = if_exists == "append" and self.path.exists() and self.path.stat().st_size > 0
        """Whether it goes on with what another crawl wrote."""
        self._create = if_exists == "refuse"
        if not in_job:  # one of a job may end in half a line of its own: it is known later whether it is
            self.check()

    @abstractmethod
    def inspect(self, file: BinaryIO) -> None:
        """Looks at a file that is to be continued, before the crawl.

        Raises:
            ConfigError: it is not of this format.
        """

    @abstractmethod
    def cut(self, position: Any) -> int:
        """Cuts the open file to what an earlier run of the job had kept; gives the place of the next batch, in bytes.

        Parameters:
            position: what `persist` gave back then.

        Raises:
            JobError: the file is shorter than that.
        """

    @abstractmethod
    def begin(self) -> int:
        """Makes the open file ready; gives the place of the first batch, in bytes from its start."""

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """The file is open meanwhile."""
        self._sync = crawl.settings.durability == "power"
        continued = self.resumes and self.position is not None
        # A name that is noted without a position: that run ended before it wrote here, or was refused the file.
        begins_anew = self.resumes and (not self.path.exists() or self.path.stat().st_size <= BEGUN)
        if not continued and (self.continues or not begins_anew):
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
        """Looks at the file as it is now.

        Raises:
            ConfigError: it cannot be written, must not, or cannot be continued in this format.
        """
        _check(self.path, self._if_exists)
        if self.continues:
            with self.path.open("rb") as file:
                self.inspect(file)

    def here(self) -> Any:
        """Where the file stands, as `persist` gives it back: what `cut` understands."""
        return self.end

    def _open(self, mode: str) -> FileIO:
        try:
            return FileIO(self.path, mode)
        except FileNotFoundError as error:
            if not self.resumes:
                raise ConfigError(f"cannot write {self.path}: {_words(error)}") from error
            raise JobError(f"{self.path} is gone, and the job had written to it: {REMEDY}") from None
        except OSError as error:
            raise ConfigError(f"cannot write {self.path}: {_words(error)}") from error

    def cut_at(self, length: int) -> int:
        """Cuts the open file at byte `length`.

        Raises:
            JobError: it is shorter.
        """
        size = self.file.seek(0, os.SEEK_END)
        if size < length:
            raise self.too_short(f"{size} bytes, {length} were written")
        self.file.truncate(length)
        return length

    def too_short(self, why: str) -> JobError:
        """The error of a file that lacks what the job wrote to it."""
        return JobError(f"{self.path} is shorter than what the job had written ({why}): {REMEDY}")

    def put(self, data: bytes, at: int) -> int:
        """Writes `data` at byte `at`, all of it or nothing; gives the byte behind it.

        Raises:
            OSError: it could not be written; the file ends at `at` now.
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
        """The error of a file that cannot be continued."""
        return ConfigError(f"cannot append to {self.path}: {why} (--overwrite replaces it)")


def last_line(file: BinaryIO) -> bytes:
    """What stands behind the last line break but one: the last line, with its line break if it has one."""
    start = file.seek(0, os.SEEK_END)
    tail = b""
    while start > 0 and b"\n" not in tail[:-1]:
        size = min(CHUNK, start)
        start = file.seek(start - size)
        tail = file.read(size) + tail
    return tail[tail.rfind(b"\n", 0, -1) + 1 :]


def _check(path: Path, if_exists: IfExists) -> None:
    """Raises `ConfigError` if `path` cannot be written, or must not."""
    try:
        if path.is_dir():
            raise ConfigError(f"{path} is a folder, not a file")
        if not path.parent.is_dir():
            raise ConfigError(f"no such folder: {path.parent} (for {path})")
        if path.exists():
            if if_exists == "refuse":
                raise ConfigError(f"{path} exists already: --overwrite replaces it, --append adds to it")
            if not path.is_file():
                raise ConfigError(f"{path} is no regular file")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise ConfigError(f"no permission to write {path}")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {_words(error)}") from error


def _words(error: OSError) -> str:
    """The system's words for an error, without number and path."""
    return (error.strerror or str(error)).lower()
