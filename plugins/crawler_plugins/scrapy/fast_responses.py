"""`FastHtmlResponse`: a response of Scrapy that reads texts and attributes with the parser of the crawl.

It does so for selectors of one element, such as ``title::text`` and ``a::attr(href)``, where the trees of both parsers
agree. Everything else, elements above all, comes from Scrapy's own selectors.
"""

from __future__ import annotations

import re
from typing import Any, Final

from scrapy import Selector
from scrapy.http import HtmlResponse
from scrapy.utils.response import get_base_url

import crawler
from crawler.html import parse_text
from crawler_plugins.scrapy.quick_requests import safe_url

__all__ = ["FastHtmlResponse", "beginning"]

NAME: Final = r"[a-zA-Z_][\w-]*"
HEAD: Final = 4096
"""Characters of a page in which Scrapy looks for ``<base>``, and for a refresh."""
SIMPLE: Final = re.compile(rf"(?:{NAME}|{NAME}\.{NAME}|\.{NAME}|{NAME}#{NAME}|#{NAME})::(text|attr\(({NAME})\))")
"""A selector of one element, with its text or an attribute."""
LOOSE: Final = frozenset(
    """
    body caption col colgroup form frame frameset head html isindex math noscript option p plaintext select svg table
    tbody td template textarea tfoot th thead tr
    """.split()  # noqa: SIM905 - one name a line is too long to read
)
"""Elements that the two parsers place differently in some pages."""
TEXTS: Final = Selector.selectorlist_cls


class FastHtmlResponse(HtmlResponse):
    """An HTML response that shares its parsed tree with the crawl."""

    __slots__ = ("_known_encoding", "_page", "_tree")

    @classmethod
    def of(cls, page: crawler.Response, url: str, **arguments: Any) -> FastHtmlResponse:
        """Return the response of Scrapy for a page of the crawl."""
        self = cls(url, **arguments)
        self._page = page
        return self

    @property
    def encoding(self) -> str:
        """The encoding as Scrapy finds it: the first time for all, since neither fields nor body change it later."""
        found: str | None = getattr(self, "_known_encoding", None)
        if found is None:
            found = self._known_encoding = super().encoding
        return found

    @property
    def is_simple(self) -> bool:
        """Whether the page has no characters that the two parsers read differently."""
        return b"\r" not in self.body and b"\0" not in self.body

    @property
    def base(self) -> str:
        """What `get_base_url` returns: it reads the beginning of the text only, so the rest need not be decoded."""
        is_declared = self.encoding != "utf-8" or b"<base" in beginning(self.body).lower()
        base: str = get_base_url(self) if is_declared else safe_url(self.url)
        return base

    @property
    def document(self) -> Any:
        """The tree of the page, as the crawl parses it."""
        tree = getattr(self, "_tree", None)
        if tree is None:
            page: Any = getattr(self, "_page", None)
            is_same = page is not None and page.body is self.body and page.encoding == self.encoding == "utf-8"
            tree = self._tree = page.document if is_same and page.is_html else parse_text(self.text)
        return tree

    def css(self, query: str) -> Any:
        """Select by a CSS selector."""
        found = SIMPLE.fullmatch(query)
        if found is None or query.partition("::")[0].partition(".")[0].partition("#")[0].lower() in LOOSE:
            return super().css(query)
        if self._cached_selector is not None or not self.is_simple:
            return super().css(query)
        selector, name = query.partition("::")[0], found[2]
        elements = self.document.select(selector)
        if name is None:
            texts = [text for element in elements for text in _own_texts(element)]
        else:
            texts = [value for element in elements if (value := element.attr(name)) is not None]
        return TEXTS([Selector(root=text, type="html") for text in texts])


FastHtmlResponse.__name__ = FastHtmlResponse.__qualname__ = HtmlResponse.__name__  # spiders may look at the name


def beginning(body: bytes) -> bytes:
    """Return the bytes of a page with what Scrapy looks for in its first 4096 characters, if it is in UTF-8."""
    head = body[:HEAD]
    return head if head.isascii() else body[: HEAD * 4]  # a character has four bytes at most


def _own_texts(element: Any) -> list[str]:
    """Return the texts directly in an element."""
    return [child.data for child in element.children if type(child).__name__ == "Text"]
