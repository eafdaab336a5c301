"""``:contains("text")`` of CSS selectors: the elements whose text contains a string, as cssselect defines it.

Browsers have no such pseudo-class. While a query runs, an attribute marks the elements with the text, and an attribute
selector takes the place of the pseudo-class. So it works wherever a pseudo-class is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from turbohtml import Element, Node, XPath

__all__ = ["marked", "with_marks"]

_CONTAINS: Final = re.compile(
    r"""/\*.*?\*/ | "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' | \\.
    | :contains\( \s*+ (?P<text> "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' | (?:[\w-]|[^\x00-\x7f]|\\.)++ ) \s*+ \)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(\n)|(.))", re.DOTALL)


def with_marks(query: str) -> tuple[str, tuple[str, ...]]:
    """Return a query with a marker attribute in place of each ``:contains()``, and the texts of these."""
    texts: list[str] = []

    def replace(found: re.Match[str]) -> str:
        argument = found["text"]
        if argument is None:
            return found[0]
        texts.append(_ESCAPE.sub(_character, argument[1:-1] if argument[0] in "\"'" else argument))
        return f"[{_mark(len(texts) - 1)}]"

    return _CONTAINS.sub(replace, query), tuple(texts)


@contextmanager
def marked(node: Node, texts: tuple[str, ...]) -> Iterator[None]:
    """Mark the elements in `node`, itself included, that contain the texts, for as long as the context lasts."""
    marks: list[tuple[str, list[Element]]] = []
    try:
        for index, text in enumerate(texts):
            found = [one for one in _containing()(node, text=text) if isinstance(one, Element)]  # type: ignore[union-attr]
            marks.append((_mark(index), found))
            for element in found:
                element.attrs[_mark(index)] = ""
        yield
    finally:
        for name, found in marks:
            for element in found:
                element.attrs.pop(name, None)


def _mark(index: int) -> str:
    return f"crawler-contains-{index}"


@lru_cache(maxsize=1)
def _containing() -> XPath:
    return XPath("descendant-or-self::*[contains(., $text)]")


def _character(escape: re.Match[str]) -> str:
    """Return the character of an escape (CSS Syntax section 4.3.7). An escaped line break is left out."""
    number, newline, character = escape.groups()
    if number is None:
        return "" if newline else character
    code = int(number, 16)
    return chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd"
