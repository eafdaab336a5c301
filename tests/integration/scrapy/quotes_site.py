"""`quotes_site`: a site like the one of Scrapy's tutorial: pages of quotes, their authors and their tags."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

__all__ = ["AUTHORS", "PAGES", "PER_PAGE", "TAGS", "quotes_site"]

PAGES: Final = 12
PER_PAGE: Final = 5
AUTHORS: Final = 15
TAGS: Final = 8
DELAY: Final = 0.02
"""Seconds of each response."""


class _Site(ThreadingHTTPServer):
    daemon_threads = True
    requested: int = 0
    """Number of requests."""

    def handle_error(self, *_: object) -> None:
        """Say nothing about clients that were killed."""


class _Handler(BaseHTTPRequestHandler):
    server: Any
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # its name in the standard library
        self.server.requested += 1
        time.sleep(DELAY)
        page = _page(urlsplit(self.path).path)  # a proxy gets the whole URL
        body = (page or "<h1>Not found</h1>").encode()
        self.send_response(200 if page else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write no log."""


def _page(path: str) -> str:
    """Return the page of a path; empty if there is none."""
    kind, _, name = path.strip("/").partition("/")
    if kind == "author" and name.isdecimal():
        return f"<h3 class=author-title>Author {name}\n </h3><span class=author-born-date>{1800 + int(name)}</span>"
    if kind == "tag" and name:
        numbers = [number for number in range(PAGES * PER_PAGE) if f"t{number % TAGS}" == name]
        return f"<h3>Tag {name}</h3>{''.join(map(_quote, numbers))}" if numbers else ""
    number = int(name) if kind == "page" and name.isdecimal() else 1 if not kind else 0
    if not 1 <= number <= PAGES:
        return ""
    quotes = "".join(_quote(place) for place in range((number - 1) * PER_PAGE, number * PER_PAGE))
    following = f"<li class=next><a href='/page/{number + 1}/'>Next</a></li>" if number < PAGES else ""
    return f"<title>Quotes</title>{quotes}<nav><ul class=pager>{following}</ul></nav>"


def _quote(number: int) -> str:
    author, tag = number % AUTHORS, f"t{number % TAGS}"
    return (
        f"<div class=quote><span class=text>“Quote {number}”</span><span>by <small class=author>Author {author}</small>"
        f" <a href='/author/{author}/'>(about)</a></span>"
        f"<div class=tags><a class=tag href='/tag/{tag}/'>{tag}</a></div></div>"
    )


@contextmanager
def quotes_site() -> Iterator[tuple[str, _Site]]:
    """Serve the site, and yield its URL without the last slash, and the server, which counts requests."""
    site = _Site(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{site.server_port}", site
    finally:
        site.shutdown()
        thread.join()
        site.server_close()
