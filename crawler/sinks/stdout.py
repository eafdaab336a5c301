"""`Stdout`: JSON Lines on standard output, for pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Final

from crawler.errors import CrawlFailed
from crawler.files import write_all
from crawler.hooks.sink import Sink
from crawler.messages import Row
from crawler.printable import printable

__all__ = ["Stdout"]

DESCRIPTOR: Final = 1


class Stdout(Sink):
    """Items as JSON Lines on standard output."""

    name = "stdout"

    def persist(self, batch: Sequence[Row]) -> None:
        """Write a line for each item. It runs in a worker thread, so a slow reader does not block the crawl.

        Raises:
            CrawlFailed: The reader has closed the pipe.
        """
        data = b"".join([row.data + b"\n" for row in batch])
        if os.isatty(DESCRIPTOR):
            data = printable(data.decode()).encode()  # the same values of JSON
        try:
            sys.stdout.flush()
            write_all(partial(os.write, DESCRIPTOR), data)  # a buffer of Python could not be flushed to a closed pipe
        except BrokenPipeError as error:
            raise CrawlFailed("the reader closed standard output") from error
