"""`Progress`: the plugin of the command line. It shows the live view, and collects data for the summary."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TextIO

import trio

from crawler.cli.logs import say
from crawler.errors import HookError
from crawler.hooks.crawl import Crawl
from crawler.hooks.plugin import Plugin
from crawler.messages import Failure

if TYPE_CHECKING:
    from crawler.cli.screen import Screen
    from crawler.monitor import Monitor

__all__ = ["Progress"]

PLAIN_INTERVAL: Final = 30.0
"""Seconds between two lines without a terminal."""
SAMPLE_INTERVAL: Final = 2.5
"""Seconds between two measurements of the rate without a terminal."""


class Progress(Plugin):
    """Shows on standard error what the crawl does: a view that is removed at the end, or a line every 30 seconds."""

    name = "command line"

    def __init__(self, *, shown: bool, drawn: bool = True, screen: Screen | None = None) -> None:
        self._shown = shown
        self._drawn = drawn
        self._screen = screen
        self._monitor: Monitor | None = None
        self.causes: dict[str, str] = {}
        """The message of the first failure of each kind."""

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Show the view below the log messages while the crawl runs; without a terminal, a line every 30 seconds."""
        if not self._shown:
            yield
            return
        async with trio.open_nursery() as nursery:
            from crawler.monitor import Monitor  # noqa: PLC0415 - a quiet crawl needs none

            self._monitor = Monitor(crawl)
            draw = self._draw if self._drawn and is_terminal(sys.stderr) else self._say
            nursery.start_soon(draw, self._monitor)
            yield
            nursery.cancel_scope.cancel(reason="the crawl has ended")

    async def failed(self, failure: Failure) -> None:
        """Keep the message of the first failure of each kind."""
        error = failure.error
        where = f"{error.plugin}.{error.hook}: " if isinstance(error, HookError) and not error.is_callback else ""
        self.causes.setdefault(error.full_reason, f"{where}{error}")
        if self._monitor is not None:
            self._monitor.note_failure(failure)

    async def _draw(self, monitor: Monitor) -> None:
        """Draw the view on the terminal repeatedly."""
        from crawler.cli.screen import Screen  # noqa: PLC0415 - rich is slow to import, and only a terminal needs it

        await (self._screen or Screen()).show(monitor)

    async def _say(self, monitor: Monitor) -> None:
        """Write a line every 30 seconds."""
        await trio.sleep(SAMPLE_INTERVAL)  # a short crawl needs no line
        from crawler.cli.progress_line import one_line  # noqa: PLC0415 - it imports the monitor

        elapsed = SAMPLE_INTERVAL
        while True:
            now = monitor.snapshot(0)  # which measures the rate as well
            if elapsed >= PLAIN_INTERVAL:
                say(one_line(now, named=self._screen is not None) + "\n")
                elapsed = 0.0
            await trio.sleep(SAMPLE_INTERVAL)
            elapsed += SAMPLE_INTERVAL


def is_terminal(stream: TextIO) -> bool:
    """Return whether lines on a stream can be drawn again: it is a terminal, and not a dumb one."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
