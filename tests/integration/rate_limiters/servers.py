"""Rate-limiting servers that others wrote, each a child process on loopback with a fresh state.

::

    with serving("express-draft-8", "nginx-req") as (express, nginx):
        fetch(express.url + "page/7")
        print(express.stop().refused)

Every one of them serves ``/page/N`` for N from 0 to 99 and ``/`` with links to all, and lets 20 requests through in 5
seconds (`SERVERS` tells the exceptions). ``/robots.txt`` is answered 404 and costs nothing: where an application is
limited, static files are usually served in front of it, and a job of a hundred pages then costs everybody the same,
whether they ask for it or not.

What is counted, is counted at the server: each writes a line for every answer to a log of its own.
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
"""How many pages each of them has."""
APPS = Path(__file__).parent / "apps"
READY = "/robots.txt?ready"
"""What the harness asks for until it is answered; no limit counts it."""


@dataclass(frozen=True)
class Quota:
    """So many requests in so many seconds."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Server:
    """One of the servers, and what its limit is."""

    program: tuple[str, ...]
    """What is started: ``node``, ``nginx`` or the file of an application, and its arguments."""
    quotas: tuple[Quota, ...] = (Quota(20, 5.0),)
    """All of them hold at once."""
    continuous: bool = False
    """Whether what was used is restored bit by bit (a bucket) instead of a window at a time."""
    at_once: int | None = None
    """Requests in flight that are let through; then there is no quota."""
    declares: bool = True
    """Whether answers say what is left."""
    refusal: int = 429
    """The status of a refusal."""

    def minimum(self, pages: int = PAGES) -> float:
        """Seconds that nobody can be faster than without a refusal, if sending itself takes no time.

        * A window of fixed length opens with the first request that it counts, and a sliding one forgets each request
          when it is as old as the window is long: either way as many as fit go at once, and the next ones go one
          window later. With two quotas the next ones go when the later of the two lets them: 20 in 5 seconds and 60 in
          50 lets through 20 at 0, 5, 10, 50 and 55 seconds.
        * A bucket is full at first; each request beyond waits until its unit has dripped in.
        * A limit of requests at once lets through so many every time a page has been sent.
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
"""By name: npm's ``express-rate-limit`` in its four dialects, with two limiters one behind the other, and without a
word; npm's ``rate-limiter-flexible``; ``slowapi`` and ``flask-limiter`` from the Python index, this one also without a
word; and nginx with ``limit_req`` (a bucket) and ``limit_conn`` (four at once, and each page takes its time)."""


@dataclass(frozen=True)
class Hit:
    """One answer, as its server logged it."""

    ended: float
    """Seconds since the epoch: when it was, or was about to be, sent."""
    took: float
    """Seconds since the request was there."""
    uri: str
    status: int


@dataclass(frozen=True)
class Counts:
    """What a server saw of the requests for ``/page/N``; ``/`` and robots.txt count for `seconds` alone."""

    served: int
    """Answered with 200."""
    refused: int
    """Answered with the status of its refusals."""
    other: int
    """Answered with anything else."""
    pages: frozenset[int] = field(repr=False)
    """Which pages were served."""
    seconds: float
    """From the first request, whatever it was for, to the last page that was served."""
    at_once: int
    """How many of the served ones were in flight at the same time, at most."""


@dataclass
class Running:
    """A server that was started."""

    name: str
    url: str
    """Where it is, with a slash at the end."""
    scratch: Path = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def server(self) -> Server:
        """What it is."""
        return SERVERS[self.name]

    def hits(self) -> list[Hit]:
        """Every answer, but those to the harness itself; the last ones may be missing while the server runs."""
        *lines, _ = (self.scratch / "log").read_text(encoding="utf-8").split("\n")
        found = [Hit(**json.loads(line)) for line in lines]
        return [hit for hit in found if hit.uri != READY]

    def stop(self) -> Counts:
        """End the server and tell what it saw. The log is complete then, and can be read until `serving` ends."""
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
        """What it wrote to standard error."""
        return (self.scratch / "errors").read_text(encoding="utf-8", errors="replace")


def _at_once(hits: list[Hit]) -> int:
    """How many of them were in flight at the same time, at most."""
    changes = sorted([(hit.ended, -1) for hit in hits] + [(hit.ended - hit.took, 1) for hit in hits])
    return max(accumulate(change for _, change in changes), default=0)


@contextmanager
def serving(*names: str, seconds: float = 60.0) -> Iterator[list[Running]]:
    """Start servers, all together, until the block is left.

    Parameters:
        names: keys of `SERVERS`; a name that is given twice is two servers.
        seconds: time until all of them must answer.

    Raises:
        FileNotFoundError: a program is not installed; the message says how to install it.
        RuntimeError: one of them did not start; the message holds what it said.
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
    """Start one server. It inherits a socket that listens already, so no port is lost between choice and use."""
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
    """Return when it answers a request; fail with its own words when it ended or takes too long.

    A connection proves nothing: the socket listened before its server did.
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
