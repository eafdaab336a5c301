"""Relations of a page: ``rel=canonical``, ``hreflang``, ``rel=next`` and ``rel=prev``.

They are read from elements of the page or from its ``Link`` header field; elements take precedence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from turbohtml import Document, Element, Namespace

from crawler.content.encoding import encode_query, replace_surrogates
from crawler.content.link_header import LinkValue
from crawler.html.links import base_url
from crawler.html.live import MAX_METADATA, select_live
from crawler.urls import join

__all__ = ["alternates", "canonical", "related"]


def canonical(document: Document | None, header: Sequence[LinkValue], url: str, encoding: str = "utf-8") -> str | None:
    """Return the preferred URL of a page (RFC 6596); `None` if it names none, or one that is not a web URL.

    A ``<link>`` counts in the ``<head>`` only: content in the body may come from others.
    """
    found = _first(document, "head link[rel][href]", "canonical", url, encoding) if document is not None else None
    return found or _of_header(header, "canonical", url)


def related(
    document: Document | None, header: Sequence[LinkValue], url: str, *relations: str, encoding: str = "utf-8"
) -> str | None:
    """Return the URL of the first link of a relation, in ``link``, ``a`` or ``area`` or the ``Link`` header field."""
    for relation in relations:
        for query in ("link[rel][href]", "a[rel][href],area[rel][href]"):
            found = _first(document, query, relation, url, encoding) if document is not None else None
            if found is not None:
                return found
        found = _of_header(header, relation, url)
        if found is not None:
            return found
    return None


def alternates(
    document: Document | None, header: Sequence[LinkValue], url: str, encoding: str = "utf-8"
) -> dict[str, str]:
    """Return the URLs of a page in other languages, by ``hreflang`` as written: ``en-GB``, ``x-default``."""
    found: dict[str, str] = {}
    if document is not None:
        base = base_url(document, url)
        for query in ("head link[hreflang][href]", "a[hreflang][href],area[hreflang][href]"):
            for element in _elements(document, query):
                language = replace_surrogates(element.attr("hreflang") or "").strip()
                target = _target(element, base, encoding)
                tokens = _tokens(element)
                if language and target is not None and "alternate" in tokens and "stylesheet" not in tokens:
                    found.setdefault(language, target)
    for link in header:
        if "alternate" in link.rel and link.url is not None and _is_of(link, url):
            for name, language in link.params:
                if name == "hreflang" and language.strip():
                    found.setdefault(language.strip(), link.url)
    return found


def _first(document: Document, query: str, relation: str, url: str, encoding: str) -> str | None:
    base: str | None = None
    for element in _elements(document, query):
        if relation in _tokens(element):
            base = base or base_url(document, url)
            target = _target(element, base, encoding)
            if target is not None:
                return target
    return None


def _target(element: Element, base: str, encoding: str) -> str | None:
    return join(base, encode_query(replace_surrogates(element.attr("href") or ""), encoding))


def _of_header(header: Sequence[LinkValue], relation: str, url: str) -> str | None:
    return next((link.url for link in header if relation in link.rel and link.url and _is_of(link, url)), None)


def _is_of(link: LinkValue, url: str) -> bool:
    """Return whether the context of a link is the page itself."""
    return link.anchor is None or link.anchor == url


def _elements(document: Document, query: str) -> Iterator[Element]:
    found = islice(select_live(document, query), MAX_METADATA)
    return (element for element in found if element.namespace is Namespace.HTML)


def _tokens(element: Element) -> list[str]:
    return replace_surrogates(element.attr("rel") or "").lower().split()
