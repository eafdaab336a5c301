"""`ResumableFile`: a file that a job continues: its position, its checksum, and what the job has written to it."""

from __future__ import annotations

import io
import os
import shlex
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from crawler.errors import JobError
from crawler.sinks.compression import BrokenMember, Compression, Content, first_lost_block
from crawler.sinks.if_exists import OTHER
from crawler.sinks.position import TAIL, Position, checksum, difference

__all__ = ["MAX_EMPTY", "REMEDY", "ResumableFile", "last_line", "open_content"]

CHUNK: Final = 64 * 1024
"""Bytes of one read."""


def open_content(path: Path, compression: Compression | None) -> BinaryIO:
    """Open a file for reading, decompressed. The content of a compressed file cannot seek."""
    file = path.open("rb", buffering=CHUNK)
    return file if compression is None else io.BufferedReader(_Decompressed(file, compression), CHUNK)


class _Decompressed(Content):
    """The content of a file, which is closed with it."""

    def __init__(self, file: BinaryIO, compression: Compression) -> None:
        super().__init__(file, compression)
        self._file = file

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()


def last_line(file: BinaryIO) -> bytes:
    """Return the last line of a file, with its line break if it has one."""
    if not file.seekable():
        return next(reversed(deque(file, maxlen=1)), b"")
    start = file.seek(0, os.SEEK_END)
    tail = b""
    while start > 0 and b"\n" not in tail[:-1]:
        size = min(CHUNK, start)
        start = file.seek(start - size)
        tail = file.read(size) + tail
    return tail[tail.rfind(b"\n", 0, -1) + 1 :]


MAX_EMPTY = len(b"[\n]\n")
"""Bytes of the longest file without items: a run may be killed before the job knows its position."""
REMEDY: Final = f"restore it, or {OTHER}"
"""The beginning of this advice."""


class ResumableFile(ABC):
    """A file of items whose position a job keeps. Positions are in the unit of the format: bytes, or records."""

    path: Path
    """The file."""
    place: str
    """Path of the file from the folder of the job."""
    remedy: str
    """Advice in the errors of a file that does not have what the job has written."""
    compression: Compression | None
    """The compression of the file, by its name."""
    file: FileIO
    """The open file, unbuffered: other processes see each batch at once."""
    end: int
    """Byte offset of the next batch."""
    _summed: tuple[int, int] = 0, 0
    """A byte offset, and the checksum of the file before it."""
    in_job: bool
    """Whether a job keeps the position."""
    ignored = b"\0"
    """Bytes that may follow the position of a job in place of items that were not written."""
    ignored_content: ClassVar[bytes] = b""
    """The same in the content of a compressed file."""

    @abstractmethod
    def encode(self, items: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Yield the bytes that `write` would write at `length` for items as JSON."""

    def here(self) -> Any:
        """Return the current position, in the form of `persist`."""
        length, tail = self.written()
        return Position.at(length, tail, self.place, self.checksum() if self.in_job else "").to_json()

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
                    raise JobError(
                        f"{self.path} has changed before byte {end}, up to which the job wrote it: {self.remedy}"
                    )
                if self._differs(file, end, self.encode(items, position.end)):
                    raise JobError(
                        f"{self.path} has content after byte {end} that the job did not write: truncate -s {end} "
                        f"{shlex.quote(str(self.path))} removes it; or {OTHER}"
                    )
                return tail
        except FileNotFoundError:
            raise self.missing() from None

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
        return JobError(f"{self.path} has lost items that the job wrote to it ({why}): {self.remedy}")

    def missing(self) -> JobError:
        """Return the error for a file that does not exist."""
        return JobError(f"{self.path} is missing, and the job has written to it: {self.remedy}")
