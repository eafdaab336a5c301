"""`Launcher`: a process that forks others for as long as the crawl needs them.

It is forked from the program before there is an event loop, a thread or an open job, so each process that it forks has
the spider as the program has made it, and nothing else. When the program ends, however it does, the launcher kills its
processes and ends.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

import trio
from msgspec import Struct

from crawler.engine.signals import ending_signals

__all__ = ["Ended", "Launcher"]

Main: TypeAlias = Callable[[int, socket.socket, socket.socket], None]
"""The function that a process runs, with its place and its ends of a `Channel` and of a socket for calls that block."""
PLACE: Final = struct.Struct("!i")
RECORD: Final = struct.Struct("!iid")


class Ended(Struct, frozen=True, eq=False):
    """A process that has ended."""

    pid: int
    code: int
    """Its exit code; negative: the number of the signal that killed it."""
    cpu_seconds: float
    """CPU seconds that it took."""


class Launcher:
    """Starts processes. Made by `fork`."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self._pid = pid
        self._control = control
        self._received = b""

    @classmethod
    def fork(cls, main: Main) -> Launcher:
        """Fork the launcher.

        The program must have one thread: a lock that another thread holds is never released in a fork.
        """
        ours, theirs = socket.socketpair()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # closed, or none
                stream.flush()  # or each process writes what is buffered
        pid = os.fork()
        if pid == 0:
            ours.close()
            _run(lambda: _serve(theirs, main))
        theirs.close()
        return cls(pid, ours)

    def launch(self, place: int) -> tuple[socket.socket, socket.socket]:
        """Start a process, and return the other ends of its two sockets. If it cannot be started, they are closed."""
        channel, calls = socket.socketpair(), socket.socketpair()
        with suppress(OSError):  # the launcher has ended, which `ended` reports
            socket.send_fds(self._control, [PLACE.pack(place)], [channel[1].fileno(), calls[1].fileno()])
        channel[1].close()
        calls[1].close()
        return channel[0], calls[0]

    async def ended(self) -> Ended:
        """Return the next process that has ended."""
        while len(self._received) < RECORD.size:
            await trio.lowlevel.wait_readable(self._control)
            data = self._control.recv(RECORD.size - len(self._received))
            if not data:
                raise EOFError("the launcher has ended")
            self._received += data
        record, self._received = self._received, b""
        return Ended(*RECORD.unpack(record))

    def close(self) -> None:
        """Kill all processes, and wait until the launcher has ended."""
        self._control.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


# ---- in the process of the launcher ----------------------------------------------------------------------------------


def _run(function: Callable[[], None]) -> None:
    """Run a function to its end, and end the process: what the program would do at its end is not done here."""
    code = 1
    try:
        for number in ending_signals():  # the first process decides when the crawl ends
            signal.signal(number, _ignore)  # unlike SIG_IGN, programs that a callback starts do not inherit it
        function()
        code = 0
    except BaseException:  # noqa: ASYNC103 - there is no event loop
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)


def _ignore(*_: object) -> None:
    """Do nothing at a signal."""


def _serve(control: socket.socket, main: Main) -> None:
    """Fork a process for each message of the control socket, and report those that end."""
    gc.freeze()
    running: set[int] = set()
    ended, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno())
    signal.signal(signal.SIGCHLD, _ignore)
    with control, ended, wakes:
        while True:
            ready, _, _ = select.select([control, ended], [], [])
            if ended in ready:
                ended.recv(4096)
                _report(control, running)
            if control in ready:
                message, descriptors = b"", list[int]()
                with suppress(ConnectionResetError):  # the program was killed before it read the last report
                    message, descriptors, _, _ = socket.recv_fds(control, PLACE.size, 2)
                if not message:
                    signal.set_wakeup_fd(-1)
                    break
                ends = [socket.socket(fileno=number) for number in descriptors]
                _fork(control, ended, wakes, ends, running, partial(main, *PLACE.unpack(message)))
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    for pid in running:
        os.waitpid(pid, 0)


def _fork(
    control: socket.socket,
    ended: socket.socket,
    wakes: socket.socket,
    ends: list[socket.socket],
    running: set[int],
    main: Callable[[socket.socket, socket.socket], None],
) -> None:
    pid = -1
    with suppress(OSError):  # too many processes: the first one sees that its ends are closed
        pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for held in (control, ended, wakes):
            held.close()
        _run(lambda: main(*ends))
    for end in ends:
        end.close()
    if pid > 0:
        running.add(pid)


def _report(control: socket.socket, running: set[int]) -> None:
    while running:
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if not pid:
            return
        running.discard(pid)
        code = os.waitstatus_to_exitcode(status)
        with suppress(OSError):  # the program has ended
            control.sendall(RECORD.pack(pid, code, usage.ru_utime + usage.ru_stime))
