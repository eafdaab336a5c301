"""`select_live`: the elements of a page without those in the inert content of templates, in linear time.

The selector ``:not(template *)`` visits each ancestor of each element: half a megabyte of nested elements takes
seconds.
"""

from __future__ import annotations

from typing import Final

from turbohtml import Document, Element

__all__ = ["INERT", "MAX_METADATA", "select_live"]

INERT: Final = "template:not([shadowrootmode])"
"""Elements whose content is inert (HTML Standard section 4.12.3). The content of a declarative shadow root is not."""
MAX_METADATA: Final = 100_000
"""Elements of one kind, such as ``meta`` and ``link``, that are read for what a page says about itself."""


def select_live(document: Document, query: str, outside: str = INERT) -> list[Element]:
    """Return the elements that a selector finds, in document order, without those inside of some others."""
    found = document.select(query)
    if not found or document.select_one(outside) is None:
        return found
    inside: set[Element] = set()
    for container in document.select(outside):
        if container not in inside:  # what it contains is known already
            inside.update(container.select(f"{query},{outside}"))
    return [element for element in found if element not in inside]
