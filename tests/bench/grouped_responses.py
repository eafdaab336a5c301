"""A server that responds to requests in groups, so that what a crawl does does not depend on when responses arrive.

A fast server responds to some requests while the crawl still sends the others: sometimes one wake-up brings one
response, sometimes several. Two runs of the same crawl then execute up to a tenth more or fewer instructions.

The groups are counted: only the first one, of the robots.txt, and the last one may be small.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import selectors
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["responding_together"]

QUIET: Final = 0.5
"""Seconds without a further request, after which a group that is not full gets its responses."""
DELAY: Final = 0.2
"""Seconds that a full group waits: less than between two inspections of the connections, which would count, too.
Else the first request of a group would seem to wait several times as long as the last one, as on a server that queues
requests, and the crawl would make fewer at once."""
HEADERS: Final = (
    "HTTP/1.1 {status}\r\nServer: grouped\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/html\r\n"
    'Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: keep-alive\r\nETag: "1"\r\nAccept-Ranges: bytes\r\n'
    "Content-Length: {size}\r\n\r\n"
)
"""The header fields that nginx sends with a file."""


@contextmanager
def responding_together(size: int, body: str) -> Iterator[str]:
    """Serve a page at every path but ``/robots.txt`` until the block is left; yield the base URL.

    Parameters:
        size: Requests that get their responses together.
        body: The page.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        ended = threading.Event()
        counts: list[int] = []
        thread = threading.Thread(target=_serve, args=(listener, size, body.encode(), ended, counts))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            ended.set()
            thread.join()
            small = sum(count < size for count in counts)
            print(f"{len(counts) - small} groups of {size} responses, {small} smaller ones", file=sys.stderr)


def _serve(listener: socket.socket, size: int, body: bytes, ended: threading.Event, counts: list[int]) -> None:
    """Respond until the end, and note the responses of each group."""
    page = HEADERS.format(status="200 OK", size=len(body)).encode() + body
    nothing = HEADERS.format(status="404 Not Found", size=0).encode()
    waiting: list[tuple[socket.socket, bytes]] = []
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while not ended.is_set():
            ready = selector.select(QUIET)
            for key, _ in ready:
                if key.fileobj is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ)
                    continue
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                request = connection.recv(65_536)  # without a body, it fits into one packet
                if request:
                    waiting.append((connection, nothing if request.startswith(b"GET /robots.txt ") else page))
                else:
                    selector.unregister(connection)
                    connection.close()
            if len(waiting) >= size or (waiting and not ready):
                counts.append(len(waiting))
                time.sleep(DELAY)
                for connection, response in waiting:
                    connection.sendall(response)
                waiting.clear()
        for key in list(selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket) and key.fileobj is not listener:
                key.fileobj.close()
