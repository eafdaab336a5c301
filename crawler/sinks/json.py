"""`Json`: one JSON array, complete after every batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO, Final

from crawler.messages import Row
from crawler.sinks.base import FileSink

__all__ = ["Json"]

CLOSING: Final = b"\n]\n"
SPACE: Final = b" \t\r\n"


class Json(FileSink):
    """Items as one JSON array, UTF-8, an item a line.

    Each batch overwrites the closing bracket and adds a new one, in one write.
    """

    name = "json"
    compressible = False
    ignored = b"\0" + CLOSING + SPACE

    def inspect(self, file: BinaryIO) -> None:
        """Check that the file is an array of objects. Only its two ends are read."""
        head, _, tail = _ends(file)
        if head[:1] != b"[" or tail[-1:] != b"]" or len(head) < 2:
            raise self.refuse("it is not a JSON array")
        first, last = head[1:2], tail[:-1].rstrip(SPACE)[-1:]
        if (first, last) not in ((b"{", b"}"), (b"]", b"[")):
            raise self.refuse("it is not a JSON array of objects")

    def begin(self) -> int:
        """Return the offset behind the last item, or behind the opening bracket."""
        self._empty = True
        if not self.continues:
            self.file.truncate(self.put(b"[" + CLOSING, 0))
            return 1
        head, behind, _ = _ends(self.file)
        self._empty = head[1:2] == b"]"
        return behind

    def cut(self, length: int) -> int:
        """Truncate the file behind the last item of the job, and close the array again."""
        self.file.seek(length - 1)
        self._empty = self.file.read(1) == b"["
        return self._close(self.cut_at(length))

    def encode(self, items: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Yield each item with the separator before it, then the end of the array."""
        with self.path.open("rb") as file:
            first = self.locate(file, length)[1][-1:] == b"["
        for item in items:
            yield (b"\n" if first else b",\n") + item
            first = False
        yield CLOSING

    async def write(self, batch: Sequence[Row]) -> None:
        """Add items to the array."""
        items = b",\n".join([row.data for row in batch])
        data = (b"\n" if self._empty else b",\n") + items
        try:
            self.put(data + CLOSING, self.end)
        except OSError:
            with suppress(OSError):
                self._close(self.end)
            raise
        self.end += len(data)
        self._empty = False

    def _close(self, at: int) -> int:
        """Close the array at byte offset `at`, and return `at`."""
        self.file.truncate(self.put(CLOSING, at))
        return at


def _ends(file: BinaryIO, size: int = 4096) -> tuple[bytes, int, bytes]:
    """Return the first two characters that are not space, the offset behind the last item, and the last bytes."""
    file.seek(0)
    head = file.read(size).lstrip(SPACE)
    head = head[:1] + head[1:].lstrip(SPACE)[:1]
    length = file.seek(0, 2)
    start = file.seek(max(0, length - size))
    tail = file.read(size).rstrip(SPACE)
    return head, start + len(tail[:-1].rstrip(SPACE)), tail
