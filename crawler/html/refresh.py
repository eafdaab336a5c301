"""Refreshes: how long a page is to be shown, and what is to be shown then (HTML Standard, "Refresh state").

Pure, and no input of any kind raises.
"""

from __future__ import annotations

import re
from typing import Final

import attrs
from turbohtml import Document, Namespace

from crawler.content.encoding import replace_surrogates

__all__ = ["Refresh", "meta_refresh", "parse_refresh"]

SPACE: Final = "[\t\n\f\r ]*+"
TIME: Final = re.compile(rf"{SPACE}([0-9]*+)(?:(?<=[0-9])|(?=\.))[0-9.]*+(?:\Z|(?=[;,\t\n\f\r ]){SPACE}[;,]?+{SPACE})")
"""The time, what follows its digits and is not looked at, and the separator."""
URL_PREFIX: Final = re.compile(rf"url{SPACE}={SPACE}", re.IGNORECASE | re.ASCII)


@attrs.frozen
class Refresh:
    """What a ``Refresh`` header or a ``<meta http-equiv=refresh>`` says."""

    seconds: float
    """How long the page is to be shown."""
    url: str
    """What is to be shown then, as it is written; empty: the same page."""


def parse_refresh(text: str) -> Refresh | None:
    """Reads ``5; url=/next`` (HTML Standard, "shared declarative refresh steps"); `None`: it says nothing.

    Parameters:
        text: the value of the header field, or of the attribute ``content``.
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
    """The first ``<meta http-equiv=refresh>`` of a page that says something.

    Those in a ``<template>`` are inert, and those in a ``<noscript>`` are for browsers that have something else to
    show: a crawler reads the page that everybody gets.

    Parameters:
        document: the parsed page.
    """
    for meta in document.select("meta[http-equiv][content]:not(template *):not(noscript *)"):
        if meta.namespace is Namespace.HTML and (meta.attr("http-equiv") or "").lower() == "refresh":
            found = parse_refresh(replace_surrogates(meta.attr("content") or ""))
            if found is not None:
                return found
    return None
