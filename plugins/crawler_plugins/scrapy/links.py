"""`install`: `LinkExtractor` finds links with the parser of the crawl, where that finds the same links.

That is where an extractor takes the ``href`` of ``a`` or ``area`` in the whole page and changes no value; any other
extractor, and a subclass, works as it is. URLs are joined by the functions that Scrapy uses, once for each pair of a
place and a reference: most references of a page are on other pages, too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urljoin
from weakref import WeakKeyDictionary

from scrapy.link import Link
from scrapy.linkextractors import lxmlhtml
from scrapy.utils.misc import rel_has_nofollow
from scrapy.utils.response import get_base_url
from w3lib.html import strip_html5_whitespace
from w3lib.url import safe_url_string

from crawler_plugins.scrapy.fast_responses import FRAGMENT, FastHtmlResponse

__all__ = ["install", "quick_links"]

TAGS: Final = ("a", "area")
OTHERS: Final = (
    "base", "body", "button", "div", "embed", "form", "frame", "iframe", "img", "input", "li", "link", "meta", "object",
    "option", "script", "source", "span", "td", "video", "x-other",
)  # fmt: skip
"""Tags that no plain extractor scans."""
OTHER_ATTRIBUTES: Final = ("action", "content", "data-href", "data-url", "id", "onclick", "src", "value", "x-other")
"""Attributes that no plain extractor reads."""
SPACES: Final = tuple("\t\n\f\r ")
SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")
MAX_KNOWN: Final = 50_000
"""URLs for which an extractor remembers whether it allows them."""
_states: WeakKeyDictionary[Any, _State | None] = WeakKeyDictionary()


class _State:
    """What is known of a plain extractor.

    Parameters:
        extractor: The extractor.
        tags: The tags that it scans.
    """

    def __init__(self, extractor: Any, tags: list[str]) -> None:
        self.tags = tags
        self.unique = extractor.link_extractor.unique
        self._by_page = not extractor.allow_res and not extractor.deny_res
        """Whether the fragment of a URL makes no difference."""
        self._allows = extractor._link_allowed  # noqa: SLF001 - Scrapy's own decision
        self._known: dict[str, bool] = {}

    def allows(self, url: str) -> bool:
        """Return whether the extractor allows a URL."""
        if self._by_page:
            url = url.partition("#")[0]
        known = self._known.get(url)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[url] = self._allows(Link(url))
        return known


def install() -> None:
    """Let link extractors use the quick way where they can. Further calls have no effect."""
    plain = lxmlhtml.LxmlLinkExtractor.extract_links
    if plain.__module__ == __name__:
        return

    def extract_links(self: Any, response: Any) -> Any:
        found = quick_links(self, response) if type(response) is FastHtmlResponse else None
        return plain(self, response) if found is None else found

    extract_links.__doc__ = plain.__doc__
    lxmlhtml.LxmlLinkExtractor.extract_links = extract_links


def quick_links(extractor: Any, response: FastHtmlResponse) -> list[Any] | None:
    """Return the links of a page as an extractor finds them; `None` if only the extractor itself can tell."""
    state = _state_of(extractor)
    if state is None or not response.is_simple:
        return None
    document = response.document
    if document.select_one("template, svg a, math a") is not None:
        return None
    base, encoding = get_base_url(response), response.encoding
    page, folder, origin = _places(base)
    elements = document.find_all(state.tags[0]) if len(state.tags) == 1 else document.select(",".join(state.tags))
    has_rel = document.select_one("a[rel], area[rel]") is not None
    links: list[Any] = []
    seen: set[str] = set()
    for element in elements:
        href = element.attr("href")
        if href is None:
            continue
        if href[:1] in SPACES or href[-1:] in SPACES:
            href = strip_html5_whitespace(href)
        rest, _, fragment = href.partition("#")
        if fragment and not FRAGMENT.fullmatch(fragment):
            rest, fragment = href, ""
        if not rest:
            url: str | None = page if href else _joined(base, "", encoding)
        elif rest[0] in "?#;":
            url = _joined(page, rest, encoding)
        else:
            url = _joined(folder if rest[0] != "/" and not SCHEME.match(rest) else origin, rest, encoding)
        if url is None:
            continue
        if fragment:
            url = f"{url}#{fragment}"
        if (state.unique and url in seen) or not state.allows(url):
            continue
        seen.add(url)
        rel = element.attr("rel") if has_rel else None
        links.append(Link(url, element.text, nofollow=rel is not None and rel_has_nofollow(rel)))
    return links


@lru_cache(maxsize=100_000)
def _joined(base: str, href: str, encoding: str) -> str | None:
    """Return the URL of a reference as Scrapy joins it; `None` if it cannot."""
    try:
        url: str = safe_url_string(urljoin(base, href), encoding=encoding)
        return urljoin(base, url)
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _places(base: str) -> tuple[str, str, str]:
    """Return what references are joined with: the page, its folder and its origin."""
    page = urljoin(base, safe_url_string(base)).partition("#")[0]
    start = page.find("/", page.find("://") + 3)
    if start < 0:
        return page, page, page
    path_end = page.find("?")
    path = page if path_end < 0 else page[:path_end]
    return page, path[: path.rfind("/") + 1], page[: start + 1]


def _state_of(extractor: Any) -> _State | None:
    """Return what is known of an extractor; `None` if it is not a plain one."""
    if extractor not in _states:
        tags = _plain_tags(extractor)
        _states[extractor] = _State(extractor, tags) if tags else None
    return _states[extractor]


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
        and inner.process_attr is getattr(lxmlhtml, "_identity", None)
        and inner.scan_attr("href")
        and not any(map(inner.scan_attr, OTHER_ATTRIBUTES))
        and not any(map(inner.scan_tag, OTHERS))
    )
    return [tag for tag in TAGS if inner.scan_tag(tag)] if is_plain else []
