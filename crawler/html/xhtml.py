"""`parse_xhtml`: XHTML that is sent as XML. ``<script/>`` is empty there; in HTML all that follows would be script."""

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
"""Elements that HTML knows to have no content."""
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
    """The tree of a document of XHTML."""
    return parse_text(xhtml_to_html(text))


def xhtml_to_html(text: str) -> str:
    """The same page for a parser of HTML: empty elements have an end, CDATA sections are text.

    Parameters:
        text: of a document of XHTML; what is not well-formed is left as it is.
    """
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
    """Whether the last value is not quoted, which is no XML, so that the slash may be part of it."""
    last = attributes.split()[-1:]
    return bool(last) and "=" in last[0] and not last[0].endswith(("'", '"'))
