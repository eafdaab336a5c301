"""`JsonLines`: one JSON object a line, the form that can be read while it grows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, BinaryIO

import msgspec

from crawler.messages import Row
from crawler.sinks.base import FileSink, last_line

__all__ = ["JsonLines"]


class JsonLines(FileSink):
    """Items as JSON Lines, UTF-8."""

    name = "jsonl"

    def inspect(self, file: BinaryIO) -> None:
        """The first and the last line must be JSON: a last one that was cut off would spoil the next."""
        first = file.readline()
        for which, line in (("first", first), ("last", last_line(file))):
            try:
                msgspec.json.decode(line, type=msgspec.Raw)
            except msgspec.DecodeError:
                raise self.refuse(f"its {which} line is not JSON") from None

    def begin(self) -> int:
        """Behind the last line; one that lacks its line break gets it."""
        end = self.file.seek(0, os.SEEK_END)
        if end and not last_line(self.file).endswith(b"\n"):
            end = self.put(b"\n", end)
        return end

    def cut(self, position: Any) -> int:
        """Behind the last line that was kept."""
        return self.cut_at(position)

    async def persist(self, batch: Sequence[Row]) -> int:
        """A line for each item; gives the length of the file in bytes."""
        lines = [row.data for row in batch]
        lines.append(b"")
        self.end = self.put(b"\n".join(lines), self.end)
        return self.end
