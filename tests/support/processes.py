"""Python processes without start-up time: forks of a server that has already imported the framework.

::

    process = Process(["-m", "crawler", "run", "quotes.py"], cwd=folder, env=os.environ, stderr=PIPE)
    out, err = process.communicate(timeout=60)

They are ordinary processes with an id, standard streams, signals and an exit code; they only save the half second in
which the interpreter starts and imports, and the time in which it takes its modules apart. Tests of that half second
use `subprocess`.
"""

from __future__ import annotations

import asyncio  # noqa: F401 - servers of tests use it
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import crawler_plugins

import crawler

__all__ = ["Process", "run"]

PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL
LONGEST = 1_000_000
"""Maximum size of the arguments and environment of one process, in bytes."""


class Process:
    """A running ``python ARGUMENTS`` with the part of `subprocess.Popen` that tests use; its streams are text.

    Parameters:
        arguments: ``-m MODULE ...`` or ``SCRIPT ...``.
        cwd: its working folder.
        env: its environment. Variables that Python reads at start-up have no effect.
        stdin, stdout, stderr: `PIPE`, `DEVNULL`, a file descriptor, or `None` for that of this process.
        closed: numbers of the standard streams that are closed in it.
        start_new_session: whether it leaves the terminal of this process.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        closed: Sequence[int] = (),
        start_new_session: bool = False,
    ) -> None:
        self.returncode: int | None = None
        self._reports, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ends = [self._ends(number, given) for number, given in enumerate((stdin, stdout, stderr))]
        self.stdin, self.stdout, self.stderr = (ours for ours, _, _ in ends)
        job = {
            "arguments": [str(argument) for argument in arguments], "cwd": str(cwd), "env": dict(env),
            "closed": list(closed), "start_new_session": start_new_session,
        }  # fmt: skip
        socket.send_fds(_server(), [json.dumps(job).encode()], [theirs.fileno(), *(theirs for _, theirs, _ in ends)])
        theirs.close()
        for _, end, is_ours in ends:
            if is_ours:
                os.close(end)
        self.pid = int(self._reports.recv(64))

    @staticmethod
    def _ends(number: int, given: int | None) -> tuple[TextIO | None, int, bool]:
        """Return our end of a stream, the end of the process, and whether to close the latter here."""
        if given == PIPE:
            reading, writing = os.pipe()
            if number == 0:
                return os.fdopen(writing, "w"), reading, True
            return os.fdopen(reading), writing, True
        if given == DEVNULL:
            return None, os.open(os.devnull, os.O_RDWR), True
        return None, number if given is None else given, False

    def poll(self) -> int | None:
        """Return the exit code, or `None` while it runs."""
        if self.returncode is None and select.select([self._reports], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit code, which is negative after a signal.

        Raises:
            subprocess.TimeoutExpired: It runs longer than `timeout` seconds.
        """
        if self.returncode is None:
            self._reports.settimeout(timeout)
            try:
                self.returncode = int(self._reports.recv(64))
            except TimeoutError:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0) from None
            self._reports.close()
        return self.returncode

    def communicate(self, text: str = "", timeout: float | None = None) -> tuple[str, str]:
        """Write `text` to its standard input and wait for its end; return the outputs that are pipes.

        Raises:
            subprocess.TimeoutExpired: It runs longer than `timeout` seconds.
        """
        written = ["", ""]

        def read(index: int, file: TextIO) -> None:
            with file:
                written[index] = file.read()

        files = enumerate((self.stdout, self.stderr))
        threads = [threading.Thread(target=read, args=each) for each in files if each[1] and not each[1].closed]
        for thread in threads:
            thread.start()
        if self.stdin and not self.stdin.closed:
            with self.stdin:
                self.stdin.write(text)
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            for thread in threads:
                thread.join()
        return written[0], written[1]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):  # it may end meanwhile
            if self.poll() is None:
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def run(
    arguments: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], text: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run ``python ARGUMENTS`` to its end, as `subprocess.run` does with ``capture_output=True, text=True``."""
    process = Process(arguments, cwd=cwd, env=env, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    out, err = process.communicate(text, timeout)
    return subprocess.CompletedProcess(arguments, process.wait(), out, err)


@functools.cache
def _server() -> socket.socket:
    """Start the server of this process; it ends when the connection is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-W", "error", __file__, str(theirs.fileno())]
    server = subprocess.Popen(command, stdin=DEVNULL, pass_fds=[theirs.fileno()])
    theirs.close()

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours


# ---- the server ------------------------------------------------------------------------------------------------------


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Fork for each request and report the ends of the forks; return the request in a child, `None` in the server."""
    running: dict[int, socket.socket] = {}
    ended, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([requests, ended], [], [])
        if ended in ready:
            ended.recv(4096)
            while running and (found := os.waitpid(-1, os.WNOHANG))[0]:
                with running.pop(found[0]) as reports:
                    _send(reports, os.waitstatus_to_exitcode(found[1]))
        if requests in ready:
            message, descriptors, _, _ = socket.recv_fds(requests, LONGEST, 4)
            if not message:
                signal.set_wakeup_fd(-1)
                ended.close()
                wakes.close()
                return None
            reports = socket.socket(fileno=descriptors[0])
            if child := os.fork():
                running[child] = reports
                _send(reports, child)
                for descriptor in descriptors[1:]:
                    os.close(descriptor)
                continue
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for held in (requests, ended, wakes, reports, *running.values()):
                held.close()
            return json.loads(message) | {"streams": descriptors[1:]}


def _send(reports: socket.socket, number: int) -> None:
    with suppress(OSError):  # the process that requested it may have ended
        reports.send(str(number).encode())


def _become(job: dict[str, Any]) -> None:
    """Run the arguments in this process as if Python had just started."""
    for number, descriptor in enumerate(job["streams"]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if job["start_new_session"]:
        os.setsid()
    for number in job["closed"]:
        os.close(number)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    sys.stdin, sys.stdout, sys.stderr = _stream(0, "r"), _stream(1, "w"), _stream(2, "w")
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    first, *rest = job["arguments"]
    try:
        if first == "-m":
            sys.path[0] = job["cwd"]
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = str(Path(first).resolve().parent)
            sys.argv = [first, *rest]
            runpy.run_path(first, run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, int):
            _codes.append(end.code)
        raise
    _codes.append(0)


_codes: list[int] = []
"""The exit code of this process, once it is known."""


def _leave() -> None:
    """End the process without taking its modules apart, which takes longer than most commands.

    It is called when threads and exit functions have ended. What is unreachable and not closed warns, as ever.
    """
    if not _codes or "coverage" in sys.modules:  # whose exit function comes last
        return
    gc.collect()
    with suppress(OSError, ValueError):  # Python itself reports what cannot be written
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
        os._exit(_codes[0])


def _stream(number: int, mode: str) -> Any:
    """Return a standard stream as Python opens it; `None` if it is closed."""
    try:
        return open(number, mode, 1 if number == 2 or os.isatty(number) else -1, closefd=False)
    except OSError:
        return None


def _prepare() -> None:
    """Import everything that commands import, and exclude it from garbage collection."""
    for package in (crawler, crawler_plugins):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    gc.freeze()


if __name__ == "__main__":
    atexit.register(_leave)  # the first one: it is called last
    _prepare()
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        what = _serve(connection)
    if what is not None:
        _become(what)
