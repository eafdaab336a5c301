"""The title, the `<a href>` and the `<base href>` of an HTML page, read with the standard library alone.

This independent implementation shares no code with the framework. `html.parser` finds the tags. This module does the
parts in which `html.parser` differs from the WHATWG standard or between versions of Python: the attributes of a start
tag and the character references in them, elements whose content is text, and ``<template>``, whose content is not part
of the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from html.entities import html5
from html.parser import HTMLParser

__all__ = ["Page", "read"]

# HTML Living Standard, 13.2.5: the attributes of a start tag.
ATTRIBUTE = re.compile(r"""[\s/]*([^\s/>=][^\s/>=]*)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s>]*))?""")
REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*;?)")

TEXT_ONLY = frozenset({"iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"})
"""Elements whose content is text (13.2.6.4); not ``noscript``, because scripts do not run."""


@dataclass(frozen=True)
class Page:
    """The content of one document that the tests compare."""

    title: str | None
    """The text of the first ``<title>``, white space collapsed; `None` if there is none."""
    hrefs: tuple[str, ...]
    """The distinct values of ``<a href>``, in the order of the document."""
    base: str | None
    """The first ``<base href>``."""


def read(document: bytes) -> Page:
    """Read one HTML document.

    The encoding is UTF-8, or windows-1252 if it is not valid UTF-8; the folders of the tests have no other.
    """
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = document.decode("windows-1252", errors="replace")
    reader = _Reader(text)
    return Page(title=" ".join(reader.title.split()) or None, hrefs=tuple(reader.hrefs), base=reader.base)


class _Reader(HTMLParser):
    """Collects title, hrefs and base while `html.parser` walks over the tags."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._titled = False
        self.hrefs: dict[str, None] = {}
        self.base: str | None = None
        self._text = text
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._inside_text: str | None = None
        self._templates = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._inside_text is not None:
            return
        if tag in TEXT_ONLY:
            self._inside_text = tag
            if tag == "title" and not self._titled and not self._templates:
                self._titled = True
                self.title = unescape(self._raw_content(tag))
        elif tag == "template":
            self._templates += 1
        elif tag in ("a", "base") and not self._templates:
            href = _attributes(tag, self.get_starttag_text() or "").get("href")
            if href is not None and tag == "a":
                self.hrefs[href] = None
            elif href is not None and self.base is None:
                self.base = href

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # `<a href=x />` is a start tag: HTML elements do not close themselves.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._inside_text is not None:
            if tag == self._inside_text:
                self._inside_text = None
        elif tag == "template" and self._templates:
            self._templates -= 1

    def _raw_content(self, tag: str) -> str:
        """Return the text between the start tag at the current position and its end tag."""
        line, column = self.getpos()
        start = self._lines[line - 1] + column + len(self.get_starttag_text() or "")
        end = re.compile(rf"</{tag}[\s/>]", re.IGNORECASE).search(self._text, start)
        return self._text[start : end.start() if end else len(self._text)]


def _attributes(tag: str, start_tag: str) -> dict[str, str]:
    """Return the attributes of a start tag; the first one of a name counts."""
    found: dict[str, str] = {}
    for name, value in ATTRIBUTE.findall(start_tag.removesuffix(">"), len(tag) + 1):
        bare = value[1:-1] if value[:1] in ('"', "'") else value
        found.setdefault(name.lower(), REFERENCE.sub(_referred, bare))
    return found


def _referred(reference: re.Match[str]) -> str:
    """Decode a character reference in an attribute (13.2.5.73: ``&copy;=1`` is a reference, ``&copy=1`` is not)."""
    text = reference[0]
    if text[1] == "#" or (text.endswith(";") and text[1:] in html5):
        return unescape(text)
    if text.endswith(";") or reference.string[reference.end() :].startswith("="):
        return text
    return html5.get(text[1:], text)
