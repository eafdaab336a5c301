"""`quick_links`: the links that a `LinkExtractor` finds in a page, found with the parser of the crawl.

An extractor is plain if it takes the ``href`` of ``a`` or ``area`` in the whole page and changes no value. Others, and
subclasses, work as they are. Whether an extractor allows a URL is found out once.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urljoin
from weakref import WeakKeyDictionary

from scrapy.link import Link
from scrapy.linkextractors import lxmlhtml
from scrapy.utils.misc import rel_has_nofollow
from w3lib.html import strip_html5_whitespace

from crawler_plugins.scrapy.fast_responses import FastHtmlResponse
from crawler_plugins.scrapy.private import allows_of, changes_no_value
from crawler_plugins.scrapy.urls import FRAGMENT, PLAIN_URL, joined, safe_url

__all__ = ["quick_links"]

TAGS: Final = ("a", "area")
OTHERS: Final = (
    "base", "body", "button", "div", "embed", "form", "frame", "iframe", "img", "input", "li", "link", "meta", "object",
    "option", "script", "source", "span", "td", "video", "x-other",
)  # fmt: skip
"""Tags that no plain extractor scans."""
OTHER_ATTRIBUTES: Final = ("action", "content", "data-href", "data-url", "id", "onclick", "src", "value", "x-other")
"""Attributes that no plain extractor reads."""
MAX_KNOWN: Final = 50_000
"""URLs of which an extractor remembers whether it allows them."""
_plain_extractors: WeakKeyDictionary[Any, _Plain | None] = WeakKeyDictionary()


class _Plain:
    """A plain extractor."""

    def __init__(self, extractor: Any, tags: list[str]) -> None:
        self.tags = tags
        self.unique = extractor.link_extractor.unique
        self._reads_fragments = bool(extractor.allow_res or extractor.deny_res)
        self._allows = allows_of(extractor)
        self._known: dict[str, bool] = {}

    def allows(self, url: str) -> bool:
        """Return whether the extractor allows a URL."""
        tested = url if self._reads_fragments else url.partition("#")[0]
        known = self._known.get(tested)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[tested] = self._allows(Link(tested))
        return known


def quick_links(extractor: Any, response: FastHtmlResponse) -> list[Any] | None:
    """Return the links of a page as an extractor finds them; `None` if only the extractor itself can tell."""
    plain = _plain_of(extractor)
    if plain is None or not response.is_simple:
        return None
    document = response.document
    find = document.select_one
    if find("template") is not None or any(
        find(tag) is not None and find(f"{tag} a") is not None for tag in ("svg", "math")
    ):
        return None
    base, encoding = response.base, response.encoding
    has_relations = find(",".join(f"{tag}[rel]" for tag in plain.tags)) is not None
    links: list[Any] = []
    seen: set[str] = set()
    for element in document.select(",".join(plain.tags)):
        href = element.attr("href")
        if href is None:
            continue
        url = _link(base, href, encoding)
        if not url or (plain.unique and url in seen) or not plain.allows(url):
            continue
        seen.add(url)
        rel = element.attr("rel") if has_relations else None
        links.append(Link(url, element.text, "", rel is not None and rel_has_nofollow(rel)))
    return links


def _link(base: str, href: str, encoding: str) -> str | None:
    """Return the URL of a reference as Scrapy joins it; `None` if it cannot."""
    try:
        url = joined(base, strip_html5_whitespace(href))
        page, _, fragment = url.partition("#")
        if PLAIN_URL.fullmatch(page) and (not fragment or FRAGMENT.fullmatch(fragment)):
            return url
        return urljoin(base, safe_url(url, encoding))
    except ValueError:
        return None


def _plain_of(extractor: Any) -> _Plain | None:
    """Return a plain extractor as one; `None` for another one."""
    if extractor not in _plain_extractors:
        tags = _plain_tags(extractor)
        _plain_extractors[extractor] = _Plain(extractor, tags) if tags else None
    return _plain_extractors[extractor]


def _plain_tags(extractor: Any) -> list[str]:
    """Return the tags that a plain extractor scans; empty for another extractor."""
    inner = extractor.link_extractor
    is_plain = (
        type(extractor) is lxmlhtml.LxmlLinkExtractor
        and type(inner) is lxmlhtml.LxmlParserLinkExtractor
        and not extractor.restrict_xpaths
        and not extractor.restrict_text
        and not extractor.canonicalize
        and inner.strip
        and changes_no_value(inner)
        and inner.scan_attr("href")
        and not any(map(inner.scan_attr, OTHER_ATTRIBUTES))
        and not any(map(inner.scan_tag, OTHERS))
    )
    return [tag for tag in TAGS if inner.scan_tag(tag)] if is_plain else []
