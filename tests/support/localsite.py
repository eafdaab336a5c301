"""A small site on loopback for child processes of a test; its log lists their requests."""

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
    """A request that the site received."""

    at: float
    """Seconds of the monotonic clock."""
    method: str
    path: str
    """Path and query."""
    headers: Mapping[str, str]
    """Header fields; names in lower case."""
    body: str


@dataclass(frozen=True)
class Answer:
    """A response of the site."""

    body: str | bytes = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


AnyAnswer: TypeAlias = "str | Answer | Sequence[str | Answer] | Callable[[Asked], str | Answer]"
"""A body; a response; several responses, each sent once and the last one repeatedly; or a function that returns one."""


class LocalSite:
    """A site with a log. Paths without a page get a 404, including ``/robots.txt``.

    Parameters:
        pages: responses by path, or by path and query, which takes precedence.
    """

    url: str = ""
    """The URL of the site, with a trailing slash."""

    def __init__(self, pages: Mapping[str, AnyAnswer]) -> None:
        self.pages = pages
        self.log: list[Asked] = []
        self._lock = threading.Lock()

    def asked(self, path: str) -> list[Asked]:
        """Return the requests for one path, in order."""
        return [asked for asked in self.log if asked.path == path]

    def answer(self, asked: Asked) -> Answer:
        """Log a request and return its response."""
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
    """Serve a site on a free port of 127.0.0.1, with threads, until the block is left."""
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
    daemon_threads = False  # `server_close` joins the threads, so that a test leaves no open socket
    site: LocalSite


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body go out together: apart, each response would wait for an acknowledgement of its head
    timeout = 5.0  # seconds after which an idle connection is closed
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.site.answer(Asked(time.monotonic(), self.command, self.path, headers, body))
        content = answer.body.encode() if isinstance(answer.body, str) else answer.body
        kind = "application/json" if content.startswith((b"{", b"[")) else "text/html; charset=utf-8"
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in ({"Content-Type": kind} | dict(answer.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Print nothing: the site has a log of its own."""
