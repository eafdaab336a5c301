"""`PageData`: the data of a page for machines: JSON-LD, OpenGraph, Dublin Core, microdata, RDFa and microformats."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

import attrs
from turbohtml import Document
from turbohtml.extract import MicrodataItem, RdfaItem

from crawler.content.encoding import replace_surrogates
from crawler.html.json_ld import json_ld
from crawler.html.links import base_url
from crawler.html.live import select_live
from crawler.html.microformats import microformats
from crawler.lazy_pattern import lazy_pattern
from crawler.urls import join

__all__ = ["PageData", "page_data"]

MAX_DEPTH: Final = 32
"""Items in items. Deeper ones are left out."""
URLS: Final = ("og:url", "og:image", "og:video", "og:audio", "og:see_also", "twitter:image", "twitter:player")
"""Properties that hold a URL, as do those whose name ends with ``:url`` or ``:secure_url``."""

EXTENSIONS: Final = ("product:", "book:", "profile:", "video:", "music:", "place:", "business:", "fb:")
"""Prefixes of the types and extensions of OpenGraph."""
_LAST: Final = lazy_pattern("[/#:]")
"""Signs before the last part of the name of a type."""
CONTENT: Final = "[itemprop][content]:not(meta,[itemscope])"
"""Elements of microdata with a value for machines beside that for readers."""
SUBJECTS: Final = ":is([resource],[about]):not([typeof],[property],[rel],[rev])"
"""Elements of RDFa that are about something whose type the page does not say."""


@attrs.frozen(kw_only=True)
class PageData:
    """Data of a page for machines. It can be yielded as an item."""

    json_ld: list[Any]
    """The value of each JSON-LD block, in document order, without those that are not JSON."""
    opengraph: dict[str, list[str]]
    """The values of each property of OpenGraph and Twitter (``og:``, ``article:``, …), with absolute URLs."""
    microdata: list[dict[str, Any]]
    """Top-level items in the JSON form of the HTML Standard: ``type``, ``id`` and ``properties``, a list per name."""
    rdfa: list[dict[str, Any]]
    """Top-level resources of RDFa Lite: ``type``, ``resource`` and ``properties``, with names as full IRIs."""

    dublin_core: dict[str, list[str]]
    """The values of each ``dc.`` and ``dcterms.`` name of ``<meta>``."""
    microformats: list[dict[str, Any]]
    """Top-level items of microformats2: ``type``, ``properties`` and ``children``."""

    def __bool__(self) -> bool:
        """Whether there is any data."""
        return any(attrs.astuple(self, recurse=False))

    def of_type(self, *names: str) -> list[dict[str, Any]]:
        """Return the objects of some types in every syntax but OpenGraph: ``of_type("Product", "h-product")``.

        A type is the last part of its name: ``Product`` for ``https://schema.org/Product``.
        """
        found: list[dict[str, Any]] = []
        stack: list[Any] = [self.microformats, self.rdfa, self.microdata, self.json_ld]
        while stack:
            one = stack.pop()
            if isinstance(one, dict):
                types = one.get("@type", one.get("type"))
                types = types if isinstance(types, list) else [types]
                if any(isinstance(name, str) and _LAST.split(name)[-1] in names for name in types):
                    found.append(one)
                stack += reversed(one.values())
            elif isinstance(one, list):
                stack += reversed(one)
        return found


def page_data(document: Document, url: str) -> PageData:
    """Return the data of a page."""
    base = base_url(document, url)
    return PageData(
        json_ld=json_ld(document),
        opengraph=_metas(document, base, ("og:", "twitter:", "article:", *EXTENSIONS)),
        microdata=[_microdata(item, MAX_DEPTH) for item in _with_content(document).microdata(base)],
        rdfa=[_rdfa(item, MAX_DEPTH) for item in _rdfa_items(document, base)],
        dublin_core=_metas(document, base, ("dc.", "dcterms.", "dc:", "dcterms:")),
        microformats=microformats(document, base),
    )


def _metas(document: Document, base: str, prefixes: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the values of ``<meta>`` elements whose names have one of some prefixes."""
    found: dict[str, list[str]] = {}
    for meta in select_live(document, "meta[property],meta[name]"):
        name = (meta.attr("property") or meta.attr("name") or "").strip().lower()
        if name.startswith(prefixes):
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


def _with_content(document: Document) -> Document:
    """Return a page in which a ``content`` is the value of any property, as schema.org has it, and scripts are not."""
    if document.select_one(f"{CONTENT},[itemprop] script,[itemprop] style") is None:
        return document
    copy = deepcopy(document)
    copy.remove("script,style")
    for element in copy.select(CONTENT):
        element.tag = "meta"
    return copy


def _rdfa_items(document: Document, base: str) -> list[RdfaItem]:
    subjects = SUBJECTS if document.select_one(f"[typeof],{SUBJECTS}") is not None else "body"
    if document.select_one("[typeof],body [property]") is None:
        return []
    if document.select_one(subjects) is not None:
        document = deepcopy(document)
        for element in document.select(subjects):
            element.attrs["typeof"] = ""  # the parser finds subjects by their types
            if subjects == "body":
                element.attrs["about"] = ""
    try:
        return document.rdfa(base)
    except RecursionError:  # more than 400 nested items
        return []
