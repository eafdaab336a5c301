"""`put_in_place`: moves what React has streamed late to where it belongs, as the scripts in the page do.

A part that is not ready is a ``<template id="B:0">`` and a fallback up to ``<!--/$-->``, or a ``<template id="P:1">``
alone. It follows in a ``<div hidden id="S:0">``, with a script that calls ``$RC("B:0","S:0")`` or ``$RS("S:1","P:1")``.
"""

from __future__ import annotations

from typing import Final

from turbohtml import Comment, Document, Element, Node

from crawler.lazy_pattern import lazy_pattern

__all__ = ["put_in_place"]

CALL: Final = lazy_pattern(r"""\$R([CRS])\("([^"]{1,99})","([^"]{1,99})"(?!,")""")
"""A call of `completeBoundary`, of the same with style sheets, or of `completeSegment`. A third text is an error."""
STARTS: Final = frozenset({"$", "$?", "$~", "$!", "&"})
ENDS: Final = frozenset({"/$", "/&"})
"""Comments around a boundary (react-dom: fizz-instruction-set)."""


def put_in_place(document: Document) -> None:
    """Put the streamed parts of a page in their places."""
    if document.select_one('template[id*="B:"],template[id*="P:"]') is None:
        return
    found: dict[str, Element] = {}
    for element in document.select('[id*=":"]'):
        found.setdefault(element.attr("id") or "", element)
    moved: set[Element] = set()
    for script in document.select("script"):
        for kind, first, second in CALL.findall(script.text):
            place, part = (second, first) if kind == "S" else (first, second)
            if place in found and part in found and place != part:
                moved.add(_move(found.pop(part), found.pop(place), is_segment=kind == "S"))
    for element in document.select('[id*=":"]'):  # the outermost first: the content of each moves once
        if element in moved:
            element.unwrap()


def _move(part: Element, place: Element, *, is_segment: bool) -> Element:
    """Move a part before its place, and remove the place with its fallback."""
    fallback: list[Node] = [place]
    if not is_segment:
        depth, node = 0, place.next_sibling
        while node is not None:
            if isinstance(node, Comment):
                depth += (node.data in STARTS) - (node.data in ENDS)
                if depth < 0:
                    break
            fallback.append(node)
            node = node.next_sibling
    try:
        place.insert_before(part)
    except ValueError:  # the place went with another fallback, or is in the part
        part.extract()
    for node in fallback:
        node.extract()
    return part
