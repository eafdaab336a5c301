"""`Article`: the main content of a page and what the page says about it: title, byline, date, language."""

from __future__ import annotations

import attrs
from turbohtml import Document, Element

from crawler.html.facts import page_facts
from crawler.html.main_content import main_content
from crawler.html.markdown import markdown, plain_text

__all__ = ["Article", "article"]


@attrs.frozen(kw_only=True, eq=False)
class Article:
    """The main content of a page and what the page says about it."""

    title: str | None
    """Title, without the name of the site: a heading that the declared title confirms, or the declared title."""
    authors: list[str]
    """Names of the authors."""
    date: str | None
    """Date of publication, or of the last change if the page has no other, in ISO 8601 as precise as the page says it:
    ``2024-02``, ``2024-02-09``, ``2024-02-09T08:00:00+01:00``."""
    modified: str | None
    """Date of the last change, in the same form."""
    language: str | None
    """Language tag (BCP 47): of ``<html lang>`` or the ``Content-Language`` header field."""
    description: str | None
    """Description: of the OpenGraph data or ``<meta name=description>``."""
    site_name: str | None
    """Name of the site."""
    image: str | None
    """URL of the image that stands for the page."""
    tags: list[str]
    """Keywords."""
    _content: Element | None = attrs.field(repr=False)

    @property
    def byline(self) -> str | None:
        """The names of the authors, separated by commas; `None` without any."""
        return ", ".join(self.authors) or None

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
    facts = page_facts(document, url, language)
    return Article(
        **attrs.asdict(facts, recurse=False),
        content=main_content(document, url, encoding),
    )
