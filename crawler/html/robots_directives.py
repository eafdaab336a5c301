"""Robots directives of a page: ``X-Robots-Tag`` and ``<meta name=robots>``.

No standard defines them; this follows the documentation of search engines: words separated by commas, some with a value
after a colon; in a header field the name of one robot may come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from turbohtml import Document, Namespace

from crawler.html.live import MAX_METADATA, select_live

__all__ = ["robots_directives"]

WITH_VALUE: Final = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
"""Directives with a value. Any other word before a colon is the name of a robot."""
DAY: Final = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)[a-z]*\Z")
"""A day of the week: the value of ``unavailable_after`` may begin with one and a comma (RFC 9110 section 5.6.7)."""


def robots_directives(fields: Iterable[str], document: Document | None, token: str) -> frozenset[str]:
    """Return the directives for all robots and for ours, in lower case. ``none`` becomes ``noindex`` and ``nofollow``.

    Directives from several places are combined.
    """
    ours = token.lower()
    found: set[str] = set()
    for field in fields:
        found.update(directive for agent, directive in _directives(field) if agent in ("", "*", "robots", ours))
    for content in _contents(document, ours) if document is not None else ():
        found.update(directive for agent, directive in _directives(content) if not agent)
    if "none" in found:
        found |= {"noindex", "nofollow"}
        found.remove("none")
    return frozenset(found)


def _contents(document: Document, ours: str) -> Iterator[str]:
    """Yield the content of each meta element for all robots or ours."""
    if document.select_one("meta[name]") is None:
        return
    for meta in islice(select_live(document, "meta[name][content]", "template"), MAX_METADATA):
        name = (meta.attr("name") or "").strip().lower()
        if name and name in ("robots", ours) and meta.namespace is Namespace.HTML:
            yield meta.attr("content") or ""


def _directives(text: str) -> Iterator[tuple[str, str]]:
    """Yield each directive with the robot that it is for; empty means all robots."""
    agent = ""
    pieces = iter(text.lower().split(","))
    for piece in pieces:
        *names, last = (part.strip() for part in piece.split(":"))
        at = next((place for place, name in enumerate(names) if name in WITH_VALUE), len(names))
        agent = names[at - 1] if at else agent
        if at < len(names):
            value = piece.split(":", at + 1)[-1].strip()
            if names[at] == "unavailable_after" and DAY.match(value):
                value = f"{value}, {next(pieces, '').strip()}".rstrip(", ")
            yield agent, f"{names[at]}: {value}"
        else:
            for word in last.split():  # commas are often forgotten
                yield agent, word
