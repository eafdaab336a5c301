"""`Stdout`: JSON Lines on standard output, for pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Final

import trio

from crawler.errors import CrawlFailed
from crawler.files import write_all
from crawler.hooks.plugin import Plugin
from crawler.messages import Row

__all__ = ["Stdout"]

DESCRIPTOR: Final = 1


class Stdout(Plugin):
    """Items as JSON Lines on standard output, each batch at once."""

    name = "stdout"

    async def persist(self, batch: Sequence[Row]) -> None:
        """Writes in a thread: a reader that is slow makes the sink wait, not the crawl's event loop.

        Raises:
            CrawlFailed: the reader has closed its end.
        """
        data = b"".join([row.data + b"\n" for row in batch])
        try:
            await trio.to_thread.run_sync(_write, data, abandon_on_cancel=True)
        except BrokenPipeError:
            raise CrawlFailed("standard output was closed by its reader") from None


def _write(data: bytes) -> None:
    """Past Python's own buffer, which could not be emptied at exit when the reader has gone."""
    sys.stdout.flush()
    write_all(partial(os.write, DESCRIPTOR), data)
