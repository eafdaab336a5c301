"""Refreshes: when a page is to be replaced, and by which URL (HTML Standard, "refresh state").

Everything here is pure, and no input raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

import attrs
from turbohtml import Document, Namespace

from crawler.content.encoding import replace_surrogates
from crawler.html.live import MAX_METADATA, select_live

__all__ = ["Refresh", "meta_refresh", "meta_refreshes", "parse_refresh"]

SPACE: Final = "[\t\n\f\r ]*+"
TIME: Final = re.compile(rf"{SPACE}([0-9]*+)(?:(?<=[0-9])|(?=\.))[0-9.]*+(?:\Z|(?=[;,\t\n\f\r ]){SPACE}[;,]?+{SPACE})")
"""The time, further digits and dots that are ignored, and the separator."""
URL_PREFIX: Final = re.compile(rf"url{SPACE}={SPACE}", re.IGNORECASE | re.ASCII)


@attrs.frozen
class Refresh:
    """The value of a ``Refresh`` header field or a ``<meta http-equiv=refresh>``."""

    seconds: float
    """Seconds for which the page is shown."""
    url: str
    """URL reference of what is shown next, as written; empty means the same page."""


def parse_refresh(text: str) -> Refresh | None:
    """Parse a refresh such as ``5; url=/next`` (HTML Standard, "shared declarative refresh steps").

    `None` if invalid.
    """
    time = TIME.match(text)
    if time is None:
        return None
    seconds = float(time[1] or 0)
    url = text[time.end() :]
    named = URL_PREFIX.match(url)
    if named is not None:
        url = url[named.end() :]
    if url.startswith(("'", '"')):
        url = url[1:].partition(url[0])[0]
    return Refresh(seconds, url)


def meta_refresh(document: Document) -> Refresh | None:
    """Return the first valid ``<meta http-equiv=refresh>`` of a page; `None` if there is none.

    Elements in a ``<template>`` are inert. Those in a ``<noscript>`` are ignored, since other clients see the page
    without them.
    """
    return next(_refreshes(document, "template,noscript"), None)


def meta_refreshes(document: Document) -> list[Refresh]:
    """Return every valid ``<meta http-equiv=refresh>`` of a page, with those in a ``<noscript>``."""
    return list(_refreshes(document, "template"))


def _refreshes(document: Document, outside: str) -> Iterator[Refresh]:
    for meta in islice(select_live(document, "meta[http-equiv][content]", outside), MAX_METADATA):
        if meta.namespace is Namespace.HTML and (meta.attr("http-equiv") or "").lower() == "refresh":
            found = parse_refresh(replace_surrogates(meta.attr("content") or ""))
            if found is not None:
                yield found
