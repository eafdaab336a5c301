"""`JsonLines`: one JSON object a line, readable while it grows; `Stdout` writes the same to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import BinaryIO

import msgspec

from crawler.errors import CrawlFailed
from crawler.files import write_all
from crawler.hooks.sink import Sink
from crawler.messages import Row
from crawler.printable import printable
from crawler.sinks.file_sink import FileSink
from crawler.sinks.resumable_file import last_line

__all__ = ["JsonLines", "Stdout"]


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


class Stdout(Sink):
    """Items as JSON Lines on standard output."""

    name = "stdout"

    def persist(self, batch: Sequence[Row]) -> None:
        """Write a line for each item. It runs in a worker thread, so a slow reader does not block the crawl.

        Raises:
            CrawlFailed: The reader has closed the pipe.
        """
        data = b"".join([row.data + b"\n" for row in batch])
        if os.isatty(1):
            data = printable(data.decode()).encode()  # the same values of JSON
        try:
            sys.stdout.flush()
            write_all(partial(os.write, 1), data)  # a buffer of Python could not be flushed to a closed pipe
        except BrokenPipeError as error:
            raise CrawlFailed("the reader closed standard output") from error
