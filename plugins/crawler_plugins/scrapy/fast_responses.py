"""`FastHtmlResponse`: a response of Scrapy that reads texts and attributes with the parser of the crawl.

It does so for selectors of one element, such as ``title::text`` and ``a::attr(href)``, where the trees of both parsers
agree. Everything else, elements above all, comes from Scrapy's own selectors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache, wraps
from typing import Any, Final
from urllib.parse import urljoin

from parsel import css2xpath
from scrapy import Selector
from scrapy.http import HtmlResponse, Request
from scrapy.link import Link
from scrapy.utils.response import get_base_url

from crawler.html import parse, parse_text
from crawler_plugins.scrapy.private import has_selector, selector_of, url_of_selector
from crawler_plugins.scrapy.urls import joined, safe_url

__all__ = ["HEAD", "FastHtmlResponse"]

HEAD: Final = 4 * 4097
"""Bytes, at most, of the 4096 characters after a byte order mark in which Scrapy looks for ``<base>`` and a refresh."""

LIST: Final[Any] = Selector.selectorlist_cls
NAME: Final = r"[a-zA-Z_][\w-]*"
SIMPLE: Final = re.compile(rf"(?:{NAME}|{NAME}\.{NAME}|\.{NAME}|{NAME}#{NAME}|#{NAME})::(text|attr\(({NAME})\))")
"""A selector of one element, with its text or an attribute."""
PLAIN_NAME: Final = re.compile("[a-z][a-z0-9-]*")
"""A name that XPath has, too: the expression is written without a parser of CSS, which takes milliseconds to begin."""
SIMPLE_XPATH: Final = re.compile(r"//([a-z][a-z0-9]*)/(?:text\(\)|@([a-z][a-z-]*))")
"""An XPath expression of the same kind."""
LOOSE: Final = frozenset(
    """
    body caption col colgroup form frame frameset head html isindex math noscript option p plaintext select svg table
    tbody td template textarea tfoot th thead tr
    """.split()  # noqa: SIM905 - one name a line is too long to read
)
"""Elements that the two parsers place differently in some pages."""


class _Texts(LIST):
    """A list of selectors of texts."""

    def getall(self) -> list[Any]:
        """Return the text of each selector."""
        return [one.root if type(one.root) is str else one.get() for one in self]

    def get(self, default: Any = None) -> Any:
        """Return the text of the first selector, or a default if there is none."""
        for one in self:
            return one.root if type(one.root) is str else one.get()
        return default

    extract, extract_first = getall, get


_Texts.__name__ = _Texts.__qualname__ = LIST.__name__


def texts_of(texts: Iterable[str], query: str) -> Any:
    """Return the list of selectors that a query, as an XPath expression, gives for the texts that it finds."""
    return _Texts([selector_of(text, query) for text in texts])


class FastHtmlResponse(HtmlResponse):
    """An HTML response with the tree of the parser of the crawl."""

    __slots__ = ("_known_base", "_known_encoding", "_tree")

    @property
    def encoding(self) -> str:
        """The encoding as Scrapy finds it, the first time for all: neither fields nor body change it later."""
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
        """What `get_base_url` returns, which decodes the whole page: most pages in UTF-8 need not be."""
        found: str | None = getattr(self, "_known_base", None)
        if found is None:
            is_plain = self.encoding == "utf-8" and b"<base" not in self.body[:HEAD].lower()
            found = self._known_base = safe_url(self.url) if is_plain else get_base_url(self)
        return found

    @property
    def document(self) -> Any:
        """The tree of the page, as the crawl parses it."""
        tree = getattr(self, "_tree", None)
        if tree is None:
            is_utf8 = self.encoding == "utf-8"  # it need not be decoded then
            tree = self._tree = parse(self.body, "utf-8") if is_utf8 else parse_text(self.text)
        return tree

    def css(self, query: str) -> Any:
        """Select by a CSS selector."""
        plain = _plain_css(query)
        if plain is None or has_selector(self) or not self.is_simple:
            return super().css(query)
        return self._texts(*plain)

    def xpath(self, query: str, **options: Any) -> Any:
        """Select by an XPath expression."""
        plain = _plain_xpath(query)
        if plain is None or options or has_selector(self) or not self.is_simple:
            return super().xpath(query, **options)
        return self._texts(*plain)

    def _texts(self, selector: str, name: str | None, query: str) -> Any:
        """Return selectors of the texts in some elements, or of one of their attributes."""
        elements = self.document.select(selector)
        if name is None:
            return texts_of([text for element in elements for text in _own_texts(element)], query)
        return texts_of([value for element in elements if (value := element.attr(name)) is not None], query)

    def urljoin(self, url: str) -> str:
        """Return the URL to which a reference of the page leads."""
        return joined(self.base, url) if type(url) is str else urljoin(self.base, url)

    @wraps(HtmlResponse.follow)
    def follow(self, url: Any, callback: Any = None, *further: Any, encoding: Any = None, **options: Any) -> Any:
        """Return a request for a link of the page."""
        if type(url) is Link:
            url = url.url
        elif isinstance(url, Selector):
            url = url_of_selector(url)
        if type(url) is not str or further:
            return super().follow(url, callback, *further, encoding=encoding, **options)
        encoding = self.encoding if encoding is None else encoding
        return Request(self.urljoin(url), callback, encoding=encoding, **options)


FastHtmlResponse.__name__ = FastHtmlResponse.__qualname__ = HtmlResponse.__name__  # spiders may look at the name


@lru_cache(maxsize=1000)
def _plain_css(query: str) -> tuple[str, str | None, str] | None:
    """Return the selector of elements, the name of the attribute and the XPath expression of a simple CSS selector.

    Of any other, `None`.
    """
    found = SIMPLE.fullmatch(query)
    selector = query.partition("::")[0]
    if found is None or selector.partition(".")[0].partition("#")[0].lower() in LOOSE:
        return None
    if PLAIN_NAME.fullmatch(selector) and (found[2] is None or PLAIN_NAME.fullmatch(found[2])):
        return selector, found[2], f"descendant-or-self::{selector}/{f'@{found[2]}' if found[2] else 'text()'}"
    return selector, found[2], css2xpath(query)


@lru_cache(maxsize=1000)
def _plain_xpath(query: str) -> tuple[str, str | None, str] | None:
    """Return the same of a simple XPath expression."""
    found = SIMPLE_XPATH.fullmatch(query)
    return None if found is None or found[1] in LOOSE else (found[1], found[2], query)


def _own_texts(element: Any) -> list[str]:
    """Return the texts directly in an element."""
    return [child.data for child in element.children if type(child).__name__ == "Text"]
