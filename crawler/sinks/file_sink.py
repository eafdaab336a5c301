"""`FileSink`: the base class of sinks that write a file of a format that can be cut after any item.

The constructor checks the file, so that a bad output is refused before the first request. The file is open during the
crawl. A batch is written completely or not at all: a partial write is cut off, since the same batch comes again.
"""

from __future__ import annotations

import copy
import filecmp
import os
import shlex
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from io import FileIO
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, ClassVar

import trio

from crawler.errors import ConfigError, CrawlFailed, JobError
from crawler.files import disk_is_full, error_reason, replace_file, set_aside, sync_data, sync_folder, write_all
from crawler.hooks.crawl import Crawl
from crawler.hooks.sink import Sink
from crawler.messages import Row
from crawler.settings import Settings
from crawler.sinks.compression import BrokenMember, Content, compression_of
from crawler.sinks.if_exists import IfExists, check_target
from crawler.sinks.names import part_of
from crawler.sinks.position import Position, as_text, place_of
from crawler.sinks.resumable_file import MAX_EMPTY, REMEDY, ResumableFile

__all__ = ["FileSink"]

BATCH = 1000
"""Items that are written again at once: as many as a sink gets at most."""
EMPTY = b"[\n]\n\0"
"""Bytes of a file without items."""

GATHER = 1.0
"""Seconds in which items gather for a member of a compressed file: members of few items compress badly."""


class FileSink(ResumableFile, Sink):
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
    _sync = False

    def __init__(self, path: Path, if_exists: IfExists = "error", *, job: Path | None = None) -> None:
        self.path = Path(path)
        self.in_job = job is not None
        self.remedy = REMEDY
        if job is not None:
            self.remedy += f"; or crawler job {shlex.quote(os.fspath(job))} --repair writes it again"
        self.place = "" if job is None else as_text(os.path.relpath(self.path.resolve(), Path(job).resolve()))
        self.name = f"{type(self).name}:{as_text(path)}"
        self.given = self.path
        """The path before `divide` added a number."""
        self._if_exists = if_exists
        check_target(self.path, "append" if self.in_job else if_exists)
        self.continues = if_exists == "append" and self.path.exists() and self.path.stat().st_size > 0
        """Whether the sink appends to the items of another crawl."""
        self.compression = compression_of(self.path.name)
        if self.compression is not None:
            if not self.compressible:
                raise ConfigError(f"{self.path}: a {type(self).name} file cannot be compressed: use .jsonl.gz")
            self.gather = GATHER
        self._create = if_exists == "error"
        if not self.in_job:  # the file of a job may end in a partial line; `lifespan` knows its position
            self.check()

    def divide(self, part: int) -> None:
        """Write a file of its own: ``items-00012.jsonl`` is part 12 of ``items.jsonl``."""
        self.given = self.path
        self.path = part_of(self.given, part)
        self.place = place_of(self.path)
        self.continues = self._if_exists == "append" and self.path.exists() and self.path.stat().st_size > 0
        self.check()

    def claims(self, path: Path, part: int, position: Any) -> bool:
        """Return whether a file is a part of this output."""
        return part_of(self.given, part) == path

    def cut_part(self, part: int, position: Any, claimed: Callable[[Path], bool]) -> None:
        """Cut the part of a lost worker after its last position: another worker has these items.

        A file on another disk, or that does not hold what that worker has written, is left alone.
        """
        kept, other = Position.of(position), copy.copy(self)
        other.path = part_of(self.given, part)
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
            if is_new and (self.in_job or self._sync):
                sync_folder(self.path.resolve().parent)  # before the job relies on the file
            kept = Position.of(self.position) if continued else Position(end=0)
            self.end = self.cut(kept.end) if continued else self.begin()
            if self.in_job:
                self.continue_checksum(kept.checksum)
            if self.position is None:
                self.position = self.here()
            place = self.path.absolute()  # a callback may change the working directory
            yield
            self._check_is_at(place)
        except Exception as error:
            self.file.close()
            if is_new and not self.in_job and _is_refusal(error) and self._has_no_items():
                self.path.unlink()  # or the corrected crawl would find the file in its way
            raise
        finally:
            self.file.close()

    def _check_is_at(self, place: Path) -> None:
        """Raise `CrawlFailed` if the file that was written is no longer at its place."""
        try:
            is_there = os.path.samestat(place.stat(), os.fstat(self.file.fileno()))
        except FileNotFoundError:
            is_there = False
        if not is_there:
            raise CrawlFailed(f"{self.path} was removed or replaced while the crawl ran: it does not have the items")
        self._check_has(self.end)

    def _check_has(self, length: int) -> None:
        """Raise `CrawlFailed` if the open file is shorter than it was: a write after its end would fill it with NUL."""
        if os.fstat(self.file.fileno()).st_size < length:
            raise CrawlFailed(f"{self.path} was truncated while the crawl ran: it does not have all items")

    def _is_blank(self) -> bool:
        return not self.path.read_bytes().strip(EMPTY) or self.compression is not None

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
        if self.in_job and self.path.is_file() and self._has_no_items() and self._is_blank():
            self._if_exists, self._create = "overwrite", False  # of a run that ended before the job knew of it
        check_target(self.path, self._if_exists, in_job=self.in_job)
        if self.continues:
            try:
                with self.open_content() as file:
                    self.inspect(file)
                    if _is_cut_off(file):
                        raise self.refuse("its end is missing")
            except BrokenMember as error:
                raise self.refuse(f"it is not a {self.path.suffix} file ({error})") from None

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

    def verify(self, rows: Callable[[], Iterator[Row]]) -> None:
        """Check that the file is as the job left it, if the job has kept a position."""
        if self.position is not None:
            self.compare(Position.of(self.position), (row.data for row in rows()))

    def is_remnant(self, rows: Callable[[], Iterator[Row]]) -> bool:
        """Return whether the file is what the job wrote, with zeros in place of what did not reach the disk."""
        if not self.path.exists():
            return next(rows(), None) is None  # a crash removes no name that has been on the disk
        ignored = self.ignored + self.ignored_content
        with suppress(BrokenMember), self.open_content() as file:
            for part in self.whole(lambda: (row.data for row in rows())):
                found = file.read(len(part))
                if any(one != other and one not in ignored for one, other in zip(found, part, strict=False)):
                    return False
                if len(found) < len(part):
                    break
        return True

    def whole(self, items: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        """Yield the content of a file with some items."""
        return self.encode(items(), 0)

    async def rewrite(self, rows: Callable[[], Iterator[Row]]) -> tuple[Any, str]:
        """Write the file again. The old one stays in its place until the new one is complete."""
        target = self.path.resolve()
        new = copy.copy(self)
        new.resumes, new.position, new.continues = False, None, False
        new._if_exists = "overwrite"  # noqa: SLF001 - its own class
        crawl: Any = SimpleNamespace(settings=Settings())
        count, source, said = 0, rows(), ""
        with replace_file(self.path, sync=True, sole_writer=True) as file:
            new.path = Path(file.name)
            async with new.lifespan(crawl):
                while batch := list(islice(source, BATCH)):
                    await new.persist(batch)
                    count += len(batch)
                new.sync()
                position = new.here()
            if target.exists() and target.stat().st_size and not filecmp.cmp(target, new.path, shallow=False):
                said = f"; what it held is in {set_aside(target)}"
        return position, f"{self.path} is written again with {count} items of the job{said}"

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

    def _open(self, mode: str) -> FileIO:
        try:
            return FileIO(self.path, mode)
        except FileNotFoundError as error:
            if not self.resumes:
                raise ConfigError(f"cannot write {self.path}: {error_reason(error)}") from error
            raise self.missing() from None
        except OSError as error:
            raise ConfigError(f"cannot write {self.path}: {error_reason(error)}") from error

    async def compress(self, data: bytes) -> bytes:
        """Return what `put` writes for a batch: the member of a compressed file. A large one is made in a thread."""
        if self.compression is None or not data:
            return data
        # Bytes that are compressed in a worker thread: it takes about as long as to reach the thread.
        if len(data) < 32 * 1024:
            return self.compression.compress(data)
        return await trio.to_thread.run_sync(self.compression.compress, data)

    def put(self, data: bytes, at: int) -> int:
        """Write `data` at byte offset `at`, completely or not at all, and return the offset after it.

        Raises:
            CrawlFailed: Another program has truncated the file.
            OSError: The write failed. The file ends at `at`.
        """
        self._check_has(at)
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
        return ConfigError(f"cannot append to {self.path}: {why} (--overwrite replaces it; in Python: if_exists)")


def _is_cut_off(file: BinaryIO) -> bool:
    """Return whether a compressed file, which is read to its end, ends in the middle of a member."""
    content = getattr(file, "raw", None)
    if not isinstance(content, Content):
        return False
    for _ in file:
        pass
    return not content.is_whole


def _is_refusal(error: Exception) -> bool:
    """Return whether an error says that the crawl has not begun, alone or in a group."""
    if isinstance(error, ExceptionGroup):
        return error.subgroup(ConfigError) is not None
    return isinstance(error, ConfigError)
