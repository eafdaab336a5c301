"""The site of the Python servers, and their log: one line of JSON for each response."""

from __future__ import annotations

import json
import os
import time

__all__ = ["FRONT", "PAGES", "log", "page"]

PAGES = 100
FRONT = "<!doctype html><title>Front</title>" + "\n".join(f'<a href="/page/{n}">{n}</a>' for n in range(PAGES))


def page(n: int) -> str | None:
    """Return a page; `None` if the number does not exist."""
    return f"<!doctype html><title>Page {n}</title><p>This is page {n}.</p>\n" if 0 <= n < PAGES else None


def log(began: float, uri: str, status: int) -> None:
    """Write the log line of a response to standard output, before its first byte is sent."""
    now = time.time()
    hit = {"ended": now, "took": now - began, "uri": uri, "status": status}
    os.write(1, json.dumps(hit).encode() + b"\n")
