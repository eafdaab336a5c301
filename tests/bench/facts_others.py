"""Facts of pages by trafilatura and htmldate, for ``facts.py``, which runs this in an environment.

It reads the path and the URL of a page from each line, and writes a JSON object per page: the facts that each tool
finds, and its CPU seconds.
"""

from __future__ import annotations

import gzip
import json
import logging
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import htmldate  # type: ignore[import-not-found, unused-ignore]
import trafilatura  # type: ignore[import-not-found, unused-ignore]


def by_trafilatura(page: bytes, url: str) -> dict[str, Any]:
    """Return what trafilatura finds."""
    found = trafilatura.extract_metadata(page, default_url=url)
    return {} if found is None else {"title": found.title, "author": found.author, "date": found.date}


def by_htmldate(page: bytes, url: str) -> dict[str, Any]:
    """Return the date of publication that htmldate finds."""
    return {"date": htmldate.find_date(page.decode("utf-8", "replace"), original_date=True, url=url)}


TOOLS: dict[str, tuple[Callable[[bytes, str], dict[str, Any]], dict[str, Any]]] = {
    "trafilatura": (by_trafilatura, {"title": None, "author": None, "date": None}),
    "htmldate": (by_htmldate, {"date": None}),
}

if __name__ == "__main__":
    logging.disable()
    for line in sys.stdin:
        path, url = json.loads(line)
        body = Path(path).read_bytes()
        body = gzip.decompress(body) if path.endswith(".gz") else body
        answers = {}
        for name, (tool, nothing) in TOOLS.items():
            answer = dict(nothing)
            started = time.process_time()
            with suppress(Exception):  # a page that a tool cannot read counts as one without facts
                answer |= tool(body, url)
            answers[name] = answer | {"seconds": time.process_time() - started}
        print(json.dumps(answers), flush=True)  # noqa: T201
