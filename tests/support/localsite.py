"""A small site on loopback, for programs that run as children of a test: what they asked for stands in its log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias

__all__ = ["Answer", "Asked", "LocalSite", "local_site"]


@dataclass(frozen=True)
class Asked:
    """One request that the site got."""

    at: float
    """Seconds of a clock that never goes back."""
    method: str
    path: str
    """Path and query."""
    headers: Mapping[str, str]
    """Names in small letters."""
    body: str


@dataclass(frozen=True)
class Answer:
    """What the site says."""

    body: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


AnyAnswer: TypeAlias = "str | Answer | Sequence[str | Answer] | Callable[[Asked], str | Answer]"
"""A body; an answer; several, of which each is given once and the last for good; or a function that makes one."""


class LocalSite:
    """Pages by path, and a log. What is not there is answered with 404, ``/robots.txt`` too.

    Parameters:
        pages: by path, or by path and query, which goes before.
    """

    url: str = ""
    """Where it is, with a slash at the end."""

    def __init__(self, pages: Mapping[str, AnyAnswer]) -> None:
        self.pages = pages
        self.log: list[Asked] = []
        self._lock = threading.Lock()

    def asked(self, path: str) -> list[Asked]:
        """The requests for one path, in their order."""
        return [asked for asked in self.log if asked.path == path]

    def answer(self, asked: Asked) -> Answer:
        """Notes a request and answers it."""
        with self._lock:
            turn = len(self.asked(asked.path))
            self.log.append(asked)
            found = self.pages.get(asked.path, self.pages.get(asked.path.partition("?")[0], Answer("not found", 404)))
            if callable(found):
                found = found(asked)
            elif not isinstance(found, (str, Answer)):
                found = found[min(turn, len(found) - 1)]
        return Answer(found) if isinstance(found, str) else found


@contextmanager
def local_site(pages: Mapping[str, AnyAnswer]) -> Iterator[LocalSite]:
    """A site on a free port of 127.0.0.1, served by threads until the block is left."""
    site = LocalSite(pages)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.site = site
    site.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # they are waited for at the end, so that nothing is left open behind a test
    site: LocalSite


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5.0  # seconds without a request on a connection that a client has left open
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.site.answer(Asked(time.monotonic(), self.command, self.path, headers, body))
        content = answer.body.encode()
        kind = "application/json" if answer.body.startswith(("{", "[")) else "text/html; charset=utf-8"
        self.send_response(answer.status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """The log of the site is enough."""
