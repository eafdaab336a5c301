"""`page_facts`: what a page says about itself: title, authors, dates, language, site, image, tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from turbohtml import Document

from crawler.content.encoding import replace_surrogates
from crawler.html.authors import authors
from crawler.html.dates import page_dates
from crawler.html.json_ld import json_ld, json_ld_objects
from crawler.html.links import base_url
from crawler.html.live import MAX_METADATA, select_live
from crawler.html.title import page_title
from crawler.urls import join

__all__ = ["Facts", "page_facts"]

ARTICLES: Final = ("Article", "Posting", "Report", "Recipe", "Question", "Review", "Book", "Course", "VideoObject")
"""Ends of the types of schema.org for what a page is about. Their objects come first."""
NOT_THE_PAGE: Final = frozenset({"Comment", "Answer", "Person", "Organization", "Product", "Event", "JobPosting"})
"""Types with authors or dates that are not those of the page."""
MAX_TAGS: Final = 100
"""Tags of a page."""


@attrs.frozen(kw_only=True)
class Facts:
    """What a page says about itself."""

    title: str | None
    authors: list[str]
    date: str | None
    modified: str | None
    language: str | None
    description: str | None
    site_name: str | None
    image: str | None
    tags: list[str]


def page_facts(document: Document, url: str, language: str | None) -> Facts:
    """Return what a page says about itself. `language` is the ``Content-Language`` header field."""
    meta = _meta(document)
    objects = list(_objects(document))
    root = document.select_one("html")
    declared = (root.attr("lang") or root.attr("xml:lang")) if root is not None else None
    tongue = _first([declared]) or (None if language is None or "," in language else _first([language]))
    site_name = _first([*meta.get("og:site_name", ()), *_named(objects, "WebSite"), *meta.get("application-name", ())])
    host = urlsplit(url).hostname or ""
    of_site = [
        site_name,
        host,
        host.removeprefix("www."),
        *_named(objects, "Organization", "WebSite", "NewsMediaOrganization"),
    ]
    sites = frozenset(name.lower() for name in of_site if name)
    published, modified = page_dates(document, objects, meta, url, tongue)
    return Facts(
        title=_first([page_title(document, meta, sites, is_home=urlsplit(url).path in ("", "/"))]),
        authors=authors(document, objects, meta, sites),
        date=published or modified,
        modified=modified,
        language=tongue,
        description=_first(
            [*meta.get("og:description", ()), *meta.get("description", ()), *meta.get("dc.description", ())]
        ),
        site_name=site_name,
        image=_image(objects, meta, base_url(document, url)),
        tags=_tags(document, objects, meta),
    )


def _meta(document: Document) -> dict[str, list[str]]:
    """Return the contents of ``<meta>`` elements by their names in lower case."""
    found: dict[str, list[str]] = {}
    for element in select_live(document, "meta[content]")[:MAX_METADATA]:
        content = replace_surrogates(element.attr("content") or "").strip()
        names = f"{element.attr('property') or ''} {element.attr('name') or ''}"
        for name in names.lower().split() if content else ():
            found.setdefault(name, []).append(content)
    return found


def _objects(document: Document) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON-LD that describe the page, the likeliest first."""
    found: list[dict[str, Any]] = []
    for one in json_ld_objects(json_ld(document)):
        main = one.get("mainEntity")
        found += [inner for inner in (main, one) if isinstance(inner, dict) and not NOT_THE_PAGE & _types(inner)]
    return iter(sorted(found, key=lambda one: not any(name.endswith(ARTICLES) for name in _types(one))))


def _types(one: Mapping[str, Any]) -> set[str]:
    kind = one.get("@type")
    return {name.rpartition("/")[2] for name in (kind if isinstance(kind, list) else [kind]) if isinstance(name, str)}


def _named(objects: Sequence[Mapping[str, Any]], *types: str) -> list[str]:
    """Return the names of objects of some types, and of the publishers of others."""
    found = []
    for one in objects:
        for inner in (one, one.get("publisher")):
            name = (
                inner.get("name")
                if isinstance(inner, dict) and (inner is not one or _types(inner) & set(types))
                else None
            )
            found += [name] if isinstance(name, str) else []
    return found


def _image(objects: Sequence[Mapping[str, Any]], meta: Mapping[str, Sequence[str]], base: str) -> str | None:
    found = [
        *meta.get("og:image", ()),
        *meta.get("og:image:url", ()),
        *meta.get("twitter:image", ()),
        *meta.get("image", ()),
    ]
    for one in objects:
        image = one.get("image")
        image = image[0] if isinstance(image, list) and image else image
        image = image.get("url") if isinstance(image, dict) else image
        found += [image] if isinstance(image, str) else []
    return next(filter(None, (join(base, one) for one in found)), None)


def _tags(document: Document, objects: Sequence[Mapping[str, Any]], meta: Mapping[str, Sequence[str]]) -> list[str]:
    texts = [*meta.get("article:tag", ()), *meta.get("keywords", ()), *meta.get("news_keywords", ())]
    for one in objects:
        words = one.get("keywords")
        texts += [word for word in (words if isinstance(words, list) else [words]) if isinstance(word, str)]
    texts += [element.text for element in select_live(document, "[rel~=tag]")[:MAX_TAGS]]
    found = (_first([tag]) for text in texts for tag in text.split(","))
    return list(dict.fromkeys(filter(None, found)))[:MAX_TAGS]


def _first(texts: Sequence[str | None]) -> str | None:
    """Return the first text that is not blank, with white space collapsed."""
    lines = (" ".join(replace_surrogates(text or "").split()) for text in texts)
    return next(filter(None, lines), None)
