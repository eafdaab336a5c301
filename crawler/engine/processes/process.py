"""`Process`: a process that runs callbacks, as the first one sees it, and the pages that it has."""

from __future__ import annotations

import mmap
import socket
from typing import Any, Final

import trio
from msgspec import Struct, field

from crawler.engine.processes import wire
from crawler.engine.processes.channel import Channel
from crawler.engine.processes.packing import pack_response
from crawler.engine.processes.shared_bodies import BodyWriter
from crawler.messages import Response

__all__ = ["Page", "Process", "ProcessChoice"]

QUEUED: Final = 0.002
"""Seconds of work that one process gets before another one gets any: each process that runs takes cores and caches from
the others."""


class Page(Struct, eq=False):
    """A page that a process has."""

    response: Response
    messages: list[Any] = []
    """Those about the page that its task has not taken. `None` says that the process has ended."""
    has_message: trio.Event = field(default_factory=trio.Event)
    """Wakes the task of the page."""

    def put(self, message: Any) -> None:
        """Add a message, and wake the task of the page."""
        self.messages.append(message)
        self.has_message.set()

    async def take(self) -> Any:
        """Return the next message."""
        while not self.messages:
            self.has_message = trio.Event()
            await self.has_message.wait()
        return self.messages.pop(0)


class Process:
    """A process that runs callbacks."""

    def __init__(self, channel: socket.socket, calls: socket.socket, memory: mmap.mmap) -> None:
        self.channel = Channel(channel, wire.FROM_OTHER)
        self.calls = Channel(calls, wire.FROM_OTHER)
        self.bodies = BodyWriter(memory)
        self.pid = 0
        """0 until it is ready, and when it has ended."""
        self.pages: dict[int, Page] = {}
        """By number."""

    def send(self, number: int, response: Response) -> Page:
        """Give a page to the process; `number` identifies it."""
        self.channel.send(pack_response(number, response, self.bodies))
        page = self.pages[number] = Page(response)
        return page

    def close(self) -> None:
        """Close both ends."""
        self.channel.close()
        self.calls.close()


class ProcessChoice:
    """Chooses the process that gets a page. It knows how long pages take."""

    def __init__(self) -> None:
        self._mean = QUEUED

    def note(self, seconds: float) -> None:
        """Note how long the callback of a page took."""
        self._mean += 0.1 * (seconds - self._mean)  # over the last ten pages or so

    def choose(self, processes: list[Process]) -> Process | None:
        """Return the first process that has little to do, or the one with the fewest pages; `None`: none is ready."""
        few = QUEUED / self._mean
        fewest: Process | None = None
        for process in processes:
            if process.pid:
                if len(process.pages) < few:
                    return process
                if fewest is None or len(process.pages) < len(fewest.pages):
                    fewest = process
        return fewest
