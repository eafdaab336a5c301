"""The site that the Python servers show, and the log that they keep: one line of JSON for each answer."""

from __future__ import annotations

import json
import os
import time

__all__ = ["FRONT", "PAGES", "log", "page"]

PAGES = 100
FRONT = "<!doctype html><title>Front</title>" + "\n".join(f'<a href="/page/{n}">{n}</a>' for n in range(PAGES))


def page(n: int) -> str | None:
    """One page, `None` when there is none of this number."""
    return f"<!doctype html><title>Page {n}</title><p>This is page {n}.</p>\n" if 0 <= n < PAGES else None


def log(began: float, uri: str, status: int) -> None:
    """Writes the line of an answer to standard output, before its first byte is sent."""
    now = time.time()
    hit = {"ended": now, "took": now - began, "uri": uri, "status": status}
    os.write(1, json.dumps(hit).encode() + b"\n")
