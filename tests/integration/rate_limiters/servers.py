"""Third-party rate-limiting servers, each a child process on loopback with a fresh state.

::

    with serving("express-draft-8", "nginx-req") as (express, nginx):
        fetch(express.url + "page/7")
        print(express.stop().refused)

`SERVERS` has their limits. The servers do the counting: each writes a line for every response to its own log.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from integration.rate_limiters import haproxy, nginx
from integration.rate_limiters.catalogue import PAGES, SERVERS, Server
from integration.rate_limiters.packages import APPS, NODE, VERDACCIO, node_modules, python_packages

__all__ = ["Counts", "Hit", "Running", "serving"]

READY = "/robots.txt?ready"
"""The path that the harness requests until the server responds; not limited."""


@dataclass(frozen=True)
class Hit:
    """A response, as its server logged it."""

    ended: float
    """Time of sending, in seconds since the epoch."""
    took: float
    """Seconds since the request was received."""
    uri: str
    status: int


@dataclass(frozen=True)
class Counts:
    """The requests for pages that a server received; ``/`` and robots.txt count for `seconds` only."""

    served: int
    """Responses with status 200."""
    refused: int
    """Responses with the status of refusals."""
    other: int
    """Other responses."""
    pages: frozenset[int] = field(repr=False)
    """Numbers of the pages that were served."""
    seconds: float
    """Seconds from the first request of any kind to the last page that was served."""
    at_once: int
    """Maximum number of served requests in flight at the same time."""


@dataclass
class Running:
    """A running server."""

    name: str
    url: str
    """The URL of the server, with a trailing slash."""
    scratch: Path = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def server(self) -> Server:
        """Return the description of the server."""
        return SERVERS[self.name]

    def page(self, n: int | str) -> str:
        """Return the URL of a page, by its number."""
        return f"{self.url}{self.server.page}{n}"

    def hits(self) -> list[Hit]:
        """Return all responses except those to the harness; the last ones may be missing while the server runs."""
        return [hit for hit in self._logged() if hit.uri != READY]

    def stop(self, *, after: int = 0) -> Counts:
        """Stop the server and return the counts of the responses after the first ones.

        The log is then complete and can be read until `serving` ends. A server sends a response before it logs it, and
        loses the line if it is stopped in between; so it is stopped after it has logged a request that came last.
        """
        ready = sum(hit.uri == READY for hit in self._logged())
        give_up_at = time.monotonic() + 10
        _wait_until_answering(self, give_up_at)
        while sum(hit.uri == READY for hit in self._logged()) == ready and time.monotonic() < give_up_at:
            time.sleep(0.01)
        self.end()
        return self.counts(after=after)

    def end(self) -> None:
        """Stop the server."""
        self.process.terminate()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def counts(self, *, after: int = 0) -> Counts:
        """Return the counts of the responses after the first ones; the last ones may be missing while it runs."""
        hits = self.hits()[after:]
        prefix = f"/{self.server.page}"
        asked = [hit for hit in hits if hit.uri.startswith(prefix)]
        served = [hit for hit in asked if hit.status == 200]
        refused = sum(hit.status == self.server.refusal for hit in asked)
        begun = min((hit.ended - hit.took for hit in hits), default=0.0)
        return Counts(
            served=len(served),
            refused=refused,
            other=len(asked) - len(served) - refused,
            pages=frozenset(int(hit.uri.removeprefix(prefix)) for hit in served),
            seconds=max((hit.ended - begun for hit in served), default=0.0),
            at_once=_at_once(served),
        )

    def _logged(self) -> list[Hit]:
        """Return the complete lines of the log."""
        *lines, _ = (self.scratch / "log").read_text(encoding="utf-8").split("\n")
        return [Hit(**json.loads(line)) for line in lines]

    def said(self) -> str:
        """Return its standard error."""
        return (self.scratch / "errors").read_text(encoding="utf-8", errors="replace")


def _at_once(hits: list[Hit]) -> int:
    """Return the maximum number of requests in flight at the same time."""
    changes = sorted([(hit.ended, -1) for hit in hits] + [(hit.ended - hit.took, 1) for hit in hits])
    return max(accumulate(change for _, change in changes), default=0)


@contextmanager
def serving(*names: str, seconds: float = 120.0) -> Iterator[list[Running]]:
    """Start servers at the same time; stop them when the block is left.

    Parameters:
        names: keys of `SERVERS`; a repeated name means several servers.
        seconds: time within which all of them must respond.

    Raises:
        FileNotFoundError: a program is not installed; the message says how to install it.
        RuntimeError: a server did not start; the message contains its output.
    """
    with tempfile.TemporaryDirectory(prefix="limited-") as folder, ExitStack() as stack:
        started = []
        for k, name in enumerate(names):
            scratch = Path(folder, f"{k}-{name}")
            scratch.mkdir()
            started.append(_start(name, scratch))
            stack.callback(started[-1].end)
        give_up_at = time.monotonic() + seconds
        for running in started:
            _wait_until_answering(running, give_up_at)
        yield started


def _start(name: str, scratch: Path) -> Running:
    """Start one server. It inherits a listening socket, so its port cannot be taken between choice and use."""
    log = scratch / "log"
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        command, more = _command(SERVERS[name].program, listener, scratch, log)
        with log.open("ab") as output, (scratch / "errors").open("wb") as errors:
            process = subprocess.Popen(
                command,
                cwd=scratch,
                env=os.environ | more,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                pass_fds=[listener.fileno()],
            )
        port = listener.getsockname()[1]
    return Running(name, f"http://127.0.0.1:{port}/", scratch, process)


def _command(
    program: tuple[str, ...], listener: socket.socket, scratch: Path, log: Path
) -> tuple[list[str], dict[str, str]]:
    """Return the command of a server, which inherits the listener, and its additional environment variables."""
    fd = listener.fileno()
    match program:
        case "nginx", kind:
            return nginx.prepare(kind, listener=listener, scratch=scratch, log=log, pages=PAGES)
        case "haproxy", way:
            return haproxy.prepare(way, fd=fd, scratch=scratch, pages=PAGES), {}
        case "node", mode:
            return ["node", str(NODE / "server.js"), str(fd), mode], {"NODE_PATH": str(node_modules())}
        case ("verdaccio",):
            modules = node_modules(source=VERDACCIO)
            return ["node", str(NODE / "verdaccio.js"), str(fd)], {"NODE_PATH": str(modules)}
        case app, *arguments:
            return [sys.executable, str(APPS / app), str(fd), *arguments], {"PYTHONPATH": str(python_packages())}
    raise ValueError(program)


def _wait_until_answering(running: Running, give_up_at: float) -> None:
    """Wait until the server responds to a request; fail with its output if it ended or takes too long.

    A connection is not enough, because the socket listens before the server runs.
    """
    while running.process.poll() is None and (left := give_up_at - time.monotonic()) > 0:
        try:
            urllib.request.urlopen(running.url.rstrip("/") + READY, timeout=left)
        except urllib.error.HTTPError as answer:
            answer.close()
            if answer.code == 404:
                return
            raise RuntimeError(f"{running.name} answers robots.txt with {answer.code}:\n{running.said()}") from None
        except OSError:
            time.sleep(0.01)
    code = running.process.returncode
    raise RuntimeError(f"{running.name} does not answer, exit code {code}:\n{running.said()}")
