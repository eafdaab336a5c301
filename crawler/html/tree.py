"""Parsing of pages in bounded time and memory, whatever they contain.

The rules of HTML let a tree outgrow its page: a parser reopens formatting elements that were never closed
(``<b 1><b 2><b 3>``) in every paragraph. Half a megabyte of such a page becomes millions of elements in gigabytes of
memory. At most three identical formatting elements are reopened at once, so the number of different ones bounds the
growth. A large page with many of them is parsed in steps. If that takes too long for its size, the page is parsed again
without the attributes of its formatting elements, which bounds the tree.
"""

from __future__ import annotations

import re
import time
from typing import Any, Final

import turbohtml
from turbohtml import Document

__all__ = ["is_bounded", "parse_text"]

ALWAYS_BOUNDED: Final = 32_768
"""Characters of a page that is parsed at once whatever it contains. The worst case takes 0.2 seconds."""
MAX_ELEMENTS: Final = 5_000_000
"""Elements that the tree of a page may have to be parsed at once. The estimate is three times its different formatting
elements in each paragraph."""
CHUNK_SIZE: Final = 16_384
"""Characters that are parsed in one step."""
BASE_CPU_SECONDS: Final = 0.1
"""CPU seconds that every page may take."""
CPU_SECONDS_PER_CHARACTER: Final = 2e-7
"""Further CPU seconds per character. Ordinary pages take a twentieth of it, growing ones ten times as much."""
MAX_CPU_SECONDS: Final = 1.0
"""CPU seconds that a page of any size may take in steps. An ordinary page of 32 MiB takes less."""

# HTML Standard section 13.2.4.3, "the list of active formatting elements". It has at most one <a>. The attributes of
# further <body> and <html> are compared with all that came before, so many different ones take quadratic time as well.
_FORMATTING: Final = r"(?i)<(b|big|body|code|em|font|html|i|nobr|s|small|strike|strong|tt|u)[\s/][^>]*+"
_LIKELY: Final = r"<[bcefhinstuBCEFHINSTU][ \t\n\f\r/iomtIOMT][^>]*+"
"""Tags that may be formatting elements by their first two letters: it excludes most other tags cheaply."""
_IN_TEXT: Final = (re.compile(_LIKELY), re.compile(_FORMATTING))
_IN_BYTES: Final = (re.compile(_LIKELY.encode()), re.compile(_FORMATTING.encode()))


def parse_text(text: str) -> Document:
    """Parse an HTML page. If its tree would outgrow it, formatting elements lose their attributes."""
    return _parse(text) if is_bounded(text) else _parse_in_steps(text)


def is_bounded(page: Any) -> bool:
    """Return whether the size of a page bounds the size of its tree, whatever the page contains.

    Parameters:
        page: Text, or bytes in UTF-8.
    """
    size = len(page)
    if size <= ALWAYS_BOUNDED:
        return True
    likely: re.Pattern[Any]
    formatting: re.Pattern[Any]
    (likely, formatting), *marks = (_IN_TEXT, '"', "'", "<") if isinstance(page, str) else (_IN_BYTES, b'"', b"'", b"<")
    # A paragraph that is not empty has at least four characters, and a bracket. Each reopens three of each element.
    most = max(4 * MAX_ELEMENTS // size, MAX_ELEMENTS // max(1, page.count(marks[2]))) // 3
    for different, tag in enumerate(filter(formatting.match, set(likely.findall(page))), 1):
        if different > most or any(tag.count(quote) % 2 for quote in marks[:2]):
            return False  # with an odd quote, a bracket stood in quotes, and the rest of the tag may differ each time
    return True


def _parse_in_steps(text: str) -> Document:
    started = time.thread_time()
    with turbohtml.IncrementalParser(positions=False) as parser:
        for start in range(0, len(text), CHUNK_SIZE):
            parser.feed(text[start : start + CHUNK_SIZE])
            if time.thread_time() - started > min(
                BASE_CPU_SECONDS + CPU_SECONDS_PER_CHARACTER * start, MAX_CPU_SECONDS
            ):
                return _parse(_IN_TEXT[1].sub(r"<\1", text))
        # The incremental parser always attaches declarative shadow roots, whose content selectors do not find.
        shadows = b"shadowrootmode" in text.encode("utf-8", "replace").lower()
        return _parse(text) if shadows else parser.close()


def _parse(text: str) -> Document:
    # Positions of nodes in the source would cost more than the parse, and nothing here uses them.
    return turbohtml.parse(text, positions=False, allow_declarative_shadow_roots=False)
