"""The links of a page: `hrefs` for a crawl that follows them, `links` for one that looks at them.

A link is what a browser would follow or load. ``<template>`` is inert and left out, unless it is a declarative shadow
root; ``<a>`` inside ``<svg>`` counts, also with its old ``xlink:href``; URLs are joined against ``<base href>``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs
from turbohtml import Document, Element, Namespace

from crawler.content.encoding import encode_query, replace_surrogates
from crawler.html.selector import Selector
from crawler.urls import join, join_all

__all__ = ["Link", "base_url", "href_of", "hrefs", "links", "nofollow_urls"]

_WITH_HREF = ("a", "area", "link")
_NOFOLLOW_TYPES: Final = frozenset({"nofollow", "ugc", "sponsored"})
"""Values of ``rel`` whose links are not to be followed: so the search engine says that made the last two."""
_LINKS = (*_WITH_HREF, "iframe", "frame")


@attrs.frozen
class Link:
    """A link of a page. It keeps the parsed page alive."""

    url: str
    """Absolute, canonical, without fragment."""
    tag: str
    """``a area link iframe frame``."""
    fragment: str
    """What follows ``#``, as it is written; empty when there is none."""
    _element: Element = attrs.field(repr=False, eq=False)

    @property
    def text(self) -> str:
        """The text of the element, white space collapsed."""
        return " ".join(replace_surrogates(self._element.text).split())

    @property
    def rel(self) -> tuple[str, ...]:
        """The tokens of ``rel``, in lower case (HTML Standard, "link types")."""
        return tuple(replace_surrogates(self._element.attr("rel") or "").lower().split())

    @property
    def nofollow(self) -> bool:
        """Whether the page does not vouch for this link: ``rel=nofollow``, ``ugc`` or ``sponsored``."""
        return _is_nofollow(self._element)


def base_url(document: Document, url: str) -> str:
    """The URL that links of the page at `url` are joined against (HTML Standard, "document base URL").

    The first ``<base>`` that has a ``href`` decides; where that is no web URL, it is `url`, which is canonical.
    """
    if document.select_one("base") is not None:
        for base in document.select("base[href]:not(template *)"):
            if base.namespace is Namespace.HTML:
                return join(url, base.attr("href") or "") or url
    return url


def hrefs(document: Document, url: str, tags: Sequence[str] = ("a", "area"), encoding: str = "utf-8") -> list[str]:
    """The absolute URLs that a page links to: canonical, without fragment, web URLs only, each once, in document order.

    Parameters:
        document: the parsed page.
        url: its canonical URL.
        tags: the elements that count: of ``a area link`` the ``href``, of any other the ``src``.
        encoding: that of the page, by its WHATWG name.
    """
    # Most of the many links of a page lead to a few places: drop fragments and repeats before anything is joined.
    raw = {href.partition("#")[0]: None for href in _addresses(document, tags)}
    base = base_url(document, url)
    meant = raw if encoding == "utf-8" else [encode_query(href, encoding) for href in raw]
    return list(dict.fromkeys([target for target in join_all(base, meant) if target is not None]))


def links(document: Document, url: str, encoding: str = "utf-8") -> list[Link]:
    """Every ``a area link iframe frame`` of a page that leads to a web URL, in document order, repeats included.

    Parameters:
        document: the parsed page.
        url: its canonical URL.
        encoding: that of the page, by its WHATWG name.
    """
    found = [(href, element) for element in _elements(document, _LINKS) if (href := _address(element)) is not None]
    targets = join_all(base_url(document, url), [encode_query(href, encoding) for href, _ in found])
    return [
        Link(target, element.tag, replace_surrogates(href.partition("#")[2].rstrip("\t\n\f\r ")), element)
        for target, (href, element) in zip(targets, found, strict=True)
        if target is not None
    ]


def nofollow_urls(document: Document, url: str, encoding: str = "utf-8") -> frozenset[str]:
    """The absolute URLs that a page links to and never vouches for.

    Each ``a area`` that leads there says ``rel=nofollow``, ``ugc`` or ``sponsored``.

    Parameters:
        document: the parsed page.
        url: its canonical URL.
        encoding: that of the page, by its WHATWG name.
    """
    if document.select_one("[rel]") is None or not any(map(_is_nofollow, _elements(document, ("a", "area"), "[rel]"))):
        return frozenset()
    found: dict[bool, list[str]] = {True: [], False: []}
    for element in _elements(document, ("a", "area")):
        href = _address(element)
        if href is not None:
            found[_is_nofollow(element)].append(encode_query(href, encoding))
    base = base_url(document, url)
    shunned = {target for target in join_all(base, found[True]) if target is not None}
    return frozenset(shunned.difference(join_all(base, found[False])))


def _is_nofollow(element: Element) -> bool:
    """Whether the ``rel`` of a link says so; commas are taken for spaces, as search engines allow them."""
    rel = element.attr("rel")
    return bool(rel) and not _NOFOLLOW_TYPES.isdisjoint(str(rel).lower().replace(",", " ").split())


def href_of(target: object) -> str | None:
    """What a selector, a node, a `Link` or a string links to, as it is written there; ``None``: to nothing.

    Of ``a area link`` that is the ``href``, of any other element (``iframe frame img ...``) the ``src``.
    """
    if isinstance(target, Link):
        return target.url
    if isinstance(target, Selector):
        target = target.root
    href = _address(target) if isinstance(target, Element) else target
    return replace_surrogates(href) if isinstance(href, str) else None


def _addresses(document: Document, tags: Sequence[str]) -> Iterable[str]:
    plain = document.select_one("svg") is None or document.select_one("svg a:not([href])") is None
    if plain and set(tags) <= set(_WITH_HREF):
        return [element.attr("href") or "" for element in _elements(document, tags, "[href]")]
    return [href for element in _elements(document, tags) if (href := _address(element)) is not None]


def _elements(document: Document, tags: Sequence[str], having: str = "") -> list[Element]:
    # A selector of one tag is answered from an index, one of several walks through the page.
    present = [tag for tag in tags if document.select_one(tag) is not None]
    if document.select_one("template") is not None:
        having += ":not(template:not([shadowrootmode]) *)"
    return document.select(",".join(tag + having for tag in present)) if present else []


def _address(element: Element) -> str | None:
    if element.tag not in _WITH_HREF:
        return element.attr("src")
    href = element.attr("href")
    if href is None and element.namespace is Namespace.SVG:
        return element.attr("xlink:href")
    return href
