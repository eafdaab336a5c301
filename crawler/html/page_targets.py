"""The pages that a page leads to without scripts, other than by ``<a href>``: image maps, frames and ``<link>``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from turbohtml import Document, Element, Namespace

from crawler.content.encoding import replace_surrogates
from crawler.content.link_header import LinkValue
from crawler.content.media_type import mime_type
from crawler.html.links import _elements, base_url, href_batches, join_links
from crawler.html.live import MAX_METADATA

__all__ = ["header_targets", "page_targets", "target_batches"]

ELEMENTS: Final = ("area", "frame", "iframe")
RELATIONS: Final = frozenset(
    {
        "about", "alternate", "appendix", "archives", "author", "bookmark", "canonical", "chapter", "collection",
        "contents", "copyright", "current", "first", "glossary", "help", "home", "index", "item", "last",
        "latest-version", "license", "next", "next-archive", "predecessor-version", "prev", "prev-archive", "previous",
        "privacy-policy", "related", "section", "start", "subsection", "successor-version", "tag", "terms-of-service",
        "toc", "up", "version-history",
    }
)  # fmt: skip
"""Link relations that lead to pages: those of the IANA registry, and names that HTML had in former versions."""


def page_targets(document: Document, url: str, encoding: str = "utf-8") -> list[str]:
    """Return the web URLs that ``area``, ``frame``, ``iframe`` and ``link`` lead to: canonical, without repeats.

    A ``link`` counts if its relation leads to a page. An alternate of another type, such as a feed, does not.
    """
    found = [target for batch in target_batches(document, url, encoding) for target in batch]
    return list(dict.fromkeys(found))


def target_batches(document: Document, url: str, encoding: str = "utf-8") -> Iterator[list[str]]:
    """Yield the URLs of `page_targets` in parts, some of which are empty: other tasks may run between them.

    URLs may repeat.
    """
    yield from href_batches(document, url, ELEMENTS, encoding)
    addresses = [
        replace_surrogates(link.attr("href") or "")
        for link in islice(_elements(document, ("link",), "[rel][href]"), MAX_METADATA)
        if link.namespace is Namespace.HTML and leads_to_page(_tokens(link), link.attr("type"))
    ]
    if addresses:
        yield [target for target in join_links(base_url(document, url), addresses, encoding) if target is not None]


def header_targets(header: Iterable[LinkValue], url: str) -> list[str]:
    """Return the web URLs of pages that a ``Link`` header field leads to (RFC 8288), without repeats."""
    ours = (link for link in header if link.anchor in (None, url) and leads_to_page(link.rel, link.get("type")))
    return list(dict.fromkeys(link.url for link in ours if link.url is not None))


def leads_to_page(relations: Iterable[str], media_type: str | None) -> bool:
    """Return whether a link of some relations leads to a page."""
    followed = RELATIONS.intersection(relations)
    if followed == {"alternate"}:
        return "stylesheet" not in relations and (not media_type or mime_type(media_type).is_html)
    return bool(followed)


def _tokens(link: Element) -> list[str]:
    return replace_surrogates(link.attr("rel") or "").lower().split()
