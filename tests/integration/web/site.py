"""A site with many pages, some of which fail."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["ManyPages"]

FAILING = 7
"""Every page whose number is a multiple of this one fails."""


class ManyPages:
    """A site on loopback whose page N links to 5N+1 … 5N+5."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        """URL of the first page."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.strip("/")
        number = int(name or 0) if name.isdecimal() or not name else None
        links = "" if number is None else "".join(f"<a href=/{5 * number + n}>x</a>" for n in range(1, 6))
        body = f"<title>{name}</title>{links}".encode()
        self.send_response(404 if number is None else 500 if number and number % FAILING == 0 else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing."""
