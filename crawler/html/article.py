"""`Article`: the main content of a page and what the page says about it: title, byline, date, language."""

from __future__ import annotations

from typing import Any, Final

import attrs
from turbohtml import Document, Element

from crawler.content.encoding import replace_surrogates
from crawler.html.json_ld import json_ld, json_ld_objects
from crawler.html.main_content import main_content
from crawler.html.markdown import markdown, plain_text

__all__ = ["Article", "article"]

LINK_SIGNS: Final = "¶§🔗 \t\n\r\f"
"""Signs at the end of headings that link to themselves."""


@attrs.frozen(kw_only=True, eq=False)
class Article:
    """The main content of a page and what the page says about it."""

    title: str | None
    """Title: the first ``<h1>``, the title of the OpenGraph data or the ``<title>``, with white space collapsed."""
    byline: str | None
    """Author: of ``<meta name=author>``, ``rel=author`` or the JSON-LD data. Several are separated by commas."""
    date: str | None
    """Date of publication as the page writes it, usually in ISO 8601: of the JSON-LD data, ``<meta>`` or ``<time>``."""
    language: str | None
    """Language tag (BCP 47): of ``<html lang>`` or the ``Content-Language`` header field."""
    description: str | None
    """Description: of the OpenGraph data or ``<meta name=description>``."""
    _content: Element | None = attrs.field(repr=False)

    @property
    def text(self) -> str:
        """The main content as text; empty if the page has no text."""
        return "" if self._content is None else plain_text(self._content)

    @property
    def markdown(self) -> str:
        """The main content as GitHub Flavored Markdown; empty if the page has no text."""
        return "" if self._content is None else markdown(self._content)

    @property
    def html(self) -> str:
        """The main content as HTML without scripts, styles, event handlers and classes; empty if there is no text."""
        if self._content is None:
            return ""
        from crawler.html.clean_html import clean_html  # noqa: PLC0415 - turbohtml.clean is large

        return clean_html(self._content)


def article(document: Document, url: str, encoding: str = "utf-8", language: str | None = None) -> Article:
    """Return the main content of a page."""
    found = document.article()
    root = document.select_one("html")
    declared = root.attr("lang") or root.attr("xml:lang") if root is not None else None
    published, authors = _from_json_ld(document)
    return Article(
        title=_one_line((found.title or "").rstrip(LINK_SIGNS)),
        byline=_one_line(found.byline) or authors,
        date=published or _one_line(found.date),
        language=_one_line(declared) or _only_language(language),
        description=_one_line(found.description),
        content=main_content(document, url, encoding),
    )


def _from_json_ld(document: Document) -> tuple[str | None, str | None]:
    """Return the date of publication and the authors by the JSON-LD data."""
    published, authors = None, None
    for one in json_ld_objects(json_ld(document)):
        published = published or _text(one.get("datePublished"))
        authors = authors or _names(one.get("author"))
    return published, authors


def _names(author: Any) -> str | None:
    names = [
        _text(one.get("name") if isinstance(one, dict) else one)
        for one in (author if isinstance(author, list) else [author])[:20]  # authors of a byline
    ]
    return ", ".join(name for name in names if name is not None) or None


def _only_language(header: str | None) -> str | None:
    """Return the language of a ``Content-Language`` header field (RFC 9110 section 8.5), unless it has several."""
    return None if header is None or "," in header else _one_line(header)


def _text(value: Any) -> str | None:
    return _one_line(value) if isinstance(value, str) else None


def _one_line(text: str | None) -> str | None:
    """Return a text with white space collapsed; `None` if it is blank."""
    return " ".join(replace_surrogates(text or "").split()) or None
