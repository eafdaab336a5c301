"""Serve a generated web (`support.web`) in a process of its own, so that it survives the kill of a crawl.

::

    python tests/support/webserver.py --seed 7 --hosts 8 --pages 1200 --port 0 --log requests.log

It prints its port, then serves until its standard input is closed or it receives SIGTERM. It keeps in memory which
failures of a page have been sent. Each line of the log is a request: two times of the monotonic clock in seconds,
between which the request became complete (in between the server was busy or not scheduled), host, path and query, and
the outcome (a status, ``close`` or ``cut``).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.processes import PIPE, Process
from support.web import Answer, Web

__all__ = ["RETRY_AFTER", "Hit", "read_log", "serve"]

REASONS = {
    200: "OK", 206: "Partial Content", 301: "Moved Permanently", 302: "Found", 404: "Not Found", 410: "Gone",
    429: "Too Many Requests", 503: "Service Unavailable",
}  # fmt: skip
RETRY_AFTER = 2
"""The ``Retry-After`` of a 429, in seconds."""
AT_ONCE = 0.001
"""Seconds. If `select` returns sooner than this, the event may have been there before the call."""
SCHEDULE = Path("/proc/self/schedstat")
"""Nanoseconds on a processor and waiting for one, and the number of times."""
RANGE = re.compile(rb"\r\nRange: bytes=(\d+)-\r\nIf-Range: ([^\r]+)")
"""The header fields of a request that continues a file."""
MOST = 64 * 1024
"""Maximum size of the head of a request, in bytes. The connection of a longer one is aborted."""


# For the parent process


@dataclass(frozen=True)
class Hit:
    """A request that the server received."""

    since: float
    """Earliest time of arrival, in seconds of the monotonic clock, which all processes of a machine share."""
    at: float
    """Latest time of arrival, in seconds of the same clock."""
    host: str
    path: str
    """Path and query."""
    outcome: str
    """The status, or ``close`` or ``cut``."""


def read_log(path: Path) -> list[Hit]:
    """Return the requests so far, in order."""
    fields = (line.split() for line in path.read_text().splitlines())
    return [Hit(float(since), float(at), *rest) for since, at, *rest in fields]


@contextmanager
def serve(*, seed: int, hosts: int, pages: int, log: Path, drag: float = 0.0) -> Iterator[Web]:
    """Serve a web with a child process until the block is left; each response is delayed by another `drag` seconds."""
    words = {"seed": seed, "hosts": hosts, "pages": pages, "port": 0, "log": log, "drag": drag}
    command = [__file__, *(f"--{name}={value}" for name, value in words.items())]
    process = Process(command, cwd=Path.cwd(), env=os.environ, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Web(seed, hosts, pages, port=int(process.stdout.readline()))
    finally:
        process.stdin.close()
        try:
            code = process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            process.stdout.close()
    assert code == 0


# The process


def waited_for_cpu() -> float:
    """Return the seconds that this process could have run but had no processor; 0 where the system does not say."""
    try:
        return int(SCHEDULE.read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


class Poller(selectors.DefaultSelector):  # type: ignore[misc, valid-type] - one of several classes, by platform
    """Remembers the earliest time at which the events that it returned may have occurred.

    On a busy machine the process wakes up some time after the event.
    """

    def __init__(self) -> None:
        super().__init__()
        self.since = self._looked = time.monotonic()
        """Seconds of the monotonic clock."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        waited = waited_for_cpu()
        asked = time.monotonic()
        found = super().select(timeout)
        now = time.monotonic()
        self.since = self._looked if now - asked < AT_ONCE else max(asked, now - (waited_for_cpu() - waited))
        self._looked = now
        return found


class Connection(asyncio.Protocol):
    """A connection of a client. Requests are processed one after another, each response after its delay."""

    def __init__(self, server: WebServer, host: str) -> None:
        self._server = server
        self._host = host
        self._received = b""
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._busy:
            self._next()

    def _next(self) -> None:
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if end:
            self._received, self._busy = rest, True
            path = head.split(b" ", 2)[1].decode("latin-1")
            asked = RANGE.search(head)
            answer, outcome = self._server.answer(self._host, path)
            start = int(asked[1]) if asked is not None and asked[2].decode() == answer.etag else 0
            asyncio.get_running_loop().call_later(self._server.drag + answer.delay, self._send, answer, outcome, start)
        elif len(head) > MOST:
            self._transport.abort()

    def _send(self, answer: Answer, outcome: str, start: int) -> None:
        if self._transport.is_closing():
            return
        if outcome == "close":
            self._transport.close()
            return
        status = answer.status if outcome == "cut" else int(outcome)
        body = answer.body if status == answer.status else b"Not now."
        lines = []
        if answer.etag:
            lines += [f"ETag: {answer.etag}", "Content-Type: application/octet-stream"]
            if 0 < start < len(body):
                lines.append(f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}")
                status, body = 206, body[start:]
        else:
            lines.append(f"Content-Type: {'text/html; charset=utf-8' if body.startswith(b'<') else 'text/plain'}")
        lines = [f"HTTP/1.1 {status} {REASONS[status]}", f"Content-Length: {len(body)}", *lines]
        if status in (301, 302):
            lines.append(f"Location: {answer.location}")
        if status == 429:
            lines.append(f"Retry-After: {RETRY_AFTER}")
        head = "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")
        if outcome == "cut":
            self._transport.write(head + body[: len(body) // 2])
            self._transport.close()
            return
        self._transport.write(head + body)
        self._busy = False
        self._next()


class WebServer:
    """Responds to requests, and counts those for pages that fail at first.

    Parameters:
        web: the web to serve.
        log: receives a line for each request.
        drag: additional delay of each response, in seconds.
        poller: the selector of the event loop.
    """

    def __init__(self, web: Web, log: TextIO, drag: float, poller: Poller) -> None:
        self._poller = poller
        self.drag = drag
        self._web = web
        self._log = log
        self._asked: Counter[str] = Counter()

    def connection(self, host: str) -> Connection:
        """Return the protocol of a new connection to one of the hosts."""
        return Connection(self, host)

    def answer(self, host: str, path: str) -> tuple[Answer, str]:
        """Log a request; return its response and its outcome."""
        at = time.monotonic()
        url = f"http://{host}:{self._web.port}{path}"
        answer = self._web.page(url)
        outcome = str(answer.status)
        if answer.ailments:
            asked = self._asked[url]
            self._asked[url] += 1
            if asked < len(answer.ailments):
                outcome = answer.ailments[asked]
        self._log.write(f"{self._poller.since:.6f} {at:.6f} {host} {path} {outcome}\n")
        return answer, outcome


def listen(hosts: list[str], port: int) -> list[socket.socket]:
    """Return a listening socket for each host, all on one port; 0 chooses a port that is free on all of them."""
    for attempt in range(20):
        with contextlib.ExitStack() as opened:
            sockets: list[socket.socket] = []
            try:
                for host in hosts:
                    listener = opened.enter_context(socket.create_server((host, port), backlog=1024))
                    port = listener.getsockname()[1]
                    sockets.append(listener)
            except OSError:
                if attempt == 19:
                    raise
                port = 0
                continue
            opened.pop_all()
            return sockets
    raise AssertionError  # the last attempt returns or raises


async def main(*, seed: int, hosts: int, pages: int, port: int, log: Path, drag: float, poller: Poller) -> None:
    """Serve until standard input is closed or SIGTERM is received."""
    # 127.0.0.1 is not a host of the web. The server listens there too, so that out-of-scope requests are logged.
    names = ["127.0.0.1", *Web(seed, hosts, pages, port).names]
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    sockets = listen(names, port)
    web = Web(seed, hosts, pages, sockets[0].getsockname()[1])
    with log.open("a", buffering=1) as lines:
        server = WebServer(web, lines, drag, poller)
        listening = [
            await loop.create_server(lambda name=name: server.connection(name), sock=listener)  # type: ignore[misc]
            for name, listener in zip(names, sockets, strict=True)
        ]
        print(web.port, flush=True)  # noqa: T201 - it is what the parent waits for
        threading.Thread(target=_wait_for_end, args=(loop, ended), daemon=True).start()
        await ended.wait()
        for listener in listening:
            listener.close()


def _wait_for_end(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """Wait in a thread for the end of standard input, which may be a file that an event loop cannot watch."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with contextlib.suppress(RuntimeError):  # SIGTERM has already ended the loop
        loop.call_soon_threadsafe(ended.set)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("seed", "hosts", "pages", "port"):
        parser.add_argument(f"--{name}", type=int, required=name != "port", default=0)
    parser.add_argument("--drag", type=float, default=0.0, help="additional delay of each response, in seconds")
    parser.add_argument("--log", type=Path, required=True, help="file to which a line is appended for each request")
    watching = Poller()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watching)) as runner:
        runner.run(main(**vars(parser.parse_args()), poller=watching))
