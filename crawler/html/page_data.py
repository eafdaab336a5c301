"""`PageData`: the data of a page for machines: JSON-LD, OpenGraph, microdata and RDFa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
from turbohtml import Document
from turbohtml.extract import MicrodataItem, RdfaItem

from crawler.content.encoding import replace_surrogates
from crawler.html.json_ld import json_ld
from crawler.html.links import base_url
from crawler.html.live import select_live
from crawler.urls import join

__all__ = ["PageData", "page_data"]

MAX_DEPTH: Final = 32
"""Items in items. Deeper ones are left out."""
URLS: Final = ("og:url", "og:image", "og:video", "og:audio", "og:see_also", "twitter:image", "twitter:player")
"""Properties that hold a URL, as do those whose name ends with ``:url`` or ``:secure_url``."""


@attrs.frozen(kw_only=True)
class PageData:
    """Data of a page for machines. It can be yielded as an item."""

    json_ld: list[Any]
    """The value of each JSON-LD block, in document order, without those that are not JSON."""
    opengraph: dict[str, list[str]]
    """The values of each ``og:``, ``twitter:`` and ``article:`` property, with URLs made absolute."""
    microdata: list[dict[str, Any]]
    """Top-level items in the JSON form of the HTML Standard: ``type``, ``id`` and ``properties``, a list per name."""
    rdfa: list[dict[str, Any]]
    """Top-level resources of RDFa Lite: ``type``, ``resource`` and ``properties``, with names as full IRIs."""

    def __bool__(self) -> bool:
        """Whether there is any data."""
        return bool(self.json_ld or self.opengraph or self.microdata or self.rdfa)


def page_data(document: Document, url: str) -> PageData:
    """Return the data of a page."""
    base = base_url(document, url)
    return PageData(
        json_ld=json_ld(document),
        opengraph=_opengraph(document, base),
        microdata=[_microdata(item, MAX_DEPTH) for item in document.microdata(base)],
        rdfa=[_rdfa(item, MAX_DEPTH) for item in _rdfa_items(document, base)],
    )


def _opengraph(document: Document, base: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for meta in select_live(document, "meta[property],meta[name]"):
        name = (meta.attr("property") or meta.attr("name") or "").strip().lower()
        if name.startswith(("og:", "twitter:", "article:")):
            value = replace_surrogates(meta.attr("content") or "").strip()
            if name in URLS or name.endswith((":url", ":secure_url")):
                value = join(base, value) or value
            if value:
                found.setdefault(replace_surrogates(name), []).append(value)
    return found


def _microdata(item: MicrodataItem, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if item.type:
        found["type"] = replace_surrogates(item.type).split()
    if item.id:
        found["id"] = replace_surrogates(item.id)
    return found | {"properties": _properties(item.properties, depth)}


def _rdfa(item: RdfaItem, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if item.type:
        found["type"] = [replace_surrogates(name) for name in item.type]
    if item.resource is not None:
        found["resource"] = replace_surrogates(item.resource)
    return found | {"properties": _properties(item.properties, depth)}


def _properties(properties: Mapping[str, list[Any]], depth: int) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, values in properties.items():
        kept: list[Any] = []
        for value in values:
            if isinstance(value, str):
                kept.append(replace_surrogates(value))
            elif depth > 1:
                kept.append((_microdata if isinstance(value, MicrodataItem) else _rdfa)(value, depth - 1))
        found[replace_surrogates(name)] = kept
    return found


def _rdfa_items(document: Document, base: str) -> list[RdfaItem]:
    if document.select_one("[typeof],[property][vocab]") is None:
        return []
    try:
        return document.rdfa(base)
    except RecursionError:  # more than 400 nested items
        return []
