"""Traps: sites without end, by what their URLs look like.

The shape of one URL is enough for most (`trap_of`): relative links that are resolved against the wrong base grow a path
by the same segments again and again, forms and filters a query by the same pairs, and what escapes its own URL anew by
percent signs. Calendars, and sessions in URLs, show only by comparison (`TemplateCounter`).

The bounds are wide: a page of a real site must not be lost. A site of three folders whose broken links lead to each
other ends after some thousand pages.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Final

__all__ = ["TemplateCounter", "session_template", "template", "trap_of"]

MAX_SEGMENT_REPEATS: Final = 3
"""How often one segment may stand in a path."""
MAX_SHORT_SEGMENT_REPEATS: Final = 8
"""The same for one that is empty, a number or a single character: folders by digits and letters have many of them."""
MAX_PAIR_REPEATS: Final = 2
"""How often two different segments may follow each other in a path, in this order."""
MAX_PARAMETERS: Final = 100
"""Parts of a query."""
MAX_PARAMETER_REPEATS: Final = 2
"""How often one pair of name and value may stand in a query."""
OVERESCAPED: Final = "%252525"
"""A percent sign that was escaped three times over."""
MAX_REMEMBERED: Final = 100_000
"""What `TemplateCounter` keeps: URLs, and four more for each template."""
DIGITS: Final = re.compile(r"[0-9]+")
SESSION: Final = re.compile(
    r"([;?&](?:jsessionid|phpsessid|aspsessionid[a-z]*|oscsid|zenid|cfid|cftoken"
    r"|(?:sid|sessid|session_?id)(?==[0-9a-f]{32}(?:[;?&/]|\Z))))=[^;?&/]*",
    re.IGNORECASE,
)
"""Sessions of Java, PHP, ASP and shops; names that may mean something else only with 32 hexadecimal digits."""
SESSION_IN_PATH: Final = re.compile(r"(/\(s\()[0-9a-z]{24}(?=\)\)/)", re.IGNORECASE)
"""That of ASP.NET without cookies: ``/(S(lit3py55t21z5v55vlm25s55))/``."""


def trap_of(url: str) -> str | None:
    """Why a canonical URL looks like part of a trap (``trap_repeats``, ``trap_query``), or `None`."""
    start = url.find("/", 8) + 1
    end = url.find("?", start)
    if end >= 0:
        parts = url[end + 1 :].split("&")
        if len(parts) > MAX_PARAMETERS:
            return "trap_query"
        if len(parts) > MAX_PARAMETER_REPEATS and len(set(parts)) < len(parts) and _repeats_pair(parts):
            return "trap_query"
    path = url[start:end] if end >= 0 else url[start:]
    if path.count("/") >= MAX_SEGMENT_REPEATS and _repeats(path.split("/")):
        return "trap_repeats"
    return "trap_repeats" if OVERESCAPED in url else None


def _repeats(segments: list[str]) -> bool:
    """Whether segments, or two in a row, stand in a path too often."""
    if len(segments) - len(set(segments)) < MAX_SEGMENT_REPEATS:
        return False
    counts = Counter(segments)
    for segment, count in counts.items():
        if count > (MAX_SHORT_SEGMENT_REPEATS if len(segment) < 2 or segment.isdigit() else MAX_SEGMENT_REPEATS):
            return True
    if len(segments) < 2 * (MAX_PAIR_REPEATS + 1):
        return False
    pairs = Counter(pairwise(segments))
    return any(
        count > MAX_PAIR_REPEATS and one != other and not (one.isdigit() and other.isdigit())
        for (one, other), count in pairs.items()
    )


def _repeats_pair(parts: list[str]) -> bool:
    return any(count > MAX_PARAMETER_REPEATS and part for part, count in Counter(parts).items())


def template(url: str) -> str:
    """A canonical URL without the numbers behind its host; the URL itself if it has none."""
    start = url.find("/", 8)
    return url[:start] + DIGITS.sub("0", url[start:])


def session_template(url: str) -> str:
    """A canonical URL without the sessions in it; the URL itself if it has none."""
    if "?" in url or ";" in url:
        small = url.lower()  # most have no session, and looking for these few words takes a third of the time
        if "sess" in small or "sid=" in small or "zenid=" in small or "cfid=" in small or "cftoken=" in small:
            url = SESSION.sub(r"\1", url)
    return SESSION_IN_PATH.sub(r"\1", url) if "/(" in url else url


class TemplateCounter:
    """Counts different URLs of one template, for as many templates as it can remember; those met last stay.

    Parameters:
        most: URLs of one template that are let through.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._room = max(MAX_REMEMBERED, 2 * most)
        self._used = 0
        self._templates: dict[int, set[int]] = {}

    def overrun(self, template: str, url: str) -> bool:
        """Whether `url` is one too many. One that was let through once is so again."""
        key, mark = hash(template), hash(url)
        met = self._templates.pop(key, None)
        if met is None:
            met = set()
            self._used += 4
        self._templates[key] = met  # the youngest now
        if mark in met:
            return False
        if len(met) >= self.most:
            return True
        met.add(mark)
        self._used += 1
        while self._used > self._room:
            self._used -= len(self._templates.pop(next(iter(self._templates)))) + 4
        return False
