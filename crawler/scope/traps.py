"""Crawler traps: sites that generate URLs without end, recognised by the shape of their URLs.

For most traps one URL suffices (`trap_of`): relative links with a wrong base repeat path segments, forms and filters
repeat parameters, and links that escape their own URL accumulate percent signs. Calendars, and sessions in URLs, show
only by comparison of URLs (`TemplateCounter`).

The limits are generous, so that no page of a real site is lost. A site of three folders whose broken links lead to each
other ends after some thousand pages.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Final

from crawler.lazy_pattern import lazy_pattern

__all__ = ["TemplateCounter", "session_template", "template", "trap_of"]

MAX_SEGMENT_REPEATS: Final = 3
"""Maximum number of occurrences of one segment in a path."""
MAX_SHORT_SEGMENT_REPEATS: Final = 8
"""The same for an empty segment, a number or a single character: directories by digits and letters repeat them."""
MAX_PAIR_REPEATS: Final = 2
"""Maximum number of occurrences of two different consecutive segments in a path."""
MAX_PARAMETERS: Final = 100
"""Maximum number of parameters of a query."""
MAX_PARAMETER_REPEATS: Final = 2
"""Maximum number of occurrences of one name and value in a query."""
OVERESCAPED: Final = "%252525"
"""A percent sign that was escaped three times."""
MAX_REMEMBERED: Final = 100_000
"""Entries that `TemplateCounter` keeps: one for each URL, and four more for each template."""
DIGITS: Final = lazy_pattern(r"[0-9]+")
SESSION: Final = lazy_pattern(
    r"([;?&](?:jsessionid|phpsessid|aspsessionid[a-z]*|oscsid|zenid|cfid|cftoken"
    r"|(?:sid|sessid|session_?id)(?==[0-9a-f]{32}(?:[;?&/]|\Z))))=[^;?&/]*",
    re.IGNORECASE,
)
"""Session parameters of Java, PHP, ASP and shops. Ambiguous names count with 32 hexadecimal digits only."""
SESSION_IN_PATH: Final = lazy_pattern(r"(/\(s\()[0-9a-z]{24}(?=\)\)/)", re.IGNORECASE)
"""Cookieless sessions of ASP.NET: ``/(S(lit3py55t21z5v55vlm25s55))/``."""


def trap_of(url: str) -> str | None:
    """Return why a canonical URL looks like a trap, ``trap_repeats`` or ``trap_query``; `None` if it does not."""
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
    """Return whether segments, or pairs of consecutive ones, occur too often in a path."""
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
    """Return a canonical URL with the numbers after its host replaced by ``0``."""
    start = url.find("/", 8)
    return url[:start] + DIGITS.sub("0", url[start:])


def session_template(url: str) -> str:
    """Return a canonical URL without session identifiers."""
    if "?" in url or ";" in url:
        lower = url.lower()  # most URLs have no session, and this test takes a third of the time of the pattern
        if "sess" in lower or "sid=" in lower or "zenid=" in lower or "cfid=" in lower or "cftoken=" in lower:
            url = SESSION.sub(r"\1", url)
    return SESSION_IN_PATH.sub(r"\1", url) if "/(" in url else url


class TemplateCounter:
    """Counts different URLs of each template. The templates used last are kept when memory runs out."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._capacity = max(MAX_REMEMBERED, 2 * limit)
        self._used = 0
        self._templates: dict[int, set[int]] = {}

    def overrun(self, template: str, url: str) -> bool:
        """Return whether `url` is one too many. A URL that was accepted once is accepted again."""
        key, mark = hash(template), hash(url)
        seen = self._templates.pop(key, None)
        if seen is None:
            seen = set()
            self._used += 4
        self._templates[key] = seen  # now the most recently used
        if mark in seen:
            return False
        if len(seen) >= self.limit:
            return True
        seen.add(mark)
        self._used += 1
        while self._used > self._capacity:
            self._used -= len(self._templates.pop(next(iter(self._templates)))) + 4
        return False
