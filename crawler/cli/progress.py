"""`Progress`: the plugin of the command line. It shows the live view, and collects data for the summary."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final, TextIO, cast

import trio

from crawler.cli.logs import say
from crawler.engine.report import Report, Timer
from crawler.errors import HookError
from crawler.hooks.plugin import Crawl, Plugin
from crawler.messages import Failure

if TYPE_CHECKING:
    from rich.control import Control
    from rich.text import Text

    from crawler.monitor import Monitor

__all__ = ["Progress"]

INTERVAL: Final = 0.25
"""Seconds between two updates of the view."""
PLAIN_INTERVAL: Final = 30.0
"""Seconds between two lines where there is no terminal."""
SAMPLE_INTERVAL: Final = 2.5
"""Seconds between two measurements of the rate where there is no terminal."""


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


class Progress(Plugin):
    """Shows on standard error what the crawl does: a view that is removed at the end, or a line every 30 seconds.

    Parameters:
        shown: Whether to show it.
        drawn: Whether to draw the view, if standard error is a terminal.
    """

    name = "command line"

    def __init__(self, *, shown: bool, drawn: bool = True) -> None:
        self._shown = shown
        self._drawn = drawn
        self._monitor: Monitor | None = None
        self._timer = Timer(time.monotonic())
        self._started: float | None = None
        self.causes: dict[str, str] = {}
        """The message of the first failure of each kind."""

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Show the view while the crawl runs, below the log messages; without a terminal, a line at times."""
        self._started = time.monotonic()
        if not self._shown:
            yield
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._draw if self._drawn and is_terminal(sys.stderr) else self._say, crawl)
            yield
            nursery.cancel_scope.cancel(reason="the crawl has ended")

    async def failed(self, failure: Failure) -> None:
        """Keep the message of the first failure of each kind."""
        error = failure.error
        where = f"{error.plugin}.{error.hook}: " if isinstance(error, HookError) and not error.is_callback else ""
        self.causes.setdefault(error.full_reason, f"{where}{error}")
        if self._monitor is not None:
            self._monitor.note_failure(failure)

    def report(self, finished: str) -> Report | None:
        """Return the report of a crawl that failed; `None` if it had not started."""
        if self._started is None:
            return None
        crawl = self.crawl
        return self._timer.report(crawl.stats, now=time.monotonic(), finished=finished, spider=crawl.spider.name)

    async def _draw(self, crawl: Crawl) -> None:
        """Draw the view on the terminal again and again."""
        from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it
        from rich.live import Live  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        from crawler.cli.live_view import HOSTS, live_view  # noqa: PLC0415
        from crawler.monitor import Monitor  # noqa: PLC0415

        monitor = self._monitor = Monitor(crawl)
        console = Console(file=cast("IO[str]", _Terminal(sys.stderr)))
        with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as live:
            console.show_cursor()  # which `Live` hides; a process that is killed could not show it again
            shown = Text()
            while True:
                width, height = console.size
                console.control(*_erase_wrapped(shown, width))
                shown = live_view(monitor.snapshot(HOSTS), width, height)
                live.update(shown, refresh=True)
                await trio.sleep(INTERVAL)

    async def _say(self, crawl: Crawl) -> None:
        """Write a line at times."""
        await trio.sleep(SAMPLE_INTERVAL)  # a short crawl needs no line
        from crawler.cli.live_view import one_line  # noqa: PLC0415
        from crawler.monitor import Monitor  # noqa: PLC0415

        monitor = self._monitor = Monitor(crawl)
        elapsed = SAMPLE_INTERVAL
        while True:
            now = monitor.snapshot(0)  # which measures the rate as well
            if elapsed >= PLAIN_INTERVAL:
                say(one_line(now) + "\n")
                elapsed = 0.0
            await trio.sleep(SAMPLE_INTERVAL)
            elapsed += SAMPLE_INTERVAL


def _erase_wrapped(shown: Text, width: int) -> Iterator[Control]:
    """Yield the codes that erase the additional rows of a view whose lines a narrower terminal has wrapped."""
    from rich.control import Control  # noqa: PLC0415
    from rich.segment import ControlType  # noqa: PLC0415

    for line in shown.split("\n"):
        for _ in range((line.cell_len - 1) // width):
            yield Control((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))


def is_terminal(stream: TextIO) -> bool:
    """Return whether lines on a stream can be drawn again: it is a terminal, and not a dumb one."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
