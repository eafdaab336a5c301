"""`json_ld`: the JSON-LD blocks of a page, also those with the mistakes that pages often make.

A value that an item could not hold becomes one that it can: NaN and infinity become `None`, half surrogate pairs
U+FFFD, integers of more than 64 bits floats, and what is nested deeper than 100 levels `None`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from turbohtml import Document

from crawler.content.encoding import replace_surrogates
from crawler.html.live import select_live
from crawler.lazy_pattern import lazy_pattern

__all__ = ["json_ld", "json_ld_objects"]

_STRING: Final = r"""("(?:[^"\\]++|\\.)*+"?)"""
_SCRIPT: Final = rf"(?s){_STRING}|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?|<!\[CDATA\[|\]\]>|"
_MARKS: Final = lazy_pattern(rf"{_SCRIPT}<!--|-->")
"""A string, or what is no JSON: comments of JavaScript, and the marks of comments and CDATA sections around JSON."""
_COMMENTS: Final = lazy_pattern(rf"{_SCRIPT}<!--(?:[^-]++|-(?!->))*+(?:-->)?")
"""The same with whole comments of HTML."""
_COMMA: Final = lazy_pattern(rf"(?s){_STRING}|,(?=\s*+[}}\]])")
"""A string, or a comma before the end of a list or an object."""
_DECODER: Final = json.JSONDecoder(strict=False)  # control characters in strings are the most common mistake


def json_ld(document: Document) -> list[Any]:
    """Return the JSON-LD blocks of a page (JSON-LD 1.1 section 7), in document order.

    Comments of JavaScript and HTML and trailing commas are left out, as search engines do; other broken blocks as well.
    """
    found = []
    for script in select_live(document, 'script[type^="application/ld+json" i]'):
        text = replace_surrogates(script.text)
        value = _decoded(text)
        for marks in (_MARKS, *([_COMMENTS] if "<!--" in text else ())) if value is None else ():
            value = _decoded(_COMMA.sub(_string, marks.sub(_string, text)).strip(" \t\r\n;"))
            if value is not None:
                break
        if value is None:
            continue
        # Levels of a value. Deeper ones become `None`, so that an item that holds the value can be encoded.
        found.append(_storable(value, 100))
    return found


def _decoded(text: str) -> Any:
    try:
        return _DECODER.raw_decode(text.lstrip("\ufeff \t\r\n"))[0]
    except (ValueError, RecursionError):
        return None


def _string(found: re.Match[str]) -> str:
    return found[1] or ""


def json_ld_objects(blocks: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON-LD blocks: of lists and of ``@graph``, too, without those in properties."""
    for block in blocks:
        for one in block if isinstance(block, list) else [block]:
            if isinstance(one, dict):
                yield one
                graph = one.get("@graph")
                yield from (node for node in graph if isinstance(node, dict)) if isinstance(graph, list) else ()


def _storable(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else float(value) if abs(value) < 10**308 else None
    if depth == 0:
        return None
    if isinstance(value, dict):
        return {replace_surrogates(name): _storable(one, depth - 1) for name, one in value.items()}
    return [_storable(one, depth - 1) for one in value] if isinstance(value, list) else value
