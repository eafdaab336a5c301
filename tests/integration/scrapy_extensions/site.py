"""`Site`: a shop on the loopback that remembers each request as it arrived, also those that it got as a proxy."""

from __future__ import annotations

import base64
import gzip
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import brotli

__all__ = ["Site", "loopback_site"]

ITEMS: Final = 4
"""Number of items of the shop."""


class Site:
    """What the shop has received."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        """Requests in the order of their arrival, with their header fields in order."""
        self.url = ""
        self._counts: Counter[str] = Counter()

    def forget(self) -> None:
        """Forget the requests."""
        self.requests.clear()
        self._counts.clear()

    def answer(self, method: str, target: str, fields: list[tuple[str, str]], body: bytes) -> tuple[int, str, bytes]:
        """Return status, media type and body of the response to a request."""
        fields, body = _decoded(target, fields, body)
        self.requests.append({"method": method, "target": target, "fields": fields, "body": body.decode("latin-1")})
        self._counts[target] += 1
        path = urlsplit(target).path or "/"
        if path == "/flaky":
            return _item("9", 503 if self._counts[target] == 1 else 200)
        if path == "/form":
            return _json(parse_qs(body.decode()))
        if path in {"/render.html", "/zyte/extract"}:  # as Splash, and Zyte API
            asked = json.loads(body)
            status, _, page = self._page(asked["url"])
            if path == "/render.html":
                return status, "text/html", page
            text = {"browserHtml": page.decode()} if "browserHtml" in asked else {}
            coded = {
                "httpResponseBody": base64.b64encode(page).decode(),
                "httpResponseHeaders": [{"name": "Content-Type", "value": "text/html"}],
            }
            return _json({"url": asked["url"], "statusCode": status} | (text or coded))
        return self._page(target)

    def _page(self, target: str) -> tuple[int, str, bytes]:
        path = urlsplit(target).path or "/"
        for pattern, answer in ROUTES.items():
            if found := re.fullmatch(pattern, path):
                return answer(*found.groups())
        return _page("<h1>Not found</h1>", 404)


def _decoded(target: str, fields: list[tuple[str, str]], body: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Return the header fields and the body of a request without its content coding: lengths of coded bodies vary."""
    coding = {name.lower(): value for name, value in fields}.get("content-encoding")
    if coding:
        body = {"gzip": gzip.decompress, "br": brotli.decompress}[coding](body)
        fields = [field for field in fields if field[0].lower() != "content-length"]
    if "/envelope/" in target:  # of Sentry: times, ids and the modules of the process are left out
        events = [one for one in map(json.loads, body.splitlines()) if "exception" in one]
        seen = [[one["type"], one["value"]] for event in events for one in event["exception"]["values"]]
        body = json.dumps(seen).encode()
    return fields, body


def _page(body: str, status: int = 200) -> tuple[int, str, bytes]:
    return status, "text/html; charset=utf-8", f"<!DOCTYPE html><html><body>{body}</body></html>".encode()


def _json(value: Any) -> tuple[int, str, bytes]:
    return 200, "application/json", json.dumps(value).encode()


def _front() -> tuple[int, str, bytes]:
    links = "".join(f"<a href='/item/{n}'>Item {n}</a>" for n in range(1, ITEMS + 1))
    return _page(f"<h1>Shop</h1>{links}<a class='flaky' href='/flaky'>sometimes</a>")


def _item(n: str, status: int = 200) -> tuple[int, str, bytes]:
    stock = f"<a href='/item/{n}/stock?n={n}&ref=x'>stock</a>"
    return _page(f"<h1>Item {n}</h1><p class='price'>{n}.50</p>{stock}", status)


ROUTES: Final[Mapping[str, Callable[..., tuple[int, str, bytes]]]] = {
    "/": _front,
    r"/item/(\d+)": _item,
    r"/item/(\d+)/stock": lambda n: _json({"stock": int(n) * 10}),
    "/metrics/.*": lambda: _json({}),
    "/_bulk": lambda: _json({"took": 1, "errors": False, "items": []}),
    "/cdx": lambda: _json(
        [["timestamp", "original", "statuscode", "digest"], ["20220101000000", "http://shop.test/item/1", "200", "A"]]
    ),
    "/web/.*": lambda: _item("1"),
    "/(jobs|collections|items)/.*": lambda _: _json({}),  # as the storage of Scrapy Cloud
    "/banned": lambda: _page("<h1>Banned</h1>", 503),
}
"""Patterns of paths, and what answers them."""


@contextmanager
def loopback_site() -> Iterator[Site]:
    """Serve the shop until the block is left."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, kind, sent = site.answer(self.command, self.path, list(self.headers.items()), body)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(sent)))
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(sent)

        do_GET = do_POST = do_HEAD = do_PUT = _answer  # noqa: N815 - so they are called

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        site.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
