"""`FastHtmlResponse`: a response of Scrapy that reads texts and attributes with the parser of the crawl.

It does so for selectors of one element, such as ``title::text`` and ``a::attr(href)``, where the trees of both parsers
agree. Everything else, elements above all, comes from Scrapy's own selectors.
"""

from __future__ import annotations

import re
from functools import lru_cache, wraps
from typing import Any, Final
from urllib.parse import urljoin

from parsel import Selector, css2xpath
from scrapy.http import HtmlResponse, Request
from scrapy.http.response.text import _url_from_selector
from scrapy.link import Link
from scrapy.selector import unified
from scrapy.utils.response import get_base_url
from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding

from crawler.html import parse, parse_text
from crawler_plugins.scrapy.joins import folder_of, plain_page
from crawler_plugins.scrapy.quick_requests import FRAGMENT, safe_url
from crawler_plugins.scrapy.quick_selectors import texts_of

__all__ = ["FastHtmlResponse", "begins_with", "install"]

NAME: Final = r"[a-zA-Z_][\w-]*"
HEAD: Final = 4096
"""Characters of a page in which Scrapy looks for ``<base>``, and for a refresh."""
BOM: Final = re.compile(rb"\xff\xfe|\xfe\xff|\xef\xbb\xbf|\0\0\xfe\xff")
"""A byte order mark."""
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


class FastHtmlResponse(HtmlResponse):
    """An HTML response with the tree of the parser of the crawl."""

    __slots__ = ("_base", "_folder", "_here", "_known_encoding", "_tree")

    @property
    def encoding(self) -> str:
        """The encoding as Scrapy finds it: the first time for all, since neither fields nor body change it later."""
        found: str | None = getattr(self, "_known_encoding", None)
        if found is None:
            found = self._known_encoding = self._quick_encoding() or super().encoding
        return found

    def _quick_encoding(self) -> str | None:
        """Return the encoding if it follows from the fields or the beginning of the page; else `None`."""
        if self._encoding or BOM.match(self.body):
            return None
        written = self.headers.get(b"Content-Type") or b""
        return _named_encoding(written) or _declared_encoding(_declaration(self.body))

    @property
    def is_simple(self) -> bool:
        """Whether the page has no characters that the two parsers read differently."""
        return b"\r" not in self.body and b"\0" not in self.body

    @property
    def base(self) -> str:
        """What `get_base_url` returns: it reads the beginning of the text only, so the rest need not be decoded."""
        found: str | None = getattr(self, "_base", None)
        if found is None:
            is_declared = self.encoding != "utf-8" or begins_with(self.body, b"<base")
            found = self._base = get_base_url(self) if is_declared else safe_url(self.url)
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
        if plain is None or self._cached_selector is not None or not self.is_simple:
            return super().css(query)
        return self._texts(*plain)

    def xpath(self, query: str, **options: Any) -> Any:
        """Select by an XPath expression."""
        plain = _plain_xpath(query)
        if plain is None or options or self._cached_selector is not None or not self.is_simple:
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
        folder = getattr(self, "_folder", None)
        if folder is None:
            self._here = plain_page(self.base)
            folder = self._folder = folder_of(self._here)
        if type(url) is not str:
            return urljoin(self.base, url)
        if url.startswith("#") and self._here and FRAGMENT.fullmatch(url, 1):
            return f"{self._here}{url}"
        found: str | None = folder[url]
        return urljoin(self.base, url) if found is None else found

    @wraps(HtmlResponse.follow)
    def follow(self, url: Any, callback: Any = None, *further: Any, encoding: Any = None, **options: Any) -> Any:
        """Return a request for a link of the page."""
        if type(url) is Link:
            url = url.url
        elif isinstance(url, Selector):
            url = _url_from_selector(url)
        if type(url) is not str or further:
            return super().follow(url, callback, *further, encoding=encoding, **options)
        encoding = self.encoding if encoding is None else encoding
        return Request(self.urljoin(url), callback, encoding=encoding, **options)


FastHtmlResponse.__name__ = FastHtmlResponse.__qualname__ = HtmlResponse.__name__  # spiders may look at the name


def install() -> None:
    """Let the selectors of such a response use the base that it knows. Further calls have no effect."""
    if hasattr(unified, "get_base_url"):  # since Scrapy 2.13
        unified.get_base_url = _base_of


def _base_of(response: Any) -> str:
    """Return what `get_base_url` returns."""
    if type(response) is FastHtmlResponse:
        return response.base
    found: str = get_base_url(response)
    return found


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


def begins_with(body: bytes, word: bytes) -> bool:
    """Return whether Scrapy may find a word in the first 4096 characters of a page in UTF-8, in any case.

    Parameters:
        body: The page.
        word: The word, in lower case.
    """
    head = body[:HEAD]
    if not head.isascii():
        missing = HEAD - len(head.decode(errors="replace"))
        head = body[: HEAD + 4 * (missing + 2)]  # one may be cut, and Scrapy drops a byte order mark
    return head.lower().rfind(word) >= 0  # a search from the end is several times as fast as `in`


def _declaration(body: bytes) -> bytes:
    """Return the beginning of a page up to the end of the first tag that may declare an encoding; else nothing."""
    start = body.find(b"charset", 0, HEAD)
    end = body.find(b">", start, HEAD) + 1 if start >= 0 else 0
    return body[:end] if end else b""


@lru_cache(maxsize=1000)
def _named_encoding(content_type: bytes) -> str | None:
    """Return the encoding that a ``Content-Type`` names."""
    named: str | None = http_content_type_encoding(content_type.decode("latin-1"))
    return named


@lru_cache(maxsize=1000)
def _declared_encoding(beginning: bytes) -> str | None:
    """Return the encoding that the beginning of a page declares, whatever follows; `None` if that depends."""
    tag = beginning[beginning.rfind(b"<") :]
    if any(tag.count(quote) % 2 for quote in (b'"', b"'")):
        return None  # the tag has not ended
    declared: str | None = html_body_declared_encoding(beginning)
    return declared


def _own_texts(element: Any) -> list[str]:
    """Return the texts directly in an element."""
    return [child.data for child in element.children if type(child).__name__ == "Text"]
