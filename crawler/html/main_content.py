"""`main_content`: the part of a page that its author wrote, without navigation, in linear time.

Blocks of text that are likely to be content stay (`content_model`). A page of a few sentences says too little for
that: a ``<main>`` or a single ``<article>`` decides, or else the smallest element that holds nearly all of the page's
text outside of links. Navigation inside of it, recognized by element, role or class, is removed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from turbohtml import Document, Element

from crawler.html.blocks import Block, Part, read_blocks
from crawler.html.content_model import content_scores, threshold
from crawler.html.reader_view import reader_view, with_safe_links

__all__ = ["main_content", "whole_content"]

LANDMARKS: Final = ("main", "[role=main]", "[itemprop=articleBody]", "article")
"""Selectors of elements that hold the main content, the most reliable first. Several matches decide nothing."""
NAVIGATION: Final = (
    "nav,footer,aside,menu,[role=navigation],[role=banner],[role=contentinfo],[role=complementary],[role=search],"
    "[role=menu],[role=menubar],[role=toolbar],[role=dialog],[role=alertdialog],[aria-hidden=true],"
    "[style*='display:none' i],[style*='display: none' i]"
)
"""Elements that HTML, ARIA or CSS declare to be something else than content, or not seen."""
LISTS_OF_LINKS: Final = frozenset({
    "header", "sidebar", "related", "top", "up", "page-header", "site-header", "masthead", "toolbar",
})  # fmt: skip
"""Classes and ids of navigation, if it has many links: a ``sidebar`` with few may be a part of the text."""
AROUND: Final = frozenset({
    "nav", "navbar", "navigation", "navheader", "navfooter", "topnav", "menu", "mainmenu", "submenu", "breadcrumb",
    "breadcrumbs", "pagination", "pager", "sphinxsidebar", "skip-link", "footer", "page-footer", "site-footer",
    "copyright", "copyright-footer", "banner", "cookie", "cookies", "cookie-banner", "newsletter", "social",
    "share", "sharing", "advertisement", "ads", "promo", "searchbox", "comments", "disqus", "noprint",
})  # fmt: skip
"""Classes and ids of navigation and notices, whatever they hold."""
CELLS: Final = frozenset({"td", "th"})
"""Elements that stay without text: a table is rectangular."""
MIN_WORDS: Final = 300
"""Words of a page that is read block by block: pages of the training set have more."""
MIN_SHARE: Final = 0.2
"""Share of the text that a landmark must have, and that must be outside of links for links not to count."""
PARTS: Final = frozenset({"p", "pre", "table", "ul", "ol", "dl", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"})
"""Elements that are parts of a content, never all of it."""


def main_content(document: Document, url: str, encoding: str = "utf-8") -> Element | None:
    """Return a copy of the main content of a page, with absolute URLs; `None` if the page has no text."""
    body = reader_view(document).select_one("body")
    if body is None or not body.text.strip():
        return None
    blocks, parts = read_blocks(body)
    if parts[0].words >= MIN_WORDS:
        scores = content_scores(blocks, parts, url)
        least = threshold([block.words for block in blocks], scores)
        titles = {block.part for block in blocks if block.part.tag == "h1"}
        title = titles.pop() if len(titles) == 1 else None  # the heading of the page, also in its header
        _keep([s >= least or b.part is title for s, b in zip(scores, blocks, strict=True)], blocks, parts)
        return with_safe_links(body, document, url, encoding)
    content = _landmark(body)
    _remove_navigation(content or body)
    if not (content or body).text.strip():
        content = reader_view(document).select_one("body") or body  # nothing but navigation: a list of links
    return with_safe_links(content or _smallest(body), document, url, encoding)


def whole_content(document: Document, url: str, encoding: str = "utf-8") -> Element | None:
    """Return a copy of everything that readers see of a page, with absolute URLs; `None` if it has no body.

    The parameters are those of `main_content`.
    """
    body = reader_view(document).select_one("body")
    return None if body is None else with_safe_links(body, document, url, encoding)


def _keep(chosen: list[bool], blocks: list[Block], parts: list[Part]) -> None:
    """Remove the blocks that are not chosen, and the elements that have no other text."""
    alive: set[Part] = {parts[0]}
    for block, stays in zip(blocks, chosen, strict=True):
        part: Part | None = block.part if stays else None
        while part is not None and part not in alive:
            alive.add(part)
            part = part.parent
    gone: set[Part] = set()
    for part in parts:
        if part.parent in gone:
            gone.add(part)
        elif part.blocks and part not in alive and part.tag not in CELLS:
            gone.add(part)
            part.element.decompose()
    for block, stays in zip(blocks, chosen, strict=True):
        if not stays and block.part not in gone:
            for node in block.nodes:
                node.extract()


def _landmark(body: Element) -> Element | None:
    """Return the element that the page marks as its main content, if it has enough of the text."""
    enough = MIN_SHARE * len(body.text)
    for selector in LANDMARKS:
        found = body.select(selector)
        if len(found) == 1 and len(found[0].text) >= enough:
            return found[0]
    return None


def _remove_navigation(content: Element) -> None:
    content.remove(NAVIGATION)
    most = 0.4 * _weight(content)  # share of the text outside of links that navigation known by its name can have
    removed: set[Element] = set()
    kept = 0
    for element in content.select("[class],[id]"):
        names = _names(element.attr("class") or "", element.attr("id") or "")
        if names is None or element in removed:
            continue
        size, weight = len(element.text), _weight(element)
        # Share of its text that a list of links has in links.
        has_links = names is AROUND or size - weight >= 0.3 * size
        if weight <= most and has_links and element.select_one("h1") is None:
            removed.update(element.select("[class],[id]"))
            element.decompose()
        # Elements with names of navigation that stay, after which no further one is weighed: they may be nested.
        elif (kept := kept + 1) == 64:
            break


def _names(classes: str, identifier: str) -> frozenset[str] | None:
    """Return the set of names of navigation that an element has one of; `None` if it has none."""
    kind = _names_of_classes(classes) if classes else None
    if kind is None and identifier:
        kind = AROUND if identifier in AROUND else LISTS_OF_LINKS if identifier in LISTS_OF_LINKS else None
    return kind


@lru_cache(maxsize=4096)
def _names_of_classes(classes: str) -> frozenset[str] | None:
    names = classes.split()
    return next((kind for kind in (AROUND, LISTS_OF_LINKS) if not kind.isdisjoint(names)), None)


def _smallest(body: Element) -> Element:
    """Return the smallest element that holds nearly all of the text: outside of links, if that is not too little."""
    weigh = _weight if _weight(body) >= MIN_SHARE * len(body.text) else _length
    element = body
    for _ in range(64):  # steps from the body towards the content
        # Share of the text outside of links that an element must hold for the content to be inside of it.
        enough = 0.95 * weigh(element)
        children = [child for child in element.children if isinstance(child, Element)]
        child = next((child for child in children if child.tag not in PARTS and weigh(child) >= enough), None)
        if child is None:
            break
        element = child
    return element


def _length(element: Element) -> int:
    return len(element.text)


def _weight(element: Element) -> int:
    """Return the number of characters outside of links."""
    return len(element.text) - sum(len(link.text) for link in element.select("a"))
