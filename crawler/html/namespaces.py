"""`remove_prefixes`: a tree whose elements and attributes are called by their local names."""

from __future__ import annotations

from turbohtml import Element, Node

__all__ = ["remove_prefixes"]


def remove_prefixes(node: Node) -> None:
    """Remove the prefixes of elements and attributes in `node`, itself included, and namespace declarations.

    An attribute keeps its prefix if the element has one of the name without it.
    """
    elements = node.select("*")
    if isinstance(node, Element):
        elements.append(node)
    for element in elements:
        if ":" in element.tag.strip(":"):
            element.tag = element.tag.partition(":")[2]
        for name in list(element.attrs):
            if name == "xmlns" or name.startswith("xmlns:"):
                del element.attrs[name]
            elif ":" in name.strip(":") and (local := name.partition(":")[2]) not in element.attrs:
                element.attrs[local] = element.attr(name) or ""
                del element.attrs[name]
