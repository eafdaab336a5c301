"""Links by what they stand in: tags and attributes of one's own choice, in some regions of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turbohtml import Document, Element

from crawler.content.encoding import encode_query, replace_surrogates
from crawler.html.links import Link, _elements, base_url, href_of
from crawler.html.selector import Selector
from crawler.urls import join_all

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
    """The links of a page that stand in some elements, in the order of the page, repeats included.

    Parameters:
        document: the parsed page.
        url: its canonical URL.
        tags: the elements that are looked at.
        attributes: where their addresses stand.
        css, xpath: regions: only the elements that these find, and what is inside of them. None: the whole page.
        encoding: that of the page, by its WHATWG name.

    Raises:
        ValueError: a selector cannot be read.
    """
    elements: Iterable[Element] = _elements(document, tags)
    if css or xpath:
        elements = _inside(elements, _regions(Selector(root=document), css, xpath))
    found = [
        (replace_surrogates(href), element)
        for element in elements
        for attribute in attributes
        if (href := _written(element, attribute)) is not None
    ]
    targets = join_all(base_url(document, url), [encode_query(href, encoding) for href, _ in found])
    return [
        Link(target, element.tag, href.partition("#")[2].rstrip("\t\n\f\r "), element)
        for target, (href, element) in zip(targets, found, strict=True)
        if target is not None
    ]


def _written(element: Element, attribute: str) -> str | None:
    href = element.attr(attribute)
    if href is None and attribute == "href" and element.tag == "a":
        return href_of(element)  # inside of a drawing it may stand elsewhere
    return href


def _regions(root: Selector, css: Sequence[str], xpath: Sequence[str]) -> set[Element]:
    found = [root.css(query) for query in css] + [root.xpath(query) for query in xpath]
    return {one.root for several in found for one in several if isinstance(one.root, Element)}


def _inside(elements: Iterable[Element], regions: set[Element]) -> list[Element]:
    """The elements that are regions, or have one above them. Each ancestor is looked at once."""
    verdicts: dict[Element, bool] = dict.fromkeys(regions, True)
    found = []
    for element in elements:
        way: list[Element] = []
        above: object = element
        while isinstance(above, Element) and above not in verdicts:
            way.append(above)
            above = above.parent
        verdict = isinstance(above, Element) and verdicts[above]
        verdicts.update(dict.fromkeys(way, verdict))
        if verdict:
            found.append(element)
    return found
