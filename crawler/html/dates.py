"""`iso_date`: a date of any page, as ISO 8601 with the precision that it has. `page_dates`: those of a page itself.

The sources of a page are asked in this order: JSON-LD, ``<meta>``, microdata and ``<time>``, the URL, the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from turbohtml import Document, Element

from crawler.html.inner_text import short_text
from crawler.html.live import select_live
from crawler.html.month_names import MONTHS, MONTHS_OF
from crawler.lazy_pattern import lazy_pattern

__all__ = ["iso_date", "of_page", "page_dates"]

PUBLISHED: Final = (
    "article:published_time", "og:published_time", "og:article:published_time", "datepublished", "date", "pubdate",
    "publishdate", "publish-date", "publish_date", "publication_date", "publication-date", "published",
    "dc.date.issued", "dcterms.issued", "dcterms.date", "dc.date", "dc.date.created", "dcterms.created", "date.created",
    "dcterms.available", "citation_publication_date", "citation_online_date", "citation_date", "bt:pubdate",
    "parsely-pub-date", "sailthru.date", "cxenseparse:recs:publishtime",
    "rnews:datepublished",
    "originalpublicationdate", "article.published", "article_date_original", "article:post_date", "created",
    "release_date", "displaydate", "ptime",
)  # fmt: skip
"""Names of ``<meta>`` elements with the date of publication: OpenGraph, Dublin Core, Highwire Press, publishers."""
MODIFIED: Final = (
    "article:modified_time", "og:updated_time", "og:modified_time", "og:article:modified_time", "datemodified",
    "dc.date.modified", "dcterms.modified", "last-modified", "lastmod", "revised", "date.updated", "updated",
)  # fmt: skip
MARKED: Final = (
    "[itemprop~=datePublished],time[pubdate],time[datetime],.dt-published,.published,.entry-date,.post-date,"
    ".article-date,.publish-date,.published-date,.date-published,.pubdate,.timestamp,.dateline,.datetime"
)
"""Elements that hold the date of a page."""
LIKELY: Final = "[class*=date i],[id*=date i],[class*=publish i],[class*=posted i],[class*=byline i],[class*=meta i]"
"""Elements that may hold it in a text."""
OTHERS: Final = (
    "nav,aside,footer,.comments,.comment,.comment-list,#comments,.related,.related-posts,.sidebar,#sidebar,#secondary"
)
"""Elements around dates and authors of something else than the page."""
FIRST_YEAR: Final = 1990
"""No page was published before the web."""
MAX_TEXT: Final = 160
"""Characters of a text that holds the date of a page. A longer one is prose."""
MAX_ELEMENTS: Final = 50
"""Elements of a page that are looked at for its date."""

_ISO: Final = re.compile(
    r"(?<!\d)(\d{4})-(\d\d)(?:-(\d\d))?(?!\d|-\d)"
    r"(?:[T ]\s?(\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)(?:\s?(Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d|[+-]\d\d\b))?)?"
)
_COMPACT: Final = re.compile(r"(?<!\d)((?:19|20)\d\d)([01]\d)([0-3]\d)(?:T?(\d\d)(\d\d)(\d\d)(Z?))?(?!\d)")
_YEAR_FIRST: Final = lazy_pattern(r"(?<!\d)(\d{4})\s?[-/.年년]\s?(\d\d?)\s?[-/.月월]\s?(\d\d?)(?!\d)")
_YEAR_LAST: Final = lazy_pattern(r"(?<![\d.])(\d\d?)\s?([./-])\s?(\d\d?)\s?\2\s?((?:19|20|25)?\d\d)(?![\d])")
_YEAR: Final = lazy_pattern(r"(?<!\d)(?:19|20|25)\d\d(?!\d)")
_WORD: Final = lazy_pattern(r"\d+|[^\W\d_][^\s\d,;:()\[\]/|–—.-]*")
_FILLERS: Final = frozenset(
    {"st", "nd", "rd", "th", "er", "º", "ª", "de", "del", "do", "da", "of", "the", "den", "ta", "a", "\u0433",
     "\u0440", "m", "gada", "d", "di", "le"}
)  # fmt: skip
_DIGITS: Final = (
    {0x660 + n: str(n) for n in range(10)}
    | {0x6F0 + n: str(n) for n in range(10)}
    | {0x966 + n: str(n) for n in range(10)}
)
"""Digits of Arabic, Persian and Devanagari."""
_IN_URL: Final = lazy_pattern(
    r"[/_-]((?:19|20)\d\d)(?:([/_-]?)([01]\d)\2([0-3]\d)|/(1?\d)/([1-3]?\d))(?!\d)|/((?:19|20)\d\d)[/-]([01]\d)/"
)


def iso_date(text: str, language: str | None = None) -> str | None:
    """Return the first date of a text as ISO 8601: ``2024-02``, ``2024-02-09`` or with a time; `None` without one."""
    text = text[:500]  # characters in which a date is looked for
    if not text.isascii():
        text = text.translate(_DIGITS)
    for found in (_ISO.search(text), _COMPACT.search(text)):
        if found is not None:
            whole = _checked(found[1], found[2], found[3] or "")
            if whole is not None:
                return whole + _time(found) if len(whole) == 10 else whole
    return _numeric(text, language or "") or _in_words(text, language or "")


def _time(found: re.Match[str]) -> str:
    if found.re is _COMPACT:
        return f"T{found[4]}:{found[5]}:{found[6]}{found[7]}" if found[4] and found[4] < "24" else ""
    if not found[4] or found[4] >= "24":
        return ""
    zone = found[5] or ""
    zone = "Z" if zone in ("UTC", "GMT") else f"{zone[:3]}:{zone[-2:]}" if len(zone) == 5 else zone
    return f"T{found[4].replace(',', '.')}{zone}{':00' if len(zone) == 3 else ''}"


def _checked(year: Any, month: Any, day: Any) -> str | None:
    """Return a date, or a month if `day` is empty; `None` if there is no such day."""
    number = int(year)
    number = number - 543 if 2530 < number < 2600 else number  # Buddhist era
    try:
        found = date(number, int(month), int(day or 1)).isoformat()
    except ValueError:
        return None
    return None if number < FIRST_YEAR or number > 2100 else found if day else found[:7]


def _numeric(text: str, language: str) -> str | None:
    found = _YEAR_FIRST.search(text)
    if found is not None:
        return _checked(*found.groups())
    found = _YEAR_LAST.search(text)
    if found is None:
        return None
    day, sign, month, year = found.groups()
    if len(year) == 2:
        year = f"20{year}"
    # ``1/2/2024`` is in January in the United States, in February elsewhere.
    if sign == "/" and language.lower() in ("en", "en-us", "") and int(day) < 13:
        day, month = month, day
    return _checked(year, month, day) or _checked(year, day, month)


def _in_words(text: str, language: str) -> str | None:
    """Return the first date with the name of a month, in any order; a month without a day if there is no other."""
    own = MONTHS_OF.get(language.partition("-")[0].lower(), {})
    only_month = None
    for year in _YEAR.finditer(text):
        before = _words(text[max(0, year.start() - 30) : year.start()], own)[-2:]
        after = _words(text[year.end() : year.end() + 30], own)[:2]
        for pair in (before, after):
            names = [number for number, is_name in pair if is_name]
            days = [number for number, is_name in pair if not is_name]
            if len(names) == len(days) == 1 and names[0] and days[0]:
                found = _checked(year[0], names[0], days[0])
                if found is not None:
                    return found
        if before and before[-1][1] and before[-1][0]:
            only_month = only_month or _checked(year[0], before[-1][0], "")
    return only_month


def _words(text: str, own: Mapping[str, int]) -> list[tuple[int, bool]]:
    """Return the numbers and words of a text, without fillers: each as a number, and whether it is a word."""
    return [
        (int(word[:4]), False) if word[0].isdigit() else (own.get(word) or MONTHS.get(word, 0), True)
        for word in _WORD.findall(text.lower())
        if word not in _FILLERS
    ]


def page_dates(
    document: Document, objects: Iterable[Mapping[str, Any]], meta: Mapping[str, Sequence[str]], url: str,
    language: str | None,
) -> tuple[str | None, str | None]:  # fmt: skip
    """Return the dates of publication and of the last change of a page."""
    objects = list(objects)

    def first(texts: Iterable[Any]) -> str | None:
        dates = (iso_date(text, language) for text in texts if isinstance(text, str))
        return next((one for one in dates if one is not None), None)

    declared = [one.get(name) for name in ("datePublished", "uploadDate", "dateCreated") for one in objects]
    published = first(text for text in declared if isinstance(text, str) and _ISO.match(text))
    published = published or first(text for name in PUBLISHED for text in meta.get(name, ()))
    modified = first(one.get("dateModified") for one in objects)
    modified = modified or first(text for name in MODIFIED for text in meta.get(name, ()))
    modified = modified or first(map(_written, select_live(document, "[itemprop~=dateModified]")[:MAX_ELEMENTS]))
    published = published or first(map(_written, of_page(document, MARKED, MAX_ELEMENTS))) or _in_url(url)
    if published is None or len(published) < 10:
        found = list(filter(None, (iso_date(text, language) for text in _texts(document))))
        published = (
            next((one for one in found if len(one) == 10), None)
            or published
            or first(declared)
            or next(iter(found), None)
        )
    return published, modified


def _written(element: Element) -> str:
    machine = element.attr("datetime") or element.attr("content") or ""
    return machine if iso_date(machine) else short_text(element, MAX_TEXT)


def of_page(document: Document, query: str, most: int) -> list[Element]:
    """Return those of the first elements of a selector that are about the page: not in navigation or comments."""
    return [element for element in select_live(document, query)[:most] if element.closest(OTHERS) is None]


def _in_url(url: str) -> str | None:
    for found in _IN_URL.finditer(url):
        whole = _checked(found[1] or found[7], found[3] or found[5] or found[8], found[4] or found[6] or "")
        if whole is not None:
            return whole
    return None


def _texts(document: Document) -> Iterator[str]:
    """Yield short texts that may be the date of the page: the likely ones first, then all with a year."""
    for element in of_page(document, LIKELY, MAX_ELEMENTS):
        yield short_text(element, MAX_TEXT)
    body = document.select_one("body")
    for text in body.strings if body is not None else ():
        if len(text) <= MAX_TEXT and _YEAR.search(text) is not None and "©" not in text:
            yield text.strip()
