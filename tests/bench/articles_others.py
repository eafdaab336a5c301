"""Main content of pages by trafilatura and readability-lxml, for ``articles.py``, which runs this in an environment.

It reads the paths of pages, one a line, and writes a JSON object per page: the text that each tool finds, and its CPU
seconds.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import lxml.html  # type: ignore[import-not-found, unused-ignore]
import readability  # type: ignore[import-not-found, unused-ignore]
import trafilatura  # type: ignore[import-not-found, unused-ignore]


def by_trafilatura(page: bytes) -> str:
    """Return the text that trafilatura finds with its defaults."""
    return trafilatura.extract(page) or ""


def by_readability(page: bytes) -> str:
    """Return the text of the summary that readability-lxml makes; empty if it raises."""
    try:
        summary = readability.Document(page.decode("utf-8", "replace")).summary(html_partial=True)
    except readability.readability.Unparseable:
        return ""
    return " ".join(lxml.html.fromstring(summary).itertext()) if summary.strip() else ""


TOOLS: dict[str, Callable[[bytes], str]] = {"trafilatura": by_trafilatura, "readability-lxml": by_readability}

if __name__ == "__main__":
    logging.disable()
    for line in sys.stdin:
        page = Path(line.rstrip("\n")).read_bytes()
        result = {}
        for name, tool in TOOLS.items():
            started = time.process_time()
            text = tool(page)
            result[name] = {"text": text, "seconds": time.process_time() - started}
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
