"""`JsonLines`: one JSON object a line, readable while it grows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import msgspec

from crawler.messages import Row
from crawler.sinks.content import last_line
from crawler.sinks.file_sink import FileSink

__all__ = ["JsonLines"]


class JsonLines(FileSink):
    """Items as JSON Lines, UTF-8."""

    name = "jsonl"

    def inspect(self, file: BinaryIO) -> None:
        """Check that the first and the last line are JSON: an item appended to a partial line would be lost."""
        first = file.readline()
        for which, line in (("first", first), ("last", last_line(file) or first)):
            try:
                msgspec.json.decode(line, type=msgspec.Raw)
            except msgspec.DecodeError:
                raise self.refuse(f"its {which} line is not JSON") from None

    def begin(self) -> int:
        """Return the end of the file, after adding a missing line break."""
        end = self.file.seek(0, os.SEEK_END)
        if end:
            with self.open_content() as content:
                line = last_line(content)
            if not line.endswith(b"\n"):
                end = self.put(b"\n" if self.compression is None else self.compression.compress(b"\n"), end)
        return end

    def cut(self, length: int) -> int:
        """Truncate the file after the last line of the job."""
        return self.cut_at(length)

    def encode(self, items: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Yield a line for each item."""
        return (item + b"\n" for item in items)

    async def write(self, batch: Sequence[Row]) -> None:
        """Write a line for each item."""
        lines = [row.data for row in batch]
        lines.append(b"")
        self.end = self.put(await self.compress(b"\n".join(lines)), self.end)
