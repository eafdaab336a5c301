"""`microformats`: the items of a page in classes such as ``h-entry`` and ``p-name`` (microformats2 parsing).

Values of the ``value-class`` pattern and names that an item implies are left out, except its own text and link.
"""

from __future__ import annotations

from typing import Any, Final

from turbohtml import Document, Element

from crawler.content.encoding import replace_surrogates
from crawler.html.live import INERT
from crawler.lazy_pattern import lazy_pattern
from crawler.urls import join

__all__ = ["microformats"]

MAX_DEPTH: Final = 32
"""Items and properties in one another. Deeper ones are left out, so that no text is read more often."""
TEXTS: Final = {"abbr": "title", "link": "title", "data": "value", "input": "value", "img": "alt", "area": "alt"}
URLS: Final = {
    "a": "href", "area": "href", "link": "href", "img": "src", "audio": "src", "video": "src", "source": "src",
    "iframe": "src", "object": "data",
}  # fmt: skip
TIMES: Final = {"time": "datetime", "ins": "datetime", "del": "datetime", "abbr": "title", "data": "value"}
"""Attributes with the value of a property, by the name of the element."""
_ROOT: Final = lazy_pattern(r"h-(?:[a-z0-9]+-)?[a-z]+(?:-[a-z]+)*")
_PROPERTY: Final = lazy_pattern(r"(p|u|dt|e)-((?:[a-z0-9]+-)?[a-z]+(?:-[a-z]+)*)")


def microformats(document: Document, base: str) -> list[dict[str, Any]]:
    """Return the top-level items: ``type``, ``properties`` and ``children``, in the JSON form of microformats2."""
    found: list[dict[str, Any]] = []
    start = document.select_one('[class^="h-"],[class*=" h-"]')
    body = document.select_one("body") if start is not None else None
    stack: list[tuple[Element, dict[str, Any] | None, int]] = [(body, None, 0)] if body is not None else []
    while stack:
        element, item, depth = stack.pop()
        classes = (element.attr("class") or "").split()
        types = list(dict.fromkeys(name for name in classes if _ROOT.fullmatch(name)))
        names = [match.groups() for match in map(_PROPERTY.fullmatch, classes) if match] if item is not None else []
        inner = item
        if (types or names) and depth < MAX_DEPTH:
            depth += 1
            if types:
                inner = {"type": types, "properties": _implied(element, base)}
                if item is None:
                    found.append(inner)
                elif not names:
                    item.setdefault("children", []).append(inner)
            for kind, name in names:
                value = inner if types else _value(element, kind, base)
                if item is not None and value:
                    _add(item["properties"], name, value)
        stack += [
            (child, inner, depth)
            for child in reversed(list(element.children))
            if isinstance(child, Element) and not child.matches(INERT)
        ]
    for item in found:
        _finish(item)
    return found


def _add(properties: dict[str, Any], name: str, value: Any) -> None:
    properties.setdefault(name, []).append(value)


def _implied(element: Element, base: str) -> dict[str, Any]:
    """Return what an item has unless it says something else: its text and its own link."""
    link = _value(element, "u", base) if element.tag in ("a", "area", "img") else ""
    return {"": [_value(element, "p", base), link, element.tag]}


def _finish(item: dict[str, Any]) -> None:
    """Add the implied name and URL to an item without any text property, and to those in it."""
    stack = [item]
    while stack:
        one = stack.pop()
        properties = one["properties"]
        text, link, tag = properties.pop("")
        inner = [value for values in properties.values() for value in values if isinstance(value, dict)]
        stack += [value for value in inner if "type" in value] + one.get("children", [])
        if text and "name" not in properties and not inner and "children" not in one:
            properties["name"] = [text]
        if link:
            properties.setdefault("photo" if tag == "img" else "url", [link])


def _value(element: Element, kind: str, base: str) -> Any:
    """Return the value of a property that is not an item."""
    text = " ".join(replace_surrogates(element.text).split())
    if kind == "e":
        return {"value": text, "html": replace_surrogates(element.inner_html).strip()}
    table = {"u": URLS, "dt": TIMES}.get(kind, TEXTS)
    value = element.attr(table.get(element.tag, "")) if element.tag in table else None
    if kind == "u" and value is not None:
        return join(base, replace_surrogates(value)) or replace_surrogates(value)
    return text if value is None else replace_surrogates(value).strip()
