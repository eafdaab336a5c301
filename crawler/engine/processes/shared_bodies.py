"""Bodies of responses in memory that two processes share: cheaper than two copies through a socket.

The memory is a ring: bodies lie one after the other, in the order in which they are read. A position counts all bytes
since the beginning, so the place of a byte in memory is its position modulo the size.
"""

from __future__ import annotations

import mmap
from typing import Final

__all__ = ["BodyReader", "BodyWriter", "shared_memory"]

SIZE: Final = 1 << 23
"""Bytes of shared memory for each process."""


def shared_memory() -> mmap.mmap:
    """Return memory that a process shares with those that it forks. Pages of it that are never used cost nothing."""
    return mmap.mmap(-1, SIZE)


class BodyWriter:
    """Writes bodies for one other process."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._size = len(memory)
        self._written = 0
        self._read = 0

    def write(self, body: bytes) -> int | None:
        """Write a body and return its position; `None` if there is no room for it now."""
        at, length = self._written, len(body)
        if at % self._size + length > self._size:
            at += self._size - at % self._size  # a body lies in one piece
        if at + length - self._read > self._size:
            return None
        start = at % self._size
        self._memory[start : start + length] = body
        self._written = at + length
        return at

    def free(self, until: int) -> None:
        """Note that the other process has read everything up to a position."""
        self._read = until


class BodyReader:
    """Reads the bodies that a `BodyWriter` writes."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._size = len(memory)
        self.position = 0
        """The end of what was read: the writer needs it for `free`."""

    def read(self, at: int, length: int) -> bytes:
        """Return a copy of the body at a position. Bodies must be read in the order in which they were written."""
        start = at % self._size
        self.position = at + length
        return self._memory[start : start + length]
