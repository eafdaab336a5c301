"""`FileSink`: the base class of sinks that write a file of a format that can be cut after any item.

The constructor checks the file, so that a bad output is refused before the first request. The file is open during the
crawl. A batch is written completely or not at all: a partial write is cut off, since the same batch comes again.
"""

from __future__ import annotations

import copy
import io
import os
import shlex
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import trio

from crawler.errors import ConfigError, CrawlFailed, JobError
from crawler.files import disk_is_full, error_reason, sync_data, sync_folder, write_all
from crawler.hooks.plugin import Crawl
from crawler.hooks.sink import Sink
from crawler.messages import Row
from crawler.sinks.compression import BrokenMember, Content, compression_of, first_lost_block
from crawler.sinks.content import open_content
from crawler.sinks.if_exists import OTHER, IfExists, check_target
from crawler.sinks.names import part_of
from crawler.sinks.position import TAIL, Position, as_text, checksum, difference, place_of

__all__ = ["FileSink"]

LARGE = 32 * 1024
"""Bytes that are compressed in a worker thread: it takes about as long as to reach the thread."""
GATHER = 1.0
"""Seconds in which items gather for a member of a compressed file: members of few items compress badly."""
MAX_EMPTY = len(b"[\n]\n")
"""Bytes of the longest file without items: a run may be killed before the job knows its position."""
REMEDY = f"restore it, or {OTHER}"


class FileSink(Sink, ABC):
    """Base class of sinks that write one file, each batch after the last one.

    A subclass writes a batch with `put` and reads the file through `open_content`; a file that ends in ``.gz`` or
    ``.zst`` is compressed there, each batch as a member of its own. With ``%(n)d`` in its name, or an argument `rows`
    or `bytes`, an output is a series of such files: see `Series`.

    Parameters:
        path: The file. Its folder must exist.
        if_exists: ``error``, ``overwrite`` or ``append``.
        job: The folder of the durable job that the file belongs to, which cuts it to its position and continues it.

    Raises:
        ConfigError: The file cannot be written, exists under ``error``, or cannot be continued in this format.
    """

    name = "file"
    guarantee = "exactly once: the file is cut at the length that the job has kept"
    compressible: ClassVar[bool] = True
    """Whether the file may be compressed: the format never changes what it has written."""
    ignored = b"\0"
    """Bytes that may follow the position of a job in place of items that were not written."""
    ignored_content: ClassVar[bytes] = b""
    """The same in the content of a compressed file."""
    file: FileIO
    """The open file, unbuffered: other processes see each batch at once."""
    _sync = False
    end: int
    """Byte offset of the next batch."""
    _summed: tuple[int, int] = 0, 0
    """A byte offset, and the checksum of the file before it."""

    def __init__(self, path: Path, if_exists: IfExists = "error", *, job: Path | None = None) -> None:
        self.path = Path(path)
        self._in_job = job is not None
        self.place = "" if job is None else as_text(os.path.relpath(self.path.resolve(), Path(job).resolve()))
        """Path of the file from the folder of the job."""
        self.name = f"{type(self).name}:{as_text(path)}"
        self._output = self.path
        self._if_exists = if_exists
        check_target(self.path, "append" if self._in_job else if_exists)
        self.continues = if_exists == "append" and self.path.exists() and self.path.stat().st_size > 0
        """Whether the sink appends to the items of another crawl."""
        self.compression = compression_of(self.path.name)
        if self.compression is not None:
            if not self.compressible:
                raise ConfigError(f"{self.path}: a {type(self).name} file cannot be compressed: use .jsonl.gz")
            self.gather = GATHER
        self._create = if_exists == "error"
        if not self._in_job:  # the file of a job may end in a partial line; `lifespan` knows its position
            self.check()

    def divide(self, part: int) -> None:
        """Write a file of its own: ``items-00012.jsonl`` is part 12 of ``items.jsonl``."""
        self._output = self.path
        self.path = part_of(self._output, part)
        self.place = place_of(self.path)
        self.continues = self._if_exists == "append" and self.path.exists() and self.path.stat().st_size > 0
        self.check()

    def claims(self, path: Path, part: int, position: Any) -> bool:
        """Return whether a file is a part of this output."""
        return part_of(self._output, part) == path

    def cut_part(self, part: int, position: Any, claimed: Callable[[Path], bool]) -> None:
        """Cut the part of a lost worker after its last position: another worker has these items.

        A file on another disk, or that does not hold what that worker has written, is left alone.
        """
        kept, other = Position.of(position), copy.copy(self)
        other.path = part_of(self._output, part)
        if kept.place == place_of(other.path):
            other.cut_after(kept)

    def cut_after(self, kept: Position) -> None:
        """Cut the file after a position, unless it does not hold what was written before it."""
        with suppress(OSError, JobError), FileIO(self.path, "r+") as self.file:
            end, tail = self.locate(self.file, kept.end)
            if kept.ends_with(tail) and self.file.seek(0, os.SEEK_END) > end:
                self.cut(kept.end)

    @abstractmethod
    def inspect(self, file: BinaryIO) -> None:
        """Check the format of a file to append to. A compressed file is passed as its content, which cannot seek.

        Raises:
            ConfigError: The file has another format.
        """

    @abstractmethod
    async def write(self, batch: Sequence[Row]) -> None:
        """Write a batch after the last one, completely or not at all.

        Raises:
            OSError: The batch could not be written.
        """

    @abstractmethod
    def cut(self, length: int) -> int:
        """Truncate the open file to a length of the job, and return the byte offset of the next batch.

        Parameters:
            length: As `written` returns it.

        Raises:
            JobError: The file is shorter.
        """

    @abstractmethod
    def encode(self, items: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Yield the bytes that `write` would write at `length` for items as JSON."""

    @abstractmethod
    def begin(self) -> int:
        """Prepare the open file, and return the byte offset of the first batch."""

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Keep the file open while the crawl runs."""
        self._sync = crawl.settings.durability == "power"
        continued = self.resumes and self.position is not None
        # Known to the job without a position: that run ended before it wrote, or could not open the file.
        restarts = self.resumes and (not self.path.exists() or self._has_no_items())
        if not continued and (self.continues or not restarts):
            self.check()
        create = self._create and not self.resumes
        is_new = not self.path.exists()
        self.file = self._open("r+" if continued or self.continues else "x+" if create else "w+")
        try:
            if is_new and (self._in_job or self._sync):
                sync_folder(self.path.resolve().parent)  # before the job relies on the file
            kept = Position.of(self.position) if continued else Position(end=0)
            self.end = self.cut(kept.end) if continued else self.begin()
            if self._in_job:
                self.continue_checksum(kept.checksum)
            if self.position is None:
                self.position = self.here()
            yield
        except Exception as error:
            self.file.close()
            if is_new and not self._in_job and _is_refusal(error) and self._has_no_items():
                self.path.unlink()  # or the corrected crawl would find the file in its way
            raise
        finally:
            self.file.close()

    def _has_no_items(self) -> bool:
        if self.compression is None:
            return self.path.stat().st_size <= MAX_EMPTY
        try:
            with self.open_content() as content:
                return len(content.read(MAX_EMPTY + 1)) <= MAX_EMPTY
        except BrokenMember:
            return False

    def check(self) -> None:
        """Check the current file.

        Raises:
            ConfigError: It cannot be written, must not be, or cannot be continued in this format.
        """
        check_target(self.path, self._if_exists, in_job=self._in_job)
        if self.continues:
            try:
                with self.open_content() as file:
                    self.inspect(file)
                    raw = getattr(file, "raw", None)
                    if isinstance(raw, Content) and not (deque(file, maxlen=0), raw.is_whole)[1]:
                        raise self.refuse("its end is missing")
            except BrokenMember as error:
                raise self.refuse(f"it is not a {self.path.suffix} file ({error})") from None

    # What a job has written

    async def persist(self, batch: Sequence[Row]) -> Any:
        """Write items, and return the position after them.

        Raises:
            CrawlFailed: The disk is full.
        """
        try:
            await self.write(batch)
        except OSError as error:
            if not disk_is_full(error):
                raise
            raise CrawlFailed(
                f"cannot write {self.path}: the disk is full ({error_reason(error)}); free some space, then run it "
                "again"
            ) from error
        return self.here()

    def here(self) -> Any:
        """Return the current position, in the form of `persist`."""
        length, tail = self.written()
        return Position.at(length, tail, self.place, self.checksum() if self._in_job else "").to_json()

    def written(self) -> tuple[int, bytes]:
        """Return the length of what is written, in the unit of `cut`, and its last bytes, which identify the file."""
        return self.locate(self.file, self.end)

    def locate(self, file: FileIO | BinaryIO, length: int) -> tuple[int, bytes]:
        """Return the byte offset of a length of the job, and the last bytes before it.

        Raises:
            JobError: The file is shorter.
        """
        size = os.fstat(file.fileno()).st_size
        if size < length:
            raise self.too_short(f"{size} of {length} bytes")
        start = max(0, length - TAIL)
        return length, os.pread(file.fileno(), length - start, start)

    def checksum(self) -> str:
        """Return the checksum of what is written. It is read again, from the memory of the system."""
        start, before = self._summed
        self._summed = self.end, checksum(self.file, start, self.end, before)
        return f"{self._summed[1]:08x}"

    def continue_checksum(self, kept: str) -> None:
        """Let `checksum` continue from `end`.

        Parameters:
            kept: What it returned there, if the job has kept that and `is_unchanged` has checked it.
        """
        self._summed = (self.end, int(kept, 16)) if kept else (0, 0)

    def is_unchanged(self, file: BinaryIO, position: Position) -> bool:
        """Return whether the file up to a position has the checksum that it had there. All of it is read."""
        return checksum(file, 0, position.end) == int(position.checksum, 16)

    def holds(self, position: Position, items: Iterator[bytes]) -> bool:
        """Return whether the ends of a file are those that the job has written. Parameters: `compare`."""
        try:
            tail = self.compare(position, items, entirely=False)
        except (OSError, JobError):
            return False
        return len(tail) > MAX_EMPTY and position.ends_with(tail)

    def verify(self, rows: Callable[[], Iterator[Row]]) -> None:
        """Check that the file is as the job left it, if the job has kept a position."""
        if self.position is not None:
            self.compare(Position.of(self.position), (row.data for row in rows()))

    def compare(self, position: Position, items: Iterator[bytes], *, entirely: bool = True) -> bytes:
        """Check that the file is as the job left it at a position, and return the last bytes before it.

        Parameters:
            position: The last position that the job has kept.
            items: Those that may have been written after it, as JSON, in order.
            entirely: Read all of it. Otherwise only the bytes before and after the position.

        Raises:
            JobError: It is missing, too short, or has been changed.
        """
        try:
            with self.path.open("rb") as file:
                end, tail = self.locate(file, position.end)
                if (position.tail and not position.ends_with(tail)) or (
                    entirely and position.checksum and not self.is_unchanged(file, position)
                ):
                    raise JobError(f"{self.path} has changed before byte {end}, up to which the job wrote it: {REMEDY}")
                if self._differs(file, end, self.encode(items, position.end)):
                    raise JobError(
                        f"{self.path} has content after byte {end} that the job did not write: truncate -s {end} "
                        f"{shlex.quote(str(self.path))} removes it; or {OTHER}"
                    )
                return tail
        except FileNotFoundError:
            raise self._missing() from None

    def _differs(self, file: BinaryIO, start: int, expected: Iterator[bytes]) -> bool:
        """Return whether a file, from an offset on, differs from the beginning of `expected`."""
        lost = None if self.compression is None else first_lost_block(file, start)
        file.seek(start)
        if self.compression is None:
            return difference(file, expected, self.ignored)
        try:
            content = io.BufferedReader(Content(file, self.compression, lost))
            return difference(content, expected, self.ignored_content)
        except BrokenMember:
            return True

    def open_content(self) -> BinaryIO:
        """Open the file for reading, decompressed."""
        return open_content(self.path, self.compression)

    def sync(self) -> None:
        """Wait until the file and its name are on the disk. It may be closed or removed.

        Raises:
            JobError: It cannot be written to the disk.
        """
        try:
            with suppress(FileNotFoundError), self.path.open("rb") as file:
                sync_data(file.fileno())
                sync_folder(self.path.resolve().parent)
        except OSError as error:
            raise JobError(f"cannot write {self.path}: {error_reason(error)}") from error

    def _missing(self) -> JobError:
        return JobError(f"{self.path} is missing, and the job has written to it: {REMEDY}")

    def _open(self, mode: str) -> FileIO:
        try:
            return FileIO(self.path, mode)
        except FileNotFoundError as error:
            if not self.resumes:
                raise ConfigError(f"cannot write {self.path}: {error_reason(error)}") from error
            raise self._missing() from None
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

    async def compress(self, data: bytes) -> bytes:
        """Return what `put` writes for a batch: the member of a compressed file. A large one is made in a thread."""
        if self.compression is None or not data:
            return data
        if len(data) < LARGE:
            return self.compression.compress(data)
        return await trio.to_thread.run_sync(self.compression.compress, data)

    def put(self, data: bytes, at: int) -> int:
        """Write `data` at byte offset `at`, completely or not at all, and return the offset after it.

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
            sync_data(self.file.fileno())
        return at + len(data)

    def refuse(self, why: str) -> ConfigError:
        """Return the error for a file that cannot be appended to."""
        return ConfigError(f'cannot append to {self.path}: {why} (if_exists="overwrite" replaces it)')


def _is_refusal(error: Exception) -> bool:
    """Return whether an error says that the crawl has not begun, alone or in a group."""
    if isinstance(error, ExceptionGroup):
        return error.subgroup(ConfigError) is not None
    return isinstance(error, ConfigError)
