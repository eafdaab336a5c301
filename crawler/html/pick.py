"""Links by what they stand in: tags and attributes of one's own choice, in some regions of a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from turbohtml import Document, Element

from crawler.html.links import Link, base_url
from crawler.html.selector import Selector, encodable
from crawler.urls import join_all

__all__ = ["pick"]


def pick(
    document: Document,
    url: str,
    *,
    tags: Sequence[str] = ("a", "area"),
    attributes: Sequence[str] = ("href",),
    css: Sequence[str] = (),
    xpath: Sequence[str] = (),
) -> list[Link]:
    """The links of a page that stand in some elements, in the order of the page, repeats included.

    Parameters:
        document: the parsed page.
        url: its canonical URL.
        tags: the elements that are looked at.
        attributes: where their addresses stand.
        css, xpath: regions: only the elements that these find, and what is inside of them. None: the whole page.

    Raises:
        ValueError: a selector cannot be read.
    """
    found = [
        (encodable(href), element)
        for element in _elements(document, tags, css, xpath)
        for attribute in attributes
        if (href := element.attr(attribute))
    ]
    targets = join_all(base_url(document, url), [href for href, _ in found])
    return [
        Link(target, element.tag, href.partition("#")[2].rstrip("\t\n\f\r "), element)
        for target, (href, element) in zip(targets, found, strict=True)
        if target is not None
    ]


def _elements(document: Document, tags: Sequence[str], css: Sequence[str], xpath: Sequence[str]) -> Iterator[Element]:
    selector = ",".join(f"{tag}:not(template:not([shadowrootmode]) *)" for tag in tags)
    if not css and not xpath:
        yield from document.select(selector)
        return
    seen: set[Element] = set()
    for region in _regions(Selector(root=document), css, xpath):
        inside = region.select(selector)
        for element in [region, *inside] if region.tag in tags else inside:
            if element not in seen:
                seen.add(element)
                yield element


def _regions(root: Selector, css: Sequence[str], xpath: Sequence[str]) -> Iterable[Element]:
    found = [root.css(query) for query in css] + [root.xpath(query) for query in xpath]
    return (one.root for several in found for one in several if isinstance(one.root, Element))
