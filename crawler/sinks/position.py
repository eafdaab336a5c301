"""`Position`: how far a job has written a file, and how the file is recognized when the job is resumed."""

from __future__ import annotations

import hashlib
import os
import socket
import zlib
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from msgspec import Struct, structs

__all__ = ["TAIL", "Position", "as_text", "checksum", "difference", "digest", "place_of"]

TAIL: Final = 512
"""Bytes before the end of what the job has written that identify a file."""


class Position(Struct, frozen=True, kw_only=True):
    """A position in a file that a job writes."""

    end: int
    """Length of what the job has written, in bytes or in records."""
    tail: str = ""
    """Hash of the last bytes of it; empty in jobs of version 0.1."""
    place: str = ""
    """Path of the file from the folder of the job; empty in jobs of version 0.1."""
    checksum: str = ""
    """Checksum of all that the job has written, in the form of the format; empty in jobs that have none."""

    @classmethod
    def of(cls, value: Any) -> Position:
        """Return a position that `to_json` has returned; version 0.1 kept a number."""
        return cls(**value) if isinstance(value, dict) else cls(end=value)

    @classmethod
    def at(cls, end: int, tail: bytes, place: str, checksum: str = "") -> Position:
        """Return the position at `end`, after the bytes `tail`."""
        return cls(end=end, tail=digest(tail), place=place, checksum=checksum)

    def ends_with(self, tail: bytes) -> bool:
        """Return whether `tail` are the last bytes that the job has written."""
        return self.tail == digest(tail)

    def to_json(self) -> dict[str, Any]:
        """Return the position as JSON values."""
        return structs.asdict(self)


def digest(data: bytes) -> str:
    """Return a short hash of some bytes."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def checksum(file: FileIO | BinaryIO, start: int, end: int, before: int = 0) -> int:
    """Return the CRC-32 of a file up to an offset."""
    while start < end and (data := os.pread(file.fileno(), min(1024 * 1024, end - start), start)):  # bytes of one read
        before = zlib.crc32(data, before)
        start += len(data)
    return before


def difference(file: BinaryIO, expected: Iterable[bytes], ignored: bytes) -> bool:
    """Return whether a file, from its current offset on, differs from the beginning of `expected`.

    A system that stopped may have written some blocks of the last batch and not others.
    """
    for part in expected:
        found = file.read(len(part))
        if found != part[: len(found)] and any(
            one != other and one not in ignored for one, other in zip(found, part, strict=False)
        ):
            return True
        if len(found) < len(part):
            return False
    # Bytes that a file system writes at once.
    return any(chunk.strip(ignored) for chunk in iter(lambda: file.read(4096), b""))


def place_of(path: Path) -> str:
    """Return which file of which machine a path is."""
    return as_text(f"{socket.gethostname()}:{path.resolve()}")


def as_text(path: str | Path) -> str:
    """Return a path as text that UTF-8 can encode."""
    return os.fsencode(path).decode(errors="backslashreplace")
