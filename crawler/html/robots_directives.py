"""What a page says to robots about itself: ``X-Robots-Tag`` and ``<meta name=robots>``.

No standard has them; they are written as search engines document them: words separated by commas, some with a value
behind a colon, in a field also behind the name of the one robot that they are for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from turbohtml import Document, Namespace

__all__ = ["robots_directives"]

WITH_VALUE: Final = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
"""Directives with a colon: any other word before one is the name of a robot."""
DAY: Final = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)[a-z]*\Z")
"""How the value of ``unavailable_after`` may begin, with a comma behind it (RFC 9110 section 5.6.7)."""


def robots_directives(fields: Iterable[str], document: Document | None, token: str) -> frozenset[str]:
    """The directives for all robots, and for ours, in lower case; ``none`` is ``noindex`` and ``nofollow``.

    Where several places say something, all of it counts, as the strictest does.

    Parameters:
        fields: each ``X-Robots-Tag``.
        document: the page, if it is HTML.
        token: what our robot is called; empty: nothing is for it alone.
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
    """What each meta element says to us."""
    if document.select_one("meta[name]") is None:
        return
    for meta in document.select("meta[name][content]:not(template *)"):
        name = (meta.attr("name") or "").strip().lower()
        if name and name in ("robots", ours) and meta.namespace is Namespace.HTML:
            yield meta.attr("content") or ""


def _directives(text: str) -> Iterator[tuple[str, str]]:
    """Each directive with the robot that it is for; empty: whoever reads it."""
    agent = ""
    pieces = iter(text.lower().split(","))
    for piece in pieces:
        name, colon, value = (part.strip() for part in piece.partition(":"))
        while colon and name not in WITH_VALUE:
            agent = name
            name, colon, value = (part.strip() for part in value.partition(":"))
        if colon:
            if name == "unavailable_after" and DAY.match(value):
                value = f"{value}, {next(pieces, '').strip()}".rstrip(", ")
            yield agent, f"{name}: {value}"
        else:
            for word in name.split():  # commas are often forgotten
                yield agent, word
