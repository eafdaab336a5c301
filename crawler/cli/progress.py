"""`Progress`: the plugin of the command line. It shows the live line, and collects data for the summary."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final, TextIO, cast

import trio

from crawler.cli.logs import plural
from crawler.engine.report import Report, Timer
from crawler.errors import HookError
from crawler.hooks.plugin import Crawl, Plugin
from crawler.limits.outages import NETWORK
from crawler.messages import Failure
from crawler.printable import printable_line

if TYPE_CHECKING:
    from rich.live import Live

    from crawler.limits.outages import OutageStatistics

__all__ = ["Progress"]

INTERVAL: Final = 0.25
"""Seconds between two updates of the line."""


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
    """Shows a line on standard error while the crawl runs, if that is a terminal, and removes it at the end.

    Parameters:
        live: Whether to show the line.
    """

    name = "command line"

    def __init__(self, *, live: bool) -> None:
        self._live = live and sys.stderr.isatty()
        self._timer = Timer(time.monotonic())
        self._started: float | None = None
        self._earlier = 0
        self.causes: dict[str, str] = {}
        """The message of the first failure of each kind."""

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Show the line while the crawl runs, below the log messages."""
        self._started = time.monotonic()
        self._earlier = crawl.stats.pages
        if not self._live:
            yield
            return
        from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it
        from rich.live import Live  # noqa: PLC0415

        console = Console(file=cast("IO[str]", _Terminal(sys.stderr)))
        with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as live:
            console.show_cursor()  # which `Live` hides; a process that is killed could not show it again
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._refresh, live)
                yield
                nursery.cancel_scope.cancel(reason="the crawl has ended")

    async def failed(self, failure: Failure) -> None:
        """Keep the message of the first failure of each kind."""
        error = failure.error
        where = f"{error.plugin}.{error.hook}: " if isinstance(error, HookError) else ""
        self.causes.setdefault(error.full_reason, f"{where}{error}")

    def report(self, finished: str) -> Report | None:
        """Return the report of a crawl that failed; `None` if it had not started."""
        if self._started is None:
            return None
        crawl = self.crawl
        return self._timer.report(crawl.stats, now=time.monotonic(), finished=finished, spider=crawl.spider.name)

    async def _refresh(self, live: Live) -> None:
        from rich.text import Text  # noqa: PLC0415

        while True:
            live.update(Text(self._line(live.console.width), no_wrap=True, overflow="ellipsis"), refresh=True)
            await trio.sleep(INTERVAL)

    def _line(self, width: int) -> str:
        """Return the present line, cut to `width` characters."""
        crawl, stats = self.crawl, self.crawl.stats
        seconds = time.monotonic() - (self._started or 0.0)
        parts = [
            plural(stats.pages, "page"),
            f"{(stats.pages - self._earlier) / max(seconds, INTERVAL):.1f}/s",
            plural(stats.items, "item"),
        ]
        now = crawl.statistics()
        parts += [f"{now.in_flight} in flight", f"{now.waiting} waiting"]
        if not now.in_flight and INTERVAL <= (wait := now.next_start - crawl.clock()) < math.inf:
            parts.append(f"next in {wait:.0f} s")
        if now.outages:
            parts.append(_outages(now.outages))
        if stats.failed:
            parts.append(f"{stats.failed} failed")
        parts.append(f"{seconds // 60:.0f}:{seconds % 60:02.0f}")
        ending = f"stopping ({crawl.reason}), Ctrl-C stops at once: " if crawl.reason is not None else ""
        return printable_line(ending + " · ".join(parts))[:width]


def _outages(outages: Mapping[str, OutageStatistics]) -> str:
    """Return what is down: ``network down``, ``example.com down`` or ``3 hosts down``."""
    if NETWORK in outages:
        return "network down"
    if len(outages) == 1:
        return f"{next(iter(outages)).partition('://')[2] or next(iter(outages))} down"
    return f"{len(outages)} hosts down"
