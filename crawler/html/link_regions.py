"""Links of chosen elements and attributes, in chosen regions of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turbohtml import Document, Element

from crawler.content.encoding import replace_surrogates
from crawler.html.links import Link, _elements, base_url, href_of, join_links
from crawler.html.selector import Selector

__all__ = ["links_in_regions"]


def links_in_regions(
    document: Document,
    url: str,
    *,
    tags: Sequence[str] = ("a", "area"),
    attributes: Sequence[str] = ("href",),
    css: Sequence[str] = (),
    xpath: Sequence[str] = (),
    encoding: str = "utf-8",
) -> list[Link]:
    """Return the links in some regions of a page, in document order, including repeats."""
    elements: Iterable[Element] = _elements(document, tags)
    if css or xpath:
        elements = _inside(elements, _regions(Selector(root=document), css, xpath))
    found = [
        (replace_surrogates(href), element)
        for element in elements
        for attribute in attributes
        if (href := _address(element, attribute)) is not None
    ]
    targets = join_links(base_url(document, url), [href for href, _ in found], encoding)
    return [
        Link(target, element.tag, href, element)
        for target, (href, element) in zip(targets, found, strict=True)
        if target is not None
    ]


def _address(element: Element, attribute: str) -> str | None:
    href = element.attr(attribute)
    if href is None and attribute == "href" and element.tag == "a":
        return href_of(element)  # SVG has xlink:href, too
    return href


def _regions(root: Selector, css: Sequence[str], xpath: Sequence[str]) -> set[Element]:
    found = [root.css(query) for query in css] + [root.xpath(query) for query in xpath]
    return {one.root for several in found for one in several if isinstance(one.root, Element)}


def _inside(elements: Iterable[Element], regions: set[Element]) -> list[Element]:
    """Return the elements that are regions or have one among their ancestors. Each ancestor is visited once."""
    is_inside: dict[Element, bool] = dict.fromkeys(regions, True)
    found = []
    for element in elements:
        path: list[Element] = []
        ancestor: object = element
        while isinstance(ancestor, Element) and ancestor not in is_inside:
            path.append(ancestor)
            ancestor = ancestor.parent
        inside = isinstance(ancestor, Element) and is_inside[ancestor]
        is_inside.update(dict.fromkeys(path, inside))
        if inside:
            found.append(element)
    return found
