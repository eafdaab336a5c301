"""`Position`: how far a job has written a file, and how the file is recognized when the job is resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, BinaryIO, Final

from msgspec import Struct, structs

__all__ = ["TAIL", "Position", "difference"]

TAIL: Final = 512
"""Bytes before the end of what the job has written that identify a file."""
BLOCK: Final = 4096
"""Bytes that a file system writes at once."""


class Position(Struct, frozen=True, kw_only=True):
    """A position in a file that a job writes."""

    end: int
    """Length of what the job has written, in bytes or in records."""
    tail: str = ""
    """Hash of the last bytes of it; empty in jobs of version 0.1."""
    place: str = ""
    """Path of the file from the folder of the job; empty in jobs of version 0.1."""

    @classmethod
    def of(cls, value: Any) -> Position:
        """Return a position that `to_json` has returned; version 0.1 kept a number."""
        return cls(**value) if isinstance(value, dict) else cls(end=value)

    @classmethod
    def at(cls, end: int, tail: bytes, place: str) -> Position:
        """Return the position at `end`, behind the bytes `tail`."""
        return cls(end=end, tail=_hash(tail), place=place)

    def ends_with(self, tail: bytes) -> bool:
        """Return whether `tail` are the last bytes that the job has written."""
        return self.tail == _hash(tail)

    def to_json(self) -> dict[str, Any]:
        """Return the position as JSON values."""
        return structs.asdict(self)


def _hash(tail: bytes) -> str:
    return hashlib.blake2b(tail, digest_size=8).hexdigest()


def difference(file: BinaryIO, expected: Iterable[bytes], ignored: bytes) -> bool:
    """Return whether a file, from its current offset on, holds anything but the beginning of `expected`.

    A system that stopped may have written some blocks of the last batch and not others.

    Parameters:
        file: The file.
        expected: What the file should hold, in parts.
        ignored: Bytes that may stand in place of any other: zeros, and what a format overwrites.
    """
    for part in expected:
        found = file.read(len(part))
        if found != part[: len(found)] and any(
            one != other and one not in ignored for one, other in zip(found, part, strict=False)
        ):
            return True
        if len(found) < len(part):
            return False
    return any(chunk.strip(ignored) for chunk in iter(lambda: file.read(BLOCK), b""))
