"""`parse_xhtml`: XHTML sent as XML, where ``<script/>`` is empty. In HTML all that follows would be script."""

from __future__ import annotations

import re
from html import escape
from typing import Final

from turbohtml import Document

from crawler.html.tree import parse_text

__all__ = ["parse_xhtml", "xhtml_to_html"]

VOID: Final = frozenset({
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link",
    "meta", "param", "source", "track", "wbr",
})  # fmt: skip
"""Elements that have no content in HTML."""
_MARKUP: Final = re.compile(
    r"""<(?: !--.*?(?:-->|\Z)
    | \?.*?(?:\?>|\Z)
    | !\[CDATA\[(?P<data>.*?)(?:\]\]>|\Z)
    | (?P<raw>script|style)\b(?P<said>[^<>]*)(?<!/)>.*?(?:</(?P=raw)\s*>|\Z)
    | (?P<name>[A-Za-z][^\s<>/"'=]*+)(?P<attributes>(?:[^<>"'/]|"[^"<]*"|'[^'<]*'|/(?!>))*+)/>
    )""",
    re.VERBOSE | re.DOTALL,
)


def parse_xhtml(text: str) -> Document:
    """Parse an XHTML document."""
    return parse_text(xhtml_to_html(text))


def xhtml_to_html(text: str) -> str:
    """Return the document as HTML: empty elements get an end tag, CDATA sections become text."""
    return _MARKUP.sub(_replace, text)


def _replace(found: re.Match[str]) -> str:
    name, data = found["name"], found["data"]
    if data is not None:
        return escape(data, quote=False)
    attributes = found["attributes"]
    if name is None or name.lower() in VOID or _ends_unquoted(attributes):
        return found[0]
    return f"<{name}{attributes}></{name}>"


def _ends_unquoted(attributes: str) -> bool:
    """Return whether the last value is unquoted, which XML forbids: the slash may be part of it."""
    last = attributes.split()[-1:]
    return bool(last) and "=" in last[0] and not last[0].endswith(("'", '"'))
