"""The links of a page: `hrefs` for crawls that follow them, `links` for those that examine them.

A link is what a browser would follow or load. ``<template>`` is inert and left out, unless it is a declarative shadow
root; ``<a>`` in ``<svg>`` counts, also with the old ``xlink:href``; URLs are joined with ``<base href>``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import compress
from typing import Final, cast

import msgspec
from turbohtml import Document, Element, Namespace

from crawler.content.encoding import encode_query, replace_surrogates
from crawler.html.live import select_live
from crawler.html.selector import Selector
from crawler.redaction import redact
from crawler.urls import is_plain, join, join_all, without_fragments

__all__ = [
    "Link", "base_url", "href_batches", "href_of", "hrefs", "is_nofollow", "links", "nofollow_steps", "nofollow_urls",
]  # fmt: skip

_WITH_HREF = ("a", "area", "link")
_NOFOLLOW_TYPES: Final = frozenset({"nofollow", "ugc", "sponsored"})
"""Values of ``rel`` that ask not to follow a link. Google defines ``ugc`` and ``sponsored``."""
_LINKS = (*_WITH_HREF, "iframe", "frame")
MAX_LINKS: Final = 1_000_000
"""Maximum number of links of a page that are read, with repeats: more would block the event loop for seconds. The
longest pages of links in use, such as the index of all projects of PyPI, have some 700,000."""
MAX_PARSED: Final = 200_000
"""Different links of a page that only a URL parser can join: with percent-encoding, dots, or unusual hosts."""
BATCH: Final = 50_000
"""Links that are read or joined at once, which takes some 50 ms. Fewer would be remembered, and displace others."""
log = logging.getLogger("crawler.html")


class Link(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A link of a page. It keeps the parsed page in memory."""

    url: str
    """Absolute URL, canonical and without fragment."""
    tag: str
    """Tag name of the element: ``a``, ``area``, ``link``, ``iframe`` or ``frame``."""
    _href: str
    _element: Element

    @property
    def fragment(self) -> str:
        """The part after ``#``, as written; empty if there is none."""
        return replace_surrogates(self._href.partition("#")[2].rstrip("\t\n\f\r "))

    @property
    def text(self) -> str:
        """The text of the element, with white space collapsed."""
        return " ".join(replace_surrogates(self._element.text).split())

    @property
    def rel(self) -> tuple[str, ...]:
        """The tokens of ``rel``, in lower case (HTML Standard, "link types")."""
        return tuple(replace_surrogates(self._element.attr("rel") or "").lower().split())

    @property
    def nofollow(self) -> bool:
        """Whether ``rel`` contains ``nofollow``, ``ugc`` or ``sponsored``."""
        return is_nofollow(self._element)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Link):
            return NotImplemented
        return (self.url, self.tag, self.fragment) == (other.url, other.tag, other.fragment)

    def __hash__(self) -> int:
        return hash(self.url)

    def __repr__(self) -> str:
        return f"Link(url={self.url!r}, tag={self.tag!r}, fragment={self.fragment!r})"


def base_url(document: Document, url: str) -> str:
    """Return the URL that links of the page are joined with (HTML Standard, "document base URL").

    The first ``<base>`` with a ``href`` decides. Without one, or if it is not a web URL, it is the canonical `url`.
    """
    if document.select_one("base") is not None:
        for base in select_live(document, "base[href]", "template"):
            if base.namespace is Namespace.HTML:
                return join(url, base.attr("href") or "") or url
    return url


def hrefs(document: Document, url: str, tags: Sequence[str] = ("a", "area"), encoding: str = "utf-8") -> list[str]:
    """Return the web URLs that a page links to: canonical, without fragments and repeats, in document order.

    Only the first million of links count, and 200,000 different ones that need a URL parser; the rest is left out with
    a warning.
    """
    base = base_url(document, url)
    elements, read = _linking(document, tags)
    targets = _join_encoded(base, _within_limits(_without_fragments(read(elements)), base), encoding)
    return list(dict.fromkeys([target for target in targets if target is not None]))


def href_batches(
    document: Document, url: str, tags: Sequence[str] = ("a", "area"), encoding: str = "utf-8"
) -> Iterator[list[str]]:
    """Yield the URLs of `hrefs` in parts, the first of which are empty: other tasks may run between them.

    URLs may repeat.
    """
    base = base_url(document, url)
    elements, read = _linking(document, tags)
    different: dict[str, None] = {}
    for start in range(0, len(elements), BATCH):
        yield []
        different.update(_without_fragments(read(elements[start : start + BATCH])))
    addresses = _within_limits(different, base)
    yield []
    yield from _join_batches(base, addresses, encoding)


def _join_batches(base: str, written: list[str], encoding: str) -> Iterator[list[str]]:
    """Yield the web URLs of references in parts."""
    for start in range(0, len(written), BATCH):
        targets = _join_encoded(base, written[start : start + BATCH], encoding)
        yield [target for target in targets if target is not None]


def _without_fragments(addresses: list[str]) -> dict[str, None]:
    """Return references without fragments and repeats: many lead to the same few URLs."""
    return dict.fromkeys(without_fragments(addresses))


def join_links(base: str, written: list[str], encoding: str = "utf-8") -> list[str | None]:
    """Return the absolute web URL of each reference of a page; `None` for one that is not a web URL.

    It is `None` for those beyond `MAX_PARSED` as well, with a warning: more would block the event loop.
    """
    written = without_fragments(written)
    if len(written) > MAX_PARSED:
        different = _within_limits(dict.fromkeys(written), base)
        targets = dict(zip(different, _join_encoded(base, different, encoding), strict=True))
        return list(map(targets.get, written))
    return _join_encoded(base, written, encoding)


def _join_encoded(base: str, written: list[str], encoding: str) -> list[str | None]:
    """Return the web URL of each reference, which has no fragment."""
    return join_all(base, written if encoding == "utf-8" else [encode_query(href, encoding) for href in written])


def _within_limits(different: dict[str, None], base: str) -> list[str]:
    """Return the references of a page that count."""
    if len(different) <= MAX_PARSED:
        return list(different)
    kept: list[str] = []
    parsed = 0
    for href in different:
        if not is_plain(href):
            parsed += 1
            if parsed > MAX_PARSED:
                continue
        kept.append(href)
    if len(kept) < len(different):
        log.warning("a page at %s has %d different links, of which %d count", redact(base), len(different), len(kept))
    return kept


def links(document: Document, url: str, encoding: str = "utf-8") -> list[Link]:
    """Return every ``a area link iframe frame`` that leads to a web URL, in document order, including repeats.

    Only the first million of links count.

    Parameters:
        document: The parsed page.
        url: Its canonical URL.
        encoding: WHATWG name of the page's encoding.
    """
    heads = _plain_heads(document)
    if heads is None:
        elements = _elements(document, _LINKS)
        tags = [element.tag for element in elements]
    else:  # reading the tag of each element takes longer
        elements = _first(heads + document.select("a"))
        tags = ["link"] * len(heads) + ["a"] * (len(elements) - len(heads))
    if all(document.select_one(tag) is None for tag in ("svg", "iframe", "frame")):  # a list of tags takes a walk
        written = [element.attr("href") for element in elements]
    else:
        written = [_address(element) for element in elements]
    if None in written:
        there = [href is not None for href in written]
        elements, tags = list(compress(elements, there)), list(compress(tags, there))
        written = [href for href in written if href is not None]
    given = cast("list[str]", written)
    targets = join_links(base_url(document, url), given, encoding)
    found = zip(targets, tags, given, elements, strict=True)
    return [Link(target, tag, href, element) for target, tag, href, element in found if target is not None]


def nofollow_urls(document: Document, url: str, encoding: str = "utf-8") -> frozenset[str]:
    """Return the absolute URLs that a page links to by ``nofollow`` links only.

    Each ``a`` and ``area`` that leads there has ``rel=nofollow``, ``ugc`` or ``sponsored``.

    Parameters:
        document: The parsed page.
        url: Its canonical URL.
        encoding: WHATWG name of the page's encoding.
    """
    steps = nofollow_steps(document, url, encoding)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: frozenset[str] = end.value
            return found


def nofollow_steps(document: Document, url: str, encoding: str = "utf-8") -> Generator[None, None, frozenset[str]]:
    """Return the URLs of `nofollow_urls`, and yield before: other tasks may run meanwhile."""
    if document.select_one("[rel]") is None or not any(map(is_nofollow, _elements(document, ("a", "area"), "[rel]"))):
        return frozenset()
    written: dict[bool, dict[str, None]] = {True: {}, False: {}}
    elements = _elements(document, ("a", "area"))
    for start in range(0, len(elements), BATCH):
        yield
        for element in elements[start : start + BATCH]:
            href = _address(element)
            if href is not None:
                written[is_nofollow(element)][href] = None
    base = base_url(document, url)
    targets: dict[bool, set[str]] = {True: set(), False: set()}
    for marked, different in written.items():
        for batch in _join_batches(base, _within_limits(different, base), encoding):
            yield
            targets[marked].update(batch)
    return frozenset(targets[True] - targets[False])


def is_nofollow(element: Element) -> bool:
    """Return whether ``rel`` forbids the crawl of a link or form. Commas separate, too, as for search engines."""
    rel = element.attr("rel")
    return bool(rel) and not _NOFOLLOW_TYPES.isdisjoint(str(rel).lower().replace(",", " ").split())


def href_of(target: object) -> str | None:
    """Return the URL reference of a selector, a node, a `Link` or a string, as written; `None` if there is none.

    Of ``a``, ``area`` and ``link`` it is the ``href``, of other elements (``iframe``, ``img``, …) the ``src``.
    """
    if isinstance(target, Link):
        return target.url
    if isinstance(target, Selector):
        target = target.root
    href = _address(target) if isinstance(target, Element) else target
    return replace_surrogates(href) if isinstance(href, str) else None


def _linking(document: Document, tags: Sequence[str]) -> tuple[list[Element], Callable[[list[Element]], list[str]]]:
    """Return the linking elements of a page, and the function that reads their addresses."""
    plain = document.select_one("svg") is None or document.select_one("svg a:not([href])") is None
    if plain and set(tags) <= set(_WITH_HREF):
        return _elements(document, tags, "[href]"), _hrefs_of
    return _elements(document, tags), _addresses_of


def _hrefs_of(elements: list[Element]) -> list[str]:
    return [element.attr("href") or "" for element in elements]


def _addresses_of(elements: list[Element]) -> list[str]:
    return [href for element in elements if (href := _address(element)) is not None]


def _plain_heads(document: Document) -> list[Element] | None:
    """Return the ``<link>`` of a page, if its links are these and then its ``<a>``, as on most pages; else `None`."""
    if any(document.select_one(tag) is not None for tag in ("area", "iframe", "frame", "template")):
        return None
    heads = document.select("link")
    in_head = all(isinstance(link.parent, Element) and link.parent.tag == "head" for link in heads)
    return heads if in_head else None


def _elements(document: Document, tags: Sequence[str], having: str = "") -> list[Element]:
    # turbohtml finds one tag by an index, but several by a walk through the page.
    present = [tag for tag in tags if document.select_one(tag) is not None]
    return _first(select_live(document, ",".join(tag + having for tag in present))) if present else []


def _first(elements: list[Element]) -> list[Element]:
    """Return the first `MAX_LINKS` elements."""
    if len(elements) <= MAX_LINKS:
        return elements
    log.warning("a page has %d links: the first %d count", len(elements), MAX_LINKS)
    return elements[:MAX_LINKS]


def _address(element: Element) -> str | None:
    if element.tag not in _WITH_HREF:
        return element.attr("src")
    href = element.attr("href")
    if href is None and element.namespace is Namespace.SVG:
        return element.attr("xlink:href")
    return href
