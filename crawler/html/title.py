"""`page_title`: the title of a page without the name of its site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from turbohtml import Document

from crawler.html.inner_text import inner_text
from crawler.html.live import select_live
from crawler.lazy_pattern import lazy_pattern

__all__ = ["page_title"]

LINK_SIGNS: Final = "¶§🔗# \t\n\r\f"
"""Signs at the end of headings that link to themselves."""
MAX_HEADINGS: Final = 12
"""Headings of the first level that are looked at."""
SIMILAR: Final = 0.6
"""Share of the words of a heading that the declared title has, if it is the same title in other words."""
_SEPARATOR: Final = lazy_pattern(r"\s+[|\-–—·»«•/:~>]+\s+|\s*[|»«]\s*")
_WORD: Final = lazy_pattern(r"\w+")


def page_title(document: Document, meta: Mapping[str, Sequence[str]], sites: frozenset[str], *, is_home: bool) -> str:
    """Return the title of a page: a heading that the declared title confirms, or the declared title without the site.

    `sites` are its names in lower case. The first heading of a front page (`is_home`) is often a slogan.
    """
    element = document.select_one("title:not(svg title)")
    written = " ".join((element.text if element is not None else "").split())
    declared = [*meta.get("og:title", ())[:1], *meta.get("twitter:title", ())[:1], written]
    declared = [" ".join(text.split()) for text in declared if text.strip()]
    headings = [" ".join(inner_text(one).split()) for one in select_live(document, "h1")[:MAX_HEADINGS]]
    headings = [one.rstrip(LINK_SIGNS) or one for one in headings if one]
    names = {_words(name) for name in sites}
    names |= {_words(one) for one in headings if declared and not _begins(one, declared) and _ends(one, declared)}
    short = [without_site(text, names) for text in declared]
    headings = [one for one in headings if _words(one) not in names]
    for text in short:
        for heading in headings:
            if _begins(heading, [text]):
                return heading
    for text in short:
        if text.count(" ") and any(f" {_words(text)} " in f" {_words(one)} " for one in headings):
            return text
    for heading in headings:
        own = set(_words(heading).split())
        if len(own) > 1 and any(len(own & set(_words(text).split())) >= SIMILAR * len(own) for text in short):
            return heading
    return ((headings if len(headings) == 1 and not is_home else []) + short + headings + [""])[0]


def _begins(heading: str, declared: Sequence[str]) -> bool:
    return any(f"{_words(text)} ".startswith(f"{_words(heading)} ") for text in declared)


def _ends(heading: str, declared: Sequence[str]) -> bool:
    return any(f" {_words(text)}".endswith(f" {_words(heading)}") for text in declared)


def without_site(text: str, names: set[str]) -> str:
    """Return a title without a name of the site at its end or its beginning."""
    found = list(_SEPARATOR.finditer(text))
    if found and _words(text[found[-1].end() :]) in names:
        return text[: found[-1].start()].strip()
    if found and _words(text[: found[0].start()]) in names:
        return text[found[0].end() :].strip()
    return text


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))
