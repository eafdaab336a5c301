"""Main content of pages by other tools, for ``content.py``, which runs this in an environment.

It reads the path and the URL of a page from each line, and writes a JSON object per page: the text that each tool
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

import lxml.html  # type: ignore[import-not-found, unused-ignore]
import readability  # type: ignore[import-not-found, unused-ignore]
import trafilatura  # type: ignore[import-not-found, unused-ignore]
from resiliparse.extract.html2text import (  # type: ignore[import-not-found, unused-ignore]
    extract_plain_text,
)
from resiliparse.parse.encoding import (  # type: ignore[import-not-found, unused-ignore]
    bytes_to_str,
    detect_encoding,
)


def by_trafilatura(page: bytes, url: str) -> str:
    """Return the text that trafilatura finds with its defaults."""
    return trafilatura.extract(page, url=url) or ""


def by_readability(page: bytes, url: str) -> str:
    """Return the text of the summary that readability-lxml makes."""
    summary = readability.Document(page.decode("utf-8", "replace"), url=url).summary(html_partial=True)
    return " ".join(lxml.html.fromstring(summary).itertext()) if summary.strip() else ""


def by_resiliparse(page: bytes, _: str) -> str:
    """Return the text that resiliparse finds."""
    return str(extract_plain_text(bytes_to_str(page, detect_encoding(page)), main_content=True))


TOOLS: dict[str, Callable[[bytes, str], str]] = {
    "trafilatura": by_trafilatura,
    "readability-lxml": by_readability,
    "resiliparse": by_resiliparse,
}

if __name__ == "__main__":
    logging.disable()
    for line in sys.stdin:
        path, address = json.loads(line)
        body = Path(path).read_bytes()
        body = gzip.decompress(body) if path.endswith(".gz") else body
        answers = {}
        for name, tool in TOOLS.items():
            text = ""
            started = time.process_time()
            with suppress(Exception):  # a page that a tool cannot read counts as one without content
                text = tool(body, address)
            answers[name] = {"text": text, "seconds": time.process_time() - started}
        print(json.dumps(answers), flush=True)  # noqa: T201
