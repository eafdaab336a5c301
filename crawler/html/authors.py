"""`authors`: the names of those who wrote a page: of JSON-LD, ``<meta>``, microdata, microformats, or its byline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import unescape
from itertools import islice
from typing import Any, Final

from turbohtml import Document

from crawler.html.dates import iso_date, of_page
from crawler.html.inner_text import short_text
from crawler.lazy_pattern import lazy_pattern

__all__ = ["authors"]

NAMES: Final = (
    "author", "article:author", "og:article:author", "citation_author", "dc.creator", "dcterms.creator",
    "dc.contributor", "parsely-author", "sailthru.author", "byl", "article.author", "rbauthors", "authors", "creator",
    "cxenseparse:author",
)  # fmt: skip
"""Names of ``<meta>`` elements with authors: OpenGraph, Dublin Core, Highwire Press, publishers."""
LAST_NAME_FIRST: Final = frozenset({"citation_author", "dc.creator", "dcterms.creator"})
"""Names of ``<meta>`` elements of libraries, with one author each: ``Doe, Ann``."""
MARKED: Final = (
    "[itemprop~=author] [itemprop~=name]", "[itemprop~=author],[itemprop~=creator]", "[rel~=author]",
    ".p-author,.h-card .p-name,.h-card .fn,.vcard .fn",
    ".author-name,.authorname,.byline-name,.author__name,.post-author",
    ".author,.byline,.entry-author,.article-author,.by-author,#author",
    "[class*=author i],[class*=byline i],[data-testid*=author i]", ".username,[data-author]",
)  # fmt: skip
"""Selectors of elements with the authors of a page, the most reliable first."""
MAX_AUTHORS: Final = 20
"""Authors of a byline."""
MAX_NAME: Final = 50
"""Characters of a name, …"""
MAX_WORDS: Final = 6
"""… and its words."""
MAX_ELEMENTS: Final = 20
"""Elements of one kind that are looked at."""
MAX_TEXT: Final = 300
"""Characters of an element, …"""
MAX_LINES_OF_ONE: Final = 3
"""… and lines among which a name is looked for: the first may be the initials of a portrait."""
MAX_STRINGS: Final = 2000
"""Texts of a page among which its byline is looked for."""

_BY: Final = lazy_pattern(
    r"(?i)^\W*(?:(?:(?:written|posted|published|authored|story|words|text|article)\s+)?"
    r"by(?:\s|:|(?-i:(?=[A-Z][a-z])))|(?:view )?(?:all )?posts (?:by|from)\b|"
    r"(?:text|foto|words|authors?|autor(?:in|en|a|es)?|auteur|autore|kirjoittaja|verfasst von|"
    r"posté par|publié par|écrit par|escrito por|publicado por|scritto da|geschrieben von|автор)\s*:|"
    r"(?:von|par|por|door|av|af)\s)[\s:]*"
)
"""What a byline begins with, in a few languages."""
_END: Final = lazy_pattern(
    r"\s+[|•·–—-]+\s+|[|•·\n\t(\[]|,?\s+(?:updated|published|posted|last)\b|\s+(?:on|am|um|le|el)\s+(?=\w+\W+\d)|\s+[·]"
)
"""What follows the names of a byline."""
_BETWEEN: Final = lazy_pattern(r"\s*(?:;|,(?:\s*(?:and|und|et|y|e|&)\s)?|\s(?:and|und|et|y|e|en|och|og|&|\+)\s)\s*")
_NO_NAME: Final = lazy_pattern(
    r"(?i)^(?:view|more|all|read|share|follow|contact|about|see|the author|authors?|by|unknown|none|null|undefined|"
    r"anonymous|n/a|posted|published|updated|edited|comments?|editor|staff writer|subscribe|log ?in|sign)\b.*$|"
    r"https?:|www\.|@|\.(?:com|org|net)\b|[{}<>=?!]|\d.*\s\d|^[\W\d]*$"
)
"""Texts beside a byline that name nobody: addresses, labels of links, dates."""
_CREDENTIAL: Final = lazy_pattern(r"(?:[A-Z]{1,3}\.?){1,5}|Ph\.?D\.?|Jr\.?|M\.?Sc\.?|Dr\.?|[A-Z]{2,5}(?:-[A-Z]+)?")
_BYLINE: Final = lazy_pattern(
    r"(?:(?:[Ww]ritten |[Pp]osted |[Pp]ublished )?(?:By|by|BY)|Von|Par|Por|Door|Author|Autor|Text)(?:\s*:)?\s+"
    r"(?:[^\W\d_a-z][^\s,]*[^\S\n]?(?:d[aei]\s|v[ao]n\s|de[lnr]?\s|and\s|und\s|&\s|,\s(?=[^\W\d_a-z]))?){2,8}$"
)
_BY_ALONE: Final = lazy_pattern(
    r"(?i)(?:(?:written|posted|published)\s+)?(?:by|von|par|por|door|authors?|autor|text)\s*:?"
)


def authors(
    document: Document, objects: Iterable[Mapping[str, Any]], meta: Mapping[str, Sequence[str]], sites: frozenset[str]
) -> list[str]:
    """Return the names of the authors. `sites`, names of the site in lower case, count if there is no other."""
    of_site: list[str] = []
    for texts in _sources(document, objects, meta):
        names = _names(texts)
        if any(name.lower() not in sites for name in names):
            return names
        of_site = of_site or names
    return of_site


def _sources(
    document: Document, objects: Iterable[Mapping[str, Any]], meta: Mapping[str, Sequence[str]]
) -> Iterator[list[str]]:
    objects = list(objects)
    for one in objects:
        for name in ("author", "creator"):
            yield list(_of_json(one.get(name), objects))
    for name in NAMES:
        yield [_first_name_first(text) if name in LAST_NAME_FIRST else text for text in meta.get(name, ())]
    for query in MARKED:
        for element in of_page(document, query, MAX_ELEMENTS):
            text = element.attr("content") or element.attr("data-author") or short_text(element, MAX_TEXT)
            yield from ([line] for line in text.split("\n")[:MAX_LINES_OF_ONE])
    body = document.select_one("body")
    before = ""
    for text in islice(body.strings, MAX_STRINGS) if body is not None else ():
        line = " ".join(f"{before} {text}".split()) if len(text) <= MAX_TEXT else ""
        if _BYLINE.match(line):
            yield [line]
        before = text.strip() if len(text) < 30 and _BY_ALONE.fullmatch(text.strip()) else ""


def _of_json(value: Any, objects: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in value[:MAX_AUTHORS] if isinstance(value, list) else [value]:
        found = one
        if isinstance(found, dict) and "name" not in found and "@id" in found:
            found = next((other for other in objects if other.get("@id") == found["@id"] and "name" in other), found)
        name = found.get("name") if isinstance(found, dict) else found
        name = name[0] if isinstance(name, list) and name else name
        if isinstance(name, str):
            yield name


def _first_name_first(text: str) -> str:
    last, _, first = text.partition(",")
    return f"{first.strip()} {last.strip()}" if first.strip() and "," not in first else text


def _names(texts: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for text in texts:
        line = _BY.sub("", unescape(text).strip()[:MAX_TEXT], count=1)
        line = _END.split(line, maxsplit=1)[0] if not text.startswith("http") else ""
        for part in _BETWEEN.split(line)[:MAX_AUTHORS]:
            name = _BY.sub("", " ".join(part.split()).strip(" ,.:;|-–—*"), count=1)
            if found and _CREDENTIAL.fullmatch(name):
                continue
            if _is_name(name):
                found.setdefault(name)
            else:
                break
    return list(found)


def _is_name(text: str) -> bool:
    return (
        1 < len(text) <= MAX_NAME
        and not (len(text) == 2 and text.isupper())  # initials in a portrait
        and len(text.split()) <= MAX_WORDS
        and _NO_NAME.search(text) is None
        and iso_date(f"{text} 2000") is None
    )
