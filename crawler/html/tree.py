"""Parsing of pages in bounded time and memory, whatever they contain.

The rules of HTML let a tree outgrow its page: a parser reopens formatting elements that were never closed
(``<b 1><b 2><b 3>``) in every paragraph. Half a megabyte of such a page becomes millions of elements in gigabytes of
memory. At most three identical formatting elements are reopened at once, so the number of different ones bounds the
growth. In a page with many tags and formatting elements, those that are open at each tag are added up. If they are too
many, the page is parsed without formatting elements, which bounds the tree. Otherwise it is parsed in steps, and again
without formatting elements if that takes too long for its size. The attributes of all ``<html>`` and ``<body>`` tags
are merged, which takes quadratic time: the tags of a page with very many lose them.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Generator
from typing import Any, Final

import turbohtml
from turbohtml import Document

from crawler.lazy_pattern import lazy_pattern

__all__ = ["cut_tags", "is_bounded", "parse_steps", "parse_text"]

MAX_STARTS: Final = 2_000_000
"""Start tags of a page that are parsed, comments included: their tree takes some 400 MB. Twice as many tags count,
with end tags. The longest pages in use, such as the index of all projects of PyPI, have some 1,400,000."""
SMALLEST_START: Final = 3
"""Characters of the shortest start tag, such as ``<a>``."""
ALWAYS_BOUNDED: Final = 2_000
"""Tags of a page that is parsed at once whatever it contains: half of them, reopened in each of the others, are
1,000,000 elements."""
MAX_NULLS: Final = 100_000
"""Null characters of a page, which the parser ignores in text. Each is an error that it keeps, in 50 bytes."""
SMALLEST_TAG: Final = 4.8
"""Characters of a tag, on average, in the page of `ALWAYS_BOUNDED` tags that is the shortest one: half of them are like
``<b 1>`` and differ, and half of them are like ``<p>x``."""
MAX_ELEMENTS: Final = 2_500_000
"""Elements that the tree of a page may have to be parsed at once: 240 MB. The estimate is three times its different
formatting elements in each paragraph."""
MAX_REOPENED: Final = 1_000_000
"""Elements that may be reopened in a larger page, in addition to one for each of its tags: 100 MB."""
MAX_COUNTED: Final = 1_000_000
"""Maximum number of tags of formatting elements that are added up. That takes 0.4 CPU seconds."""
MAX_IDENTICAL: Final = 3
"""Identical formatting elements that are reopened at once."""
PIECE: Final = 1024 * 1024
"""Characters that are searched for formatting elements at once."""
CHUNK_SIZE: Final = 16_384
"""Characters that are parsed in one step."""
BASE_CPU_SECONDS: Final = 0.1
"""CPU seconds that every page may take."""
CPU_SECONDS_PER_CHARACTER: Final = 1e-7
"""Further CPU seconds per character. Ordinary pages take a tenth of it, growing ones ten times as much."""
MAX_CPU_SECONDS: Final = 0.6
"""CPU seconds that a page of any size may take in steps. An ordinary page of `MAX_STARTS` takes less."""
MAX_PARSED_AGAIN: Final = 8 * 1024 * 1024
"""Maximum size of a page that is parsed without formatting elements, in characters. That takes 0.6 seconds."""
STEP_SIZE: Final = 1024 * 1024
"""Characters that `parse_steps` parses before it lets other tasks run. They take up to 80 ms."""
MAX_MERGED: Final = 32_768
"""Characters of all ``<html>`` and ``<body>`` tags of a page that keep their attributes. A parser adds the attributes
of each such tag to those of the first, and compares them with all that it has: a megabyte of them takes seconds."""

# HTML Standard section 13.2.4.3, "the list of active formatting elements". It has at most one <a>. The attributes of
# further <body> and <html> are compared with all that came before, so many different ones take quadratic time as well.
_NAMES: Final = "b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u"
_FORMATTING: Final = rf"(?i)<(?:body|html|{_NAMES})(?:[\s/][^>]*+>?|>)"
_OPEN_OR_CLOSE: Final = lazy_pattern(rf"(?i)<(/?)({_NAMES})(?:[\s/][^>]*+>?|>)")
_LIKELY: Final = r"<[bcefhinstuBCEFHINSTU](?:[ \t\n\f\r/iomtIOMT][^>]*+>?|>)"
"""Tags that may be formatting elements by their first two letters: it excludes most other tags cheaply."""
_VALUE: Final = r"""(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+|)"""
_OUTER: Final = rf"""<(html|body)(?=[\s/>])(?:[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+{_VALUE})?+)*+[\s/]*+>?"""
"""A tag of one of the two elements whose attributes are merged, with its attributes as a tokenizer reads them."""
_PLAIN_OUTER: Final = (
    r"""(?i)<(?:html|body)(?:[ \t\n\f\r]++[a-z0-9:_-]++(?:=(?:"[^"<>]*+"|'[^'<>]*+'|[a-z0-9_-]++))?+)*+[ ]*+>"""
)
"""Such a tag that certainly ends at its first bracket."""
_OUTER_IN_TEXT: Final = lazy_pattern(_OUTER, re.IGNORECASE | re.ASCII)
_OUTER_IN_BYTES: Final = re.compile(_OUTER.encode())
_PLAIN_IN_TEXT: Final = lazy_pattern(_PLAIN_OUTER)
_PLAIN_IN_BYTES: Final = re.compile(_PLAIN_OUTER.encode())
_ADDING_ENDS: Final = ("</p", "</P", "</br", "</Br", "</bR", "</BR")
"""End tags that add an element where none is open (HTML Standard section 13.2.6.4.7)."""
_ADDING_ENDS_IN_BYTES: Final = tuple(mark.encode() for mark in _ADDING_ENDS)
_IN_TEXT: Final = (lazy_pattern(_LIKELY), lazy_pattern(_FORMATTING))
_IN_BYTES: Final = (re.compile(_LIKELY.encode()), re.compile(_FORMATTING.encode()))
log = logging.getLogger("crawler.html")


def parse_text(text: str) -> Document:
    """Parse an HTML page, without its formatting elements if they would make its tree much larger than the page.

    Of a page with too many tags, the first `MAX_STARTS` start tags count.
    """
    text = _limit(text)
    if _merges_too_much(text):
        log.warning(
            "a page has more than %d characters in <html> and <body> tags: these lose their attributes", MAX_MERGED
        )
        text = _OUTER_IN_TEXT.sub(r"<\1>", _beginning(text))
    if is_bounded(text):
        return _parse(text)
    return _parse_without_formatting(text) if _reopens_too_much(text) else _parse_in_steps(text)


def parse_steps(text: str) -> Generator[None, None, Document]:
    """Parse a large HTML page as `parse_text` does, and yield several times a second: other tasks may run meanwhile.

    A page that would outgrow its size is parsed in one step.
    """
    text = _limit(text)
    yield
    if not is_bounded(text) or "shadowrootmode" in text.lower():  # see `_parse_in_steps`
        return parse_text(text)
    with turbohtml.IncrementalParser(positions=False) as parser:
        for start in range(0, len(text), STEP_SIZE):
            yield
            parser.feed(text[start : start + STEP_SIZE])
        return parser.close()


def is_bounded(page: Any) -> bool:
    """Return whether the size of a page bounds the size of its tree, whatever the page contains."""
    size, is_text = len(page), isinstance(page, str)
    if size <= SMALLEST_TAG * ALWAYS_BOUNDED:
        return True
    bracket, tag_end = ("<", ">") if is_text else (b"<", b">")
    if size <= MAX_MERGED and page.count(bracket) <= ALWAYS_BOUNDED:
        return True
    likely, formatting = _IN_TEXT if is_text else _IN_BYTES
    # A paragraph that is not empty has at least four characters, and a bracket. Each reopens three of each element.
    most, tags = 4 * MAX_ELEMENTS // size // 3, 0
    different: set[Any] = set()
    end, merged = 0, 0
    while end < size:
        start, end = end, (page.find(tag_end, end + PIECE) + 1) or size
        found = likely.findall(page, start, end)
        new = list(filter(formatting.match, set(found)))
        different.update(new)
        merged += _merged(found, new) if size > MAX_MERGED else 0
        if len(different) > most and not tags:
            tags = page.count(bracket)  # it takes longer than all of the above, and few pages need it
            most = max(most, MAX_ELEMENTS // tags // 3) if tags > ALWAYS_BOUNDED else size
        if len(different) > most:
            return False
    if merged > MAX_MERGED and _merges_too_much(page):
        return False
    are_whole = all(map(_is_whole, different))
    return not _exceeds_limits(page) and (are_whole or bool(page.count(bracket) <= ALWAYS_BOUNDED))


def _is_whole(tag: Any) -> bool:
    """Return whether a tag ends at its first bracket. Otherwise, tags that differ later may begin in the same way."""
    double, single = ('"', "'") if isinstance(tag, str) else (b'"', b"'")
    return not (tag.count(double) % 2 or tag.count(single) % 2)


def _merged(found: list[Any], different: list[Any]) -> int:
    """Return how long the tags are whose attributes are merged; more than `MAX_MERGED` if that is uncertain."""
    outer = set()
    for tag in different:
        plain, other = (_PLAIN_IN_TEXT, _OUTER_IN_TEXT) if isinstance(tag, str) else (_PLAIN_IN_BYTES, _OUTER_IN_BYTES)
        if plain.fullmatch(tag):
            outer.add(tag)
        elif other.match(tag.lower()):
            return MAX_MERGED + 1  # it may end at a later bracket
    return sum(map(len, filter(outer.__contains__, found)))


def _merges_too_much(page: Any) -> bool:
    """Return whether the tags whose attributes are merged are longer than `MAX_MERGED` together."""
    if len(page) <= MAX_MERGED:
        return False
    lowered, total = page.lower(), 0
    outer: re.Pattern[Any] = _OUTER_IN_TEXT if isinstance(page, str) else _OUTER_IN_BYTES
    for mark in ("<html", "<body") if isinstance(page, str) else (b"<html", b"<body"):
        at = lowered.find(mark)
        while at >= 0 and total <= MAX_MERGED:
            tag = outer.match(lowered, at)
            end = at + len(mark) if tag is None else tag.end()
            total += end - at
            at = lowered.find(mark, end)
    return total > MAX_MERGED


def _reopens_too_much(text: str) -> bool:
    """Return whether more formatting elements of a page may be reopened than its tags bound.

    Each tag may reopen all that are open there, or that were closed in the wrong order.
    """
    most = MAX_REOPENED + text.count("<")
    opened: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    at, are_open, reopened = 0, 0, 0
    for number, tag in enumerate(_OPEN_OR_CLOSE.finditer(text)):
        if are_open:
            reopened += are_open * text.count("<", at, tag.end())
            if reopened > most:
                return True
        if number > MAX_COUNTED:
            return False
        at, name = tag.end(), tag[2].lower()
        if not tag[1]:
            markup = tag[0] if _is_whole(tag[0]) else f"{tag[0]}{number}"
            opened.setdefault(name, []).append(markup)
            counts[markup] = counts.get(markup, 0) + 1
            are_open += counts[markup] <= MAX_IDENTICAL
        elif opened.get(name):
            closed = opened[name].pop()
            are_open -= counts[closed] <= MAX_IDENTICAL
            counts[closed] -= 1
    return reopened + are_open * text.count("<", at) > most


def _limit(page: str) -> str:
    """Return a page without null characters and start tags that would take too much memory, and log a warning."""
    if page.count("\0") > MAX_NULLS:
        log.warning("a page has more than %d null characters: they are left out", MAX_NULLS)
        page = page.replace("\0", "")
    if not _has_too_many_starts(page):
        return page
    log.warning("a page has more than %d start tags: the first ones count", MAX_STARTS)
    return cut_tags(cut_tags(page, 2 * MAX_STARTS), MAX_STARTS, _starts)  # so that few have to be examined


def _exceeds_limits(page: Any) -> bool:
    """Return whether a page, as text or bytes, has to be changed by `_limit`."""
    null = "\0" if isinstance(page, str) else b"\0"
    return bool(len(page) > MAX_NULLS < page.count(null)) or _has_too_many_starts(page)


def _has_too_many_starts(page: Any) -> bool:
    if len(page) <= SMALLEST_START * MAX_STARTS:
        return False
    tags = page.count("<" if isinstance(page, str) else b"<")
    return tags > 2 * MAX_STARTS or (tags > MAX_STARTS and _starts(page, 0, len(page)) > MAX_STARTS)


def _starts(page: Any, start: int, end: int) -> int:
    """Return the tags between two places that add an element: also ``</p>`` and ``</br>``, which may do so."""
    first, ends, adding = ("<", "</", _ADDING_ENDS) if isinstance(page, str) else (b"<", b"</", _ADDING_ENDS_IN_BYTES)
    added = sum(page.count(mark, start, end) for mark in adding)
    return int(page.count(first, start, end) - page.count(ends, start, end) + added)


def _brackets(page: str, start: int, end: int) -> int:
    return page.count("<", start, end)


def cut_tags(page: str, tags: int, count: Callable[[str, int, int], int] = _brackets) -> str:
    """Return the beginning of a page, up to its tag of this number. `count` counts the tags between two places."""
    start, end = 0, len(page)
    while start < end:  # counting in halves is faster than looking for each tag
        middle = (start + end) // 2
        found = count(page, start, middle + 1)
        if found > tags:
            end = middle
        else:
            start, tags = middle + 1, tags - found
    return page[:end]


def _parse_in_steps(text: str) -> Document:
    started = time.thread_time()
    with turbohtml.IncrementalParser(positions=False) as parser:
        for start in range(0, len(text), CHUNK_SIZE):
            parser.feed(text[start : start + CHUNK_SIZE])
            if time.thread_time() - started > min(
                BASE_CPU_SECONDS + CPU_SECONDS_PER_CHARACTER * start, MAX_CPU_SECONDS
            ):
                return _parse_without_formatting(text)
        # The incremental parser always attaches declarative shadow roots, whose content selectors do not find.
        shadows = b"shadowrootmode" in text.encode("utf-8", "replace").lower()
        return _parse(text) if shadows else parser.close()


def _parse_without_formatting(text: str) -> Document:
    log.warning("the tree of a page would be many times as large as the page: it loses its <b>, <i>, <font> and others")
    return _parse(_IN_TEXT[1].sub("", _beginning(text)))


def _beginning(text: str) -> str:
    """Return as much of a page as is changed before it is parsed."""
    if len(text) > MAX_PARSED_AGAIN:
        log.warning("it has %d characters, of which the first %d count", len(text), MAX_PARSED_AGAIN)
    return text[:MAX_PARSED_AGAIN]


def _parse(text: str) -> Document:
    # Positions of nodes in the source would cost more than the parse, and nothing here uses them.
    return turbohtml.parse(text, positions=False, allow_declarative_shadow_roots=False)
