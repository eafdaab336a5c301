"""`Screen`: the live view on a terminal, of one crawl or of several at once."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any, Final, TextIO, cast

import trio
from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from crawler.cli.snapshot_text import HOSTS, live_view
from crawler.monitor import Monitor

__all__ = ["Screen"]

INTERVAL: Final = 0.25
"""Seconds between two updates of the view."""
MAX_INTERVAL: Final = 2.0
"""Maximum number of seconds between two updates."""
SHARE: Final = 0.01
"""Share of the time that the view may take: it is updated less often if there are many hosts."""


class Screen:
    """Draws a view on standard error repeatedly, and removes it when the last crawl has ended."""

    def __init__(self) -> None:
        self._monitors: list[Monitor] = []
        self._lock = trio.Lock()

    async def show(self, monitor: Monitor) -> None:
        """Show a crawl until it is cancelled."""
        self._monitors.append(monitor)
        try:
            async with self._lock:  # the task of another crawl draws until that crawl has ended
                await self._draw()
        finally:
            self._monitors.remove(monitor)

    async def _draw(self) -> None:
        console = Console(file=cast("IO[str]", _Terminal(sys.stderr)))
        with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as live:
            console.show_cursor()  # which `Live` hides; a process that is killed could not show it again
            shown = Text()
            while True:
                began = time.thread_time()
                width, height = console.size
                console.control(*_erase_wrapped(shown, width))
                shown = self._view(width, height)
                live.update(shown, refresh=True)
                console.control(Control((ControlType.CARRIAGE_RETURN,)))  # ^C must not begin another row
                await trio.sleep(min(max(INTERVAL, (time.thread_time() - began) / SHARE), MAX_INTERVAL))

    def _view(self, width: int, height: int) -> Text:
        """Return the views of all crawls, each with its share of the rows."""
        several = len(self._monitors) > 1
        rows = height // len(self._monitors)
        views = [live_view(one.snapshot(HOSTS), width, rows, named=several) for one in self._monitors]
        return Text("\n").join(views)


class _Terminal:
    """A stream whose write errors are ignored: a terminal that is closed must not end the crawl."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _erase_wrapped(shown: Text, width: int) -> Iterator[Control]:
    """Yield the codes that erase the additional rows of a view whose lines a narrower terminal has wrapped."""
    for line in shown.split("\n"):
        for _ in range((line.cell_len - 1) // width):
            yield Control((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
