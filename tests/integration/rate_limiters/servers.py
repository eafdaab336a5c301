"""Third-party rate-limiting servers, each a child process on loopback with a fresh state.

::

    with serving("express-draft-8", "nginx-req") as (express, nginx):
        fetch(express.url + "page/7")
        print(express.stop().refused)

Each serves ``/page/N`` for N from 0 to 99 and ``/`` with links to all, and accepts 20 requests in 5 seconds (`SERVERS`
lists the exceptions). ``/robots.txt`` is a 404 and not limited: static files are usually served in front of a limited
application, and so the same hundred pages cost every client the same, with or without robots.txt.

The servers do the counting: each writes a line for every response to its own log.
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

from integration.rate_limiters import nginx
from integration.rate_limiters.packages import NODE, node_modules

__all__ = ["PAGES", "SERVERS", "Counts", "Hit", "Quota", "Running", "Server", "serving"]

PAGES = 100
"""Number of pages of each server."""
APPS = Path(__file__).parent / "apps"
READY = "/robots.txt?ready"
"""The path that the harness requests until the server responds; not limited."""


@dataclass(frozen=True)
class Quota:
    """A number of requests in a number of seconds."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Server:
    """A server and its limit."""

    program: tuple[str, ...]
    """The program: ``node``, ``nginx`` or the file of an application, and its arguments."""
    quotas: tuple[Quota, ...] = (Quota(20, 5.0),)
    """The quotas, all of which apply."""
    continuous: bool = False
    """Whether the quota is refilled continuously (a bucket) instead of per window."""
    at_once: int | None = None
    """Maximum number of requests in flight; such a server has no quota. `None` means no limit."""
    declares: bool = True
    """Whether responses declare the remaining quota."""
    refusal: int = 429
    """The status of a refusal."""

    def minimum(self, pages: int = PAGES) -> float:
        """Return the shortest time in seconds in which the pages can be fetched without a refusal, without latency.

        * A fixed window opens with the first request that it counts, and a sliding window forgets each request after
          its length. Either way, as many requests as fit are sent at once and the next ones one window later. With two
          quotas, the later one decides: 20 in 5 seconds and 60 in 50 accept 20 requests at 0, 5, 10, 50 and 55 seconds.
        * A bucket is full at first; each further request waits until a unit has been refilled.
        * A limit of concurrency accepts that many requests each time a page has been sent.
        """
        if self.at_once is not None:
            return -(-pages // self.at_once) * nginx.PAGE_SECONDS
        if self.continuous:
            (quota,) = self.quotas
            return max(0, pages - quota.requests) * quota.seconds / quota.requests
        now = 0.0
        opened, used = [0.0 for _ in self.quotas], [0 for _ in self.quotas]
        for _ in range(pages):
            for k, quota in enumerate(self.quotas):
                if used[k] == quota.requests:
                    now = max(now, opened[k] + quota.seconds)
            for k, quota in enumerate(self.quotas):
                if now >= opened[k] + quota.seconds:
                    opened[k], used[k] = now, 0
                used[k] += 1
        return now


SERVERS = {
    "express-legacy": Server(("node", "legacy")),
    "express-draft-6": Server(("node", "draft-6")),
    "express-draft-7": Server(("node", "draft-7")),
    "express-draft-8": Server(("node", "draft-8")),
    "express-two": Server(("node", "two"), quotas=(Quota(20, 5.0), Quota(60, 50.0))),
    "express-silent": Server(("node", "silent"), declares=False),
    "flexible": Server(("node", "flexible")),
    "slowapi": Server(("slowapi_app.py",)),
    "flask-fixed": Server(("flask_app.py", "fixed-window")),
    "flask-moving": Server(("flask_app.py", "moving-window")),
    "flask-silent": Server(("flask_app.py", "moving-window", "silent"), declares=False),
    "nginx-req": Server(("nginx", "req"), continuous=True, declares=False, refusal=503),
    "nginx-conn": Server(("nginx", "conn"), quotas=(), at_once=nginx.AT_ONCE, declares=False, refusal=503),
}
"""Servers by name: npm's ``express-rate-limit`` in its four dialects, with two limiters in series, and without header
fields; npm's ``rate-limiter-flexible``; ``slowapi`` and ``flask-limiter`` from PyPI, the latter also without header
fields; and nginx with ``limit_req`` (a bucket) and ``limit_conn`` (four slow pages at a time)."""


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
    """The requests for ``/page/N`` that a server received; ``/`` and robots.txt count for `seconds` only."""

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

    def hits(self) -> list[Hit]:
        """Return all responses except those to the harness; the last ones may be missing while the server runs."""
        *lines, _ = (self.scratch / "log").read_text(encoding="utf-8").split("\n")
        found = [Hit(**json.loads(line)) for line in lines]
        return [hit for hit in found if hit.uri != READY]

    def stop(self) -> Counts:
        """Stop the server and return its counts. The log is then complete and can be read until `serving` ends."""
        self.process.terminate()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        hits = self.hits()
        asked = [hit for hit in hits if hit.uri.startswith("/page/")]
        served = [hit for hit in asked if hit.status == 200]
        refused = sum(hit.status == self.server.refusal for hit in asked)
        begun = min((hit.ended - hit.took for hit in hits), default=0.0)
        return Counts(
            served=len(served),
            refused=refused,
            other=len(asked) - len(served) - refused,
            pages=frozenset(int(hit.uri.removeprefix("/page/")) for hit in served),
            seconds=max((hit.ended - begun for hit in served), default=0.0),
            at_once=_at_once(served),
        )

    def said(self) -> str:
        """Return its standard error."""
        return (self.scratch / "errors").read_text(encoding="utf-8", errors="replace")


def _at_once(hits: list[Hit]) -> int:
    """Return the maximum number of requests in flight at the same time."""
    changes = sorted([(hit.ended, -1) for hit in hits] + [(hit.ended - hit.took, 1) for hit in hits])
    return max(accumulate(change for _, change in changes), default=0)


@contextmanager
def serving(*names: str, seconds: float = 60.0) -> Iterator[list[Running]]:
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
            stack.callback(started[-1].stop)
        give_up_at = time.monotonic() + seconds
        for running in started:
            _wait_until_answering(running, give_up_at)
        yield started


def _start(name: str, scratch: Path) -> Running:
    """Start one server. It inherits a listening socket, so its port cannot be taken between choice and use."""
    program, *arguments = SERVERS[name].program
    log = scratch / "log"
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        fd, port = listener.fileno(), listener.getsockname()[1]
        more: dict[str, str] = {}
        if program == "nginx":
            command, more = nginx.prepare(*arguments, listener=listener, scratch=scratch, log=log, pages=PAGES)
        elif program == "node":
            command, more = ["node", str(NODE / "server.js"), str(fd)], {"NODE_PATH": str(node_modules())}
            command += arguments
        else:
            command = [sys.executable, str(APPS / program), str(fd), *arguments]
        with log.open("ab") as output, (scratch / "errors").open("wb") as errors:
            process = subprocess.Popen(
                command,
                cwd=scratch,
                env=os.environ | more,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                pass_fds=[fd],
            )
    return Running(name, f"http://127.0.0.1:{port}/", scratch, process)


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
