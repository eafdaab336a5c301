"""`parse_text`: the tree of a page, also of one that is made to have no end.

The rules of HTML let a page grow without measure: a formatting element that is never closed (``<b 1><b 2><b 3>``) is
opened again in every paragraph. Of half a megabyte of that a parser makes millions of elements in gigabytes of memory.
How many can be open at once is known by how many different ones there are: those that are alike are opened again three
times at most. So a large page with many is parsed in steps, and one that takes far too long for its size is parsed once
more without what makes it grow: the attributes of its formatting elements.
"""

from __future__ import annotations

import re
import time
from typing import Any, Final

import turbohtml
from turbohtml import Document

__all__ = ["is_bounded", "parse_text"]

ALWAYS_BOUNDED: Final = 32_768
"""Characters of a page that is parsed at once, whatever it is made of: at the worst in 0.2 seconds."""
MAX_ELEMENTS: Final = 5_000_000
"""Elements that a page may grow to and is parsed at once: three times its different formatting elements in each of its
paragraphs."""
CHUNK_SIZE: Final = 16_384
BASE_CPU_SECONDS: Final = 0.1
"""Seconds of the processor that any page may take."""
CPU_SECONDS_PER_CHARACTER: Final = 2e-7
"""Seconds of the processor for one more character; pages take a twentieth of that, what grows ten times it."""

# HTML Standard, section 13.2.4.3, "the list of active formatting elements"; of <a> there is one at a time.
_FORMATTING: Final = r"(?i)<(b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/][^>]*+"
_LIKELY: Final = r"<[bcefinstuBCEFINSTU][ \t\n\f\r/iomtIOMT][^>]*+"
"""By their first two letters: most tags are told from formatting ones by those."""
_IN_TEXT: Final = (re.compile(_LIKELY), re.compile(_FORMATTING))
_IN_BYTES: Final = (re.compile(_LIKELY.encode()), re.compile(_FORMATTING.encode()))


def parse_text(text: str) -> Document:
    """The tree of an HTML page. That of one that grows without measure lacks the attributes of formatting elements."""
    return _parse(text) if is_bounded(text) else _parse_in_steps(text)


def is_bounded(page: Any) -> bool:
    """Whether the tree of a page, as text or in UTF-8, is of a size that fits its own, whatever it is made of.

    Parameters:
        page: text or bytes.
    """
    size = len(page)
    if size <= ALWAYS_BOUNDED:
        return True
    likely: re.Pattern[Any]
    formatting: re.Pattern[Any]
    (likely, formatting), *marks = (_IN_TEXT, '"', "'", "<") if isinstance(page, str) else (_IN_BYTES, b'"', b"'", b"<")
    different = set(filter(formatting.match, set(likely.findall(page))))
    if any(tag.count(quote) % 2 for quote in marks[:2] for tag in different):
        return False  # the bracket that ended it is in quotes, and what comes behind it is different each time
    opened = 3 * len(different)
    # No paragraph with a letter in it is shorter than four characters, nor without a bracket.
    return opened * size <= 4 * MAX_ELEMENTS or opened * page.count(marks[2]) <= MAX_ELEMENTS


def _parse_in_steps(text: str) -> Document:
    started = time.thread_time()
    with turbohtml.IncrementalParser(positions=False) as parser:
        for start in range(0, len(text), CHUNK_SIZE):
            parser.feed(text[start : start + CHUNK_SIZE])
            if time.thread_time() - started > BASE_CPU_SECONDS + CPU_SECONDS_PER_CHARACTER * start:
                return _parse(_IN_TEXT[1].sub(r"<\1", text))
        # It knows no other way than to attach a declarative shadow root, where nobody would find what is in it.
        shadows = b"shadowrootmode" in text.encode("utf-8", "replace").lower()
        return _parse(text) if shadows else parser.close()


def _parse(text: str) -> Document:
    # Positions of nodes in the source would cost more than the parse, and nobody asks for them.
    return turbohtml.parse(text, positions=False, allow_declarative_shadow_roots=False)
