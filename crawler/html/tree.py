"""`tree`: the tree of a page, also of one that is made to have no end.

The rules of HTML let a page grow without measure: a formatting element that is never closed (``<b 1><b 2><b 3>``) is
opened again in every paragraph. Of half a megabyte of that a parser makes millions of elements in gigabytes of memory.
So a large page is parsed in steps, and one that takes far too long for its size is parsed once more without what makes
it grow: the attributes of its formatting elements, of which those that are alike are opened again three times at most.
"""

from __future__ import annotations

import re
import time
from typing import Final

import turbohtml
from turbohtml import Document

__all__ = ["LARGE", "tree"]

LARGE: Final = 65_536
"""Characters of a page that is parsed at once: at the worst in 0.2 seconds, to a tree of 350 MB."""
STEP: Final = 16_384
PATIENCE: Final = 0.1
"""Seconds of the processor that any page may take."""
SLOW: Final = 2e-7
"""Seconds of the processor for one more character; pages take a twentieth of that, what grows ten times it."""

# HTML Standard, section 13.2.4.3, "the list of active formatting elements"; of <a> there is one at a time.
_FORMATTING: Final = re.compile(r"<(b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/][^>]*+", re.IGNORECASE)


def tree(text: str) -> Document:
    """The tree of an HTML page. That of one that grows without measure lacks the attributes of formatting elements."""
    if len(text) <= LARGE:
        return _whole(text)
    started = time.thread_time()
    with turbohtml.IncrementalParser(positions=False) as parser:
        for start in range(0, len(text), STEP):
            parser.feed(text[start : start + STEP])
            if time.thread_time() - started > PATIENCE + SLOW * start:
                return _whole(_FORMATTING.sub(r"<\1", text))
        # It knows no other way than to attach a declarative shadow root, where nobody would find what is in it.
        shadows = b"shadowrootmode" in text.encode("utf-8", "replace").lower()
        return _whole(text) if shadows else parser.close()


def _whole(text: str) -> Document:
    # Positions of nodes in the source would cost more than the parse, and nobody asks for them.
    return turbohtml.parse(text, positions=False, allow_declarative_shadow_roots=False)
