"""The content of a file of items: `open_content` decompresses it, `last_line` finds its end."""

from __future__ import annotations

import io
import os
from collections import deque
from pathlib import Path
from typing import BinaryIO, Final

from crawler.sinks.compression import Compression, Content

__all__ = ["last_line", "open_content"]

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
