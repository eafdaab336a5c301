"""`Child`: a crawl in a process of its own, which ends with the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from crawler import Crawl, Plugin

__all__ = ["Child", "EndsWithParent"]

GRACE: Final = 10.0
"""Seconds that a child has to let requests in flight finish when its parent ends."""
KILL_AFTER: Final = 3.0
"""Seconds after the second signal until a child is killed."""


class Child:
    """A child process. It has a process group of its own, so that Ctrl-C in a terminal reaches its parent only."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self.number = process.pid

    @classmethod
    async def start(cls, arguments: Sequence[str], folder: Path, log: Path) -> Child:
        """Start a command of the crawler in a working directory; its messages are appended to a file."""
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            process = await trio.lowlevel.open_process(
                [sys.executable, "-m", "crawler", *arguments],
                stdin=subprocess.PIPE,  # closed by the system if this process is killed: see `EndsWithParent`
                stdout=descriptor,
                stderr=descriptor,
                cwd=folder,
                process_group=0,
            )
        finally:
            os.close(descriptor)
        return cls(process)

    async def wait(self) -> int:
        """Wait for the end of the process, and return its exit code."""
        return await self._process.wait()

    def stop(self) -> None:
        """Let requests in flight finish; a second call cancels them."""
        self._process.terminate()

    async def end(self) -> None:
        """End the process within 14 seconds, and wait for it."""
        for seconds in (GRACE, KILL_AFTER):
            self._process.terminate()
            with trio.move_on_after(seconds):
                await self._process.wait()
                return
        self._process.kill()
        await self._process.wait()


class EndsWithParent(Plugin):
    """Stops the crawl when standard input is closed, which the system does when the parent process ends."""

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Watch standard input while the crawl runs."""
        crawl.start_soon(self._watch, crawl)
        yield

    async def _watch(self, crawl: Crawl) -> None:
        await trio.lowlevel.wait_readable(0)
        signal.raise_signal(signal.SIGTERM)  # the signal that a parent sends when it exits normally
