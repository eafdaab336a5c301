"""`install`: `LinkExtractor` finds links with the parser of the crawl, where that finds the same links.

That is where an extractor takes the ``href`` of ``a`` or ``area`` in the whole page and changes no value; any other
extractor, and a subclass, works as it is. Where a reference of a folder leads, and whether the extractor allows that,
is found out once: most references of a page are on other pages, too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urljoin
from weakref import WeakKeyDictionary

from scrapy.link import Link
from scrapy.linkextractors import _is_valid_url, lxmlhtml
from scrapy.utils.misc import rel_has_nofollow
from w3lib.html import strip_html5_whitespace
from w3lib.url import safe_url_string

from crawler_plugins.scrapy.fast_responses import FastHtmlResponse
from crawler_plugins.scrapy.joins import PLAIN, folders_above
from crawler_plugins.scrapy.quick_requests import FRAGMENT, PLAIN_URL

__all__ = ["install", "quick_links"]

TAGS: Final = ("a", "area")
OTHERS: Final = (
    "base", "body", "button", "div", "embed", "form", "frame", "iframe", "img", "input", "li", "link", "meta", "object",
    "option", "script", "source", "span", "td", "video", "x-other",
)  # fmt: skip
"""Tags that no plain extractor scans."""
OTHER_ATTRIBUTES: Final = ("action", "content", "data-href", "data-url", "id", "onclick", "src", "value", "x-other")
"""Attributes that no plain extractor reads."""
SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")
UNCLEAR: Final = re.compile(
    r"[?; ]|(?:https?:)?//(?![\w.-])|https?:(?!//)|.*(?:[\t\n\f\r]| \Z)", re.IGNORECASE | re.DOTALL
)
"""A reference for which more of the page's URL than its folder may count."""
MAX_KNOWN: Final = 50_000
"""References that an extractor remembers, and URLs of which it remembers whether it allows them."""
_states: WeakKeyDictionary[Any, _State | None] = WeakKeyDictionary()


class _State:
    """The facts about a plain extractor.

    Parameters:
        extractor: The extractor.
        tags: The tags that it scans.
    """

    def __init__(self, extractor: Any, tags: list[str]) -> None:
        self.tags = tags
        self.unique = extractor.link_extractor.unique
        self.reads_fragments = bool(extractor.allow_res or extractor.deny_res)
        """Whether the fragment of a URL may make a difference."""
        filters = ("allow_domains", "deny_domains", "deny_extensions")
        self._has_filters = self.reads_fragments or any(getattr(extractor, name, True) for name in filters)
        self._allows = extractor._link_allowed  # noqa: SLF001 - Scrapy's own decision
        self._known: dict[str, bool] = {}
        self._folders: dict[tuple[str, str], _Folder] = {}
        self.references = 0
        """Number of those that its folders remember."""

    def folder(self, base: str, encoding: str) -> _Folder:
        """Return the references of the pages in the folder of a URL."""
        if self.references > MAX_KNOWN:
            self._folders.clear()
            self.references = 0
        key = _places(base)[1], encoding
        found = self._folders.get(key)
        if found is None:
            found = self._folders[key] = _Folder(self, base, encoding)
        return found

    def allowed(self, url: str | None) -> str:
        """Return a URL if the extractor allows it; else an empty string."""
        if not url:
            return ""
        tested = url if self.reads_fragments else url.partition("#")[0]
        known = self._known.get(tested)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[tested] = self._allows(Link(tested)) if self._has_filters else _is_valid_url(tested)
        return url if known else ""


class _Folder(dict[str, str | None]):
    """The URLs of references of the pages in one folder.

    An empty string is one that leads nowhere, or where the extractor does not go. `None` is one for which more than the
    folder counts.

    Parameters:
        state: What is known of the extractor.
        base: The URL of one of the pages.
        encoding: Their encoding.
    """

    def __init__(self, state: _State, base: str, encoding: str) -> None:
        super().__init__()
        self._state = state
        self._encoding = encoding
        self._pages: dict[str, str | None] = {}
        """The same for references without a fragment, before the extractor is asked if it reads fragments."""
        _, self._folder, self._origin = _places(base)
        self._above = folders_above(self._folder, self._origin)
        """The folder and those above it, if plain references can be joined to them as they are."""
        if any(_joined(folder, "a", encoding) != f"{folder}a" for folder in self._above):
            self._above = []

    def __missing__(self, reference: str) -> str | None:
        page, _, fragment = reference.partition("#")
        if not page:
            return None  # it is not remembered: it leads to another place on each page
        url: str | None = None
        if not fragment or FRAGMENT.fullmatch(fragment):
            url = self._page(page)
            if url and fragment:
                url = f"{url}#{fragment}"
            if url is not None and self._state.reads_fragments:
                url = self._state.allowed(url)
        self[reference] = url
        self._state.references += 1
        return url

    def _page(self, reference: str) -> str | None:
        """Return the URL of a reference without a fragment."""
        if reference not in self._pages:
            url: str | None = None
            if not UNCLEAR.match(reference):
                url = self._url(reference)
                url = (url or "") if self._state.reads_fragments else self._state.allowed(url)
            self._pages[reference] = url
        return self._pages[reference]

    def _url(self, reference: str) -> str | None:
        plain = PLAIN.fullmatch(reference) if self._above else None
        if plain is not None:
            return f"{self._above[min(len(plain[1]) // 3, len(self._above) - 1)]}{plain[2]}"
        if PLAIN_URL.fullmatch(reference):
            return reference
        place = self._folder if reference[0] != "/" and not SCHEME.match(reference) else self._origin
        return _joined(place, reference, self._encoding)


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
    find = document.select_one
    if find("template") is not None or any(
        find(tag) is not None and find(f"{tag} a") is not None for tag in ("svg", "math")
    ):
        return None
    base, encoding = response.base, response.encoding
    urls, page = state.folder(base, encoding), _places(base)[0]
    here = page if state.reads_fragments else state.allowed(page)
    elements = document.select(",".join(state.tags))
    has_relations = find(",".join(f"{tag}[rel]" for tag in state.tags)) is not None
    links: list[Any] = []
    seen: set[str] = set()
    for element in elements:
        href = element.attr("href")
        if href is None:
            continue
        url: str | None
        if here and href.startswith("#") and FRAGMENT.fullmatch(href, 1):
            url = state.allowed(f"{page}{href}") if state.reads_fragments else f"{page}{href}"
        elif (url := urls[href]) is None:
            url = state.allowed(_joined_alone(base, href, encoding))
        if not url or (state.unique and url in seen):
            continue
        seen.add(url)
        rel = element.attr("rel") if has_relations else None
        links.append(Link(url, element.text, "", rel is not None and rel_has_nofollow(rel)))
    return links


def _joined_alone(base: str, href: str, encoding: str) -> str | None:
    """Return the URL of a reference that is not remembered."""
    href = strip_html5_whitespace(href)
    rest, _, fragment = href.partition("#")
    if fragment and (rest[-1:].isspace() or not FRAGMENT.fullmatch(fragment)):
        rest, fragment = href, ""
    page = _places(base)[0]
    url = page if href and not rest else _joined(page if rest else base, rest, encoding)
    return f"{url}#{fragment}" if url is not None and fragment else url


@lru_cache(maxsize=10_000)
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
    page = base if PLAIN_URL.fullmatch(base) else urljoin(base, safe_url_string(base)).partition("#")[0]
    path = page.partition("?")[0]
    start = path.find("/", path.find("://") + 3)
    if start < 0:
        return page, page, page
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
