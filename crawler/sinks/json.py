"""`Json`: one JSON array, complete after every batch."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO, Final

from crawler.messages import Row
from crawler.sinks.compression import Content
from crawler.sinks.file_sink import FileSink

__all__ = ["Json"]

CLOSING: Final = b"\n]\n"
SPACE: Final = b" \t\r\n"


class Json(FileSink):
    """Items as one JSON array, UTF-8, an item a line.

    Each batch overwrites the closing bracket and adds a new one, in one write. In a compressed file the bracket is a
    member of its own.
    """

    name = "json"
    ignored = b"\0" + CLOSING + SPACE
    ignored_content = CLOSING + SPACE

    def inspect(self, file: BinaryIO) -> None:
        """Check that the file is an array of objects. Of a plain file only its two ends are read."""
        head, end, tail = _ends(file)
        if head[:1] != b"[" or tail[-1:] != b"]" or len(head) < 2:
            raise self.refuse("it is not a JSON array")
        first, last = head[1:2], tail[:-1].rstrip(SPACE)[-1:]
        if (first, last) not in ((b"{", b"}"), (b"]", b"[")):
            raise self.refuse("it is not a JSON array of objects")
        if self.compression is not None and _member_end(file, end) is None:
            ending = self.path.suffix
            raise self.refuse(f"its closing bracket is not compressed separately, as in the {ending} of a crawl")

    def begin(self) -> int:
        """Return the offset after the last item, or after the opening bracket."""
        self._empty = True
        if not self.continues:
            opening = self._packed(b"[")
            self.file.truncate(self.put(opening + self._packed(CLOSING), 0))
            return len(opening)
        with self.open_content() as file:
            head, end, _ = _ends(file)
            at = end if self.compression is None else _member_end(file, end)
        assert at is not None
        self._empty = head[1:2] == b"]"
        return at

    def cut(self, length: int) -> int:
        """Truncate the file after the last item of the job, and close the array again."""
        self.cut_at(length)
        self._empty = self._is_empty_at(length)
        return self._close(length)

    def encode(self, items: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Yield each item with the separator before it, then the end of the array."""
        first = self._is_empty_at(length)
        for item in items:
            yield (b"\n" if first else b",\n") + item
            first = False
        yield CLOSING

    def whole(self, items: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        """Yield the array, as far as it does not end."""
        for number, item in enumerate(items()):
            yield (b",\n" if number else b"[\n") + item

    async def write(self, batch: Sequence[Row]) -> None:
        """Add items to the array."""
        items = b",\n".join([row.data for row in batch])
        data = await self.compress((b"\n" if self._empty else b",\n") + items)
        try:
            self.put(data + self._packed(CLOSING), self.end)
        except OSError:
            with suppress(OSError):
                self._close(self.end)
            raise
        self.end += len(data)
        self._empty = False

    def _close(self, at: int) -> int:
        """Close the array at byte offset `at`, and return `at`."""
        self.file.truncate(self.put(self._packed(CLOSING), at))
        return at

    def _packed(self, data: bytes) -> bytes:
        return data if self.compression is None else self.compression.compress(data)

    def _is_empty_at(self, length: int) -> bool:
        """Return whether the file has nothing but the opening bracket before a length of the job."""
        with self.path.open("rb") as file:
            if self.compression is None:
                return self.locate(file, length)[1][-1:] == b"["
            content = io.BufferedReader(Content(file, self.compression, length))
            return content.read(2) == b"["


def _ends(file: BinaryIO, size: int = 4096) -> tuple[bytes, int, bytes]:
    """Return the first two characters that are not space, the offset after the last item, and the last bytes.

    A file that cannot seek is read from here on.
    """
    first = file.read(size)
    head = first.lstrip(SPACE)
    head = head[:1] + head[1:].lstrip(SPACE)[:1]
    if file.seekable():
        length = file.seek(0, 2)
        start = file.seek(max(0, length - size))
        tail = file.read(size).rstrip(SPACE)
    else:
        length, tail = len(first), first
        while chunk := file.read(size):
            length += len(chunk)
            tail = (tail + chunk)[-size:]
        start = length - len(tail)
        tail = tail.rstrip(SPACE)
    return head, start + len(tail[:-1].rstrip(SPACE)), tail


def _member_end(file: BinaryIO, length: int) -> int | None:
    """Return the offset of a compressed file, whose content was read, after `length` bytes; `None` within a member."""
    content = getattr(file, "raw", None)
    assert isinstance(content, Content)
    return content.end_at(length)
