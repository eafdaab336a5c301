"""`ProcessKeeper`: keeps the processes for callbacks running, replaces those that end, and reads their messages."""

from __future__ import annotations

import mmap
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import trio
import trio_util

from crawler.engine.processes import wire
from crawler.engine.processes.log_records import emit
from crawler.engine.processes.process import Process, ProcessChoice
from crawler.engine.shutdown import FINISH_GRACE
from crawler.errors import CrawlFailed
from crawler.logs import get_logger

if TYPE_CHECKING:
    from crawler.engine.processes.call_server import CallServer
    from crawler.engine.processes.launcher import Ended, Launcher
    from crawler.engine.processes.state import StateVersions

__all__ = ["ProcessKeeper"]

NAMES: Final = {int(number): number.name for number in signal.Signals}
"""Names of signals by their numbers."""
log = get_logger("crawler.engine")


class ProcessKeeper:
    """The processes that run callbacks."""

    def __init__(
        self,
        launcher: Launcher,
        memories: Sequence[mmap.mmap],
        versions: StateVersions,
        calls: CallServer,
        look: Callable[[], None],
    ) -> None:
        self._launcher = launcher
        self._memories = memories
        self._versions = versions
        self._calls = calls
        self._look = look
        self.choice = ProcessChoice()
        """Chooses among them."""
        self._ready = trio_util.RepeatedEvent()
        self._running: set[int] = set()
        self._noted = trio_util.RepeatedEvent()
        self._end_of: dict[int, str] = {}
        self.processes: list[Process] = []
        """Those that run."""
        self.useless = 0
        """Processes that have ended one after the other without a handled page."""
        self.last_end = ""
        """How the last of those that have failed ended."""
        self.cpu_seconds = 0.0
        """CPU seconds of the processes that have ended."""

    async def choose(self) -> Process:
        """Return the process that gets the next page, as soon as one is ready."""
        while (process := self.choice.choose(self.processes)) is None:
            await self._ready.wait()
        return process

    def send(self, message: Any) -> None:
        """Send a message to all processes."""
        for process in self.processes:
            process.channel.send(message)

    async def run(self) -> None:
        """Keep the processes running until this is cancelled; then let them end."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch)
                for place in range(len(self._memories)):
                    nursery.start_soon(self._keep_one, place)
        finally:
            with trio.move_on_after(FINISH_GRACE, shield=True), suppress(EOFError):  # noqa: ASYNC912 - if a process runs
                while self._running:
                    self._note(await self._launcher.ended())

    async def _watch(self) -> None:
        """Note which processes end."""
        try:
            while True:
                self._note(await self._launcher.ended())
        except EOFError as error:
            raise CrawlFailed("the process that starts the others was killed") from error

    def _note(self, ended: Ended) -> None:
        self._running.discard(ended.pid)
        self.cpu_seconds += ended.cpu_seconds
        name = NAMES.get(-ended.code, f"signal {-ended.code}")
        self._end_of[ended.pid] = f"exit code {ended.code}" if ended.code >= 0 else f"killed by {name}"
        self._noted.set()

    async def _keep_one(self, place: int) -> None:
        """Run one process after the other."""
        while self.useless < 10:  # processes that ended, one after the other, without a handled page
            await self._run_one(place)
        raise CrawlFailed(f"the processes that run callbacks end repeatedly ({self.last_end})")

    async def _run_one(self, place: int) -> None:
        """Run one process until it ends, or until this is cancelled."""
        process = Process(*self._launcher.launch(place), self._memories[place])
        process.channel.send(self._versions.whole())
        self.processes.append(process)
        try:
            async with trio.open_nursery() as nursery:
                for each in (process.channel, process.calls):
                    nursery.start_soon(each.run_writer)
                nursery.start_soon(self._calls.serve, process)
                await self._read(process)
                nursery.cancel_scope.cancel(reason="the process has ended")
            await self._lose(process)
        finally:
            self.processes.remove(process)
            process.channel.send(wire.Stop())
            process.channel.flush()
            with trio.move_on_after(FINISH_GRACE, shield=True):
                await self._read(process)  # it may log something at its end
            process.close()

    async def _lose(self, process: Process) -> None:
        """Let the pages of a process that has ended be handled by others."""
        pages, pid = len(process.pages), process.pid
        process.pid = 0
        self.useless += bool(pages or not pid)  # one that had nothing to do did nothing wrong
        for page in process.pages.values():
            page.put(None)
        with trio.move_on_after(1):  # noqa: ASYNC912 - if its end is not noted
            while pid and pid not in self._end_of:
                await self._noted.wait()
        self.last_end = self._end_of.get(pid, "before it was ready")
        log.warning(
            "a process that runs callbacks has ended (%s) and is replaced; pages that it had: %d", self.last_end, pages
        )

    async def _read(self, process: Process) -> None:
        """Take the messages of a process until it ends."""
        while messages := await process.channel.receive():
            self._look()
            for message in messages:
                match message:
                    case wire.Handled() | wire.Raised():
                        self.useless = 0
                        self.choice.note(message.seconds)
                        process.bodies.free(message.read)
                        self._put(process, message.number, message)
                    case wire.Log():
                        emit(message.record)
                    case wire.Ready(pid):
                        process.pid = pid
                        self._running.add(pid)
                        self._ready.set()
                    case _:
                        self._put(process, message.number, message)

    @staticmethod
    def _put(process: Process, number: int, message: Any) -> None:
        page = process.pages.get(number)
        if page is not None:  # else its result is no longer needed
            page.put(message)
