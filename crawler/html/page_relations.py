"""What a page says of itself and its neighbours: ``rel=canonical``, ``hreflang``, ``rel=next`` and ``rel=prev``.

By elements of the page or by its ``Link`` field; the page itself is asked first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from turbohtml import Document, Element, Namespace

from crawler.content.encoding import encode_query, replace_surrogates
from crawler.content.link_header import LinkValue
from crawler.html.links import base_url
from crawler.urls import join

__all__ = ["alternates", "canonical", "related"]

_LIVE = ":not(template:not([shadowrootmode]) *)"


def canonical(document: Document | None, header: Sequence[LinkValue], url: str, encoding: str = "utf-8") -> str | None:
    """The URL that a page wants to be known by (RFC 6596); `None`: it does not say, or names no web URL.

    A ``<link>`` counts in the head only: what stands in the body may be somebody else's.

    Parameters:
        document: the parsed page, if it is HTML.
        header: its ``Link`` field.
        url: its canonical URL.
        encoding: that of the page, by its WHATWG name.
    """
    found = _first(document, "head link[rel][href]", "canonical", url, encoding) if document is not None else None
    return found or _of_header(header, "canonical", url)


def related(
    document: Document | None, header: Sequence[LinkValue], url: str, *relations: str, encoding: str = "utf-8"
) -> str | None:
    """The URL of the first link of a relation, of ``link a area`` or the ``Link`` field.

    Parameters:
        document, header, url, encoding: as of `canonical`.
        relations: names of one relation, in small letters: ``prev`` and its old name ``previous``.
    """
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
    """The URLs of a page in other languages, by language as ``hreflang`` writes it: ``en-GB``, ``x-default``.

    Parameters:
        document, header, url, encoding: as of `canonical`.
    """
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
    """Whether a link goes out from the page itself."""
    return link.anchor is None or link.anchor == url


def _elements(document: Document, query: str) -> Iterator[Element]:
    if document.select_one("template") is not None:
        query = ",".join(part + _LIVE for part in query.split(","))
    return (element for element in document.select(query) if element.namespace is Namespace.HTML)


def _tokens(element: Element) -> list[str]:
    return replace_surrogates(element.attr("rel") or "").lower().split()
