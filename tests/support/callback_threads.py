"""Callbacks in threads instead of processes: the same messages over the same sockets, without forks.

Each thread has an event loop and a copy of the spider. A callback that raises `Death` ends its thread as a kill ends a
process: nothing more comes from it.
"""

from __future__ import annotations

import copy
import mmap
import os
import socket
import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from crawler.engine.processes import processes
from crawler.engine.processes.child import ChildProcess
from crawler.engine.processes.launcher import Ended

__all__ = ["Death", "ThreadLauncher", "use_threads"]


class Death(GeneratorExit):
    """Ends the thread of a callback."""


class ThreadLauncher:
    """Starts threads as `Launcher` starts processes."""

    def __init__(self, main: partial[None]) -> None:
        self._spider, self._plugins, self._settings, self._memories = main.args
        self._ended, self._report = socket.socketpair()
        self._ended.setblocking(False)
        self.started = 0
        """Number of threads so far."""
        self.replaced = threading.Event()
        """Set when a thread that has ended is replaced."""
        self.threads: list[threading.Thread] = []

    def launch(self, place: int) -> tuple[socket.socket, socket.socket]:
        """Start a thread, and return the other ends of its sockets."""
        channel, calls = socket.socketpair(), socket.socketpair()
        thread = threading.Thread(target=self._run, args=(place, channel[1], calls[1]), daemon=True)
        self.threads.append(thread)
        self.started += 1
        thread.start()
        if self.started > len(self._memories):
            self.replaced.set()
        return channel[0], calls[0]

    def _run(self, place: int, channel: socket.socket, calls: socket.socket) -> None:
        code = 0
        with channel, calls:
            try:
                spider = copy.copy(self._spider)
                trio.run(self._run_callbacks, spider, self._memories[place], channel, calls)
            except BaseExceptionGroup as group:
                if group.split(Death)[1] is not None:
                    raise
                code = -9
        self._report.send(str(code).encode().ljust(4))

    async def _run_callbacks(
        self, spider: Any, memory: mmap.mmap, channel: socket.socket, calls: socket.socket
    ) -> None:
        await ChildProcess(spider, self._plugins, self._settings, memory, channel, calls).run()

    async def ended(self) -> Ended:
        """Return the next thread that has ended."""
        await trio.lowlevel.wait_readable(self._ended)
        return Ended(os.getpid(), int(self._ended.recv(4)), 0.5)

    def close(self) -> None:
        """Wait until all threads have ended."""
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()
        self._ended.close()
        self._report.close()


@pytest.fixture
def use_threads(monkeypatch: pytest.MonkeyPatch) -> list[ThreadLauncher]:
    """Let `run` use threads instead of processes; return the launchers that were made."""
    made: list[ThreadLauncher] = []

    def fork(main: partial[None]) -> ThreadLauncher:
        made.append(ThreadLauncher(main))
        return made[-1]

    monkeypatch.setattr(processes.Launcher, "fork", fork)
    monkeypatch.setattr(processes, "threading", SimpleNamespace(enumerate=list, current_thread=object))
    return made
