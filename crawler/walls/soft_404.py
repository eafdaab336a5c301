"""`LookAlikes`: which pages are soft 404s, the answer of a host, with status 200, to any path that does not exist.

Rule: some pages that are the same are only a reason to ask their host for a random path. A page is a soft 404 if it has
the essence of the answer: each word, number and link, but not its own address, times of day and tokens.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from html import escape
from os import urandom
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from crawler.errors import RequestError
from crawler.lazy_pattern import lazy_pattern
from crawler.logs import get_logger

if TYPE_CHECKING:
    from crawler.stats import Stats

__all__ = ["LookAlikes", "essence_of"]

ALIKE: Final = 5
"""Pages that are the same, on different paths, that are a reason to ask: a good page may have a few addresses."""
MAX_LOOKS: Final = 100
"""Pages of one title that are compared: a site that has the same title everywhere costs no more."""
MAX_TITLES: Final = 1000
"""Titles of one host, and hosts, that are remembered."""
MAX_HEAD: Final = 32_768
"""Bytes in which a title is looked for: those of style sheets come before it."""
TAG: Final = lazy_pattern(rb"<[^<>]*>")
CLOCK: Final = lazy_pattern(rb"\b\d{1,2}:\d{2}(?::\d{2})?\b")
TOKEN: Final = lazy_pattern(rb"[\w+/=-]{16,}|\d{9,}")
"""What may be a nonce, a token against forged requests, a hash or a time in seconds, unless it is a link."""
LINK: Final = lazy_pattern(rb"""\bhref\s*=\s*["']?([^"'\s>#]+)""")
"""The part of a link that leads to a page: Cloudflare hides addresses in fragments that differ each time."""
HAS_DIGIT: Final = lazy_pattern(rb"\d")
log = get_logger("crawler.walls")


class LookAlikes:
    """Pages of each host that look alike, and whether they are what it answers to a random path."""

    def __init__(self) -> None:
        self.ask: Callable[[str], object] = str
        """Called once a host with a URL to be fetched, whose response is for `learn`."""
        self._hosts: dict[str, _Host] = {}
        self._asked: dict[str, _Host] = {}

    def is_soft_404(self, url: str, body: bytes) -> bool:
        """Return whether a page is known to be the answer to a random path. Ask for that if it looks like others."""
        path = path_of(url)
        host = self._host_of(url, path)
        if host.is_honest or not path or not (title := _title_of(body)):
            return False
        if host.answer is not None:
            return title == host.answer[0] and essence_of(url, body) == host.answer[1]
        if len(host.titles) >= MAX_TITLES:
            host.titles.clear()
            host.alike.clear()
        host.titles[title] += 1
        if 1 < host.titles[title] <= MAX_LOOKS:
            alike = host.alike.setdefault(essence_of(url, body), {})
            alike[path] = url
            if len(alike) == ALIKE and (origin := url.removesuffix(path)) not in self._asked:
                self._asked[origin] = host
                self.ask(origin + urandom(16).hex())
        return False

    async def learn(self, request: Any, fetch: Callable[[Any], Awaitable[Any]], stats: Stats) -> None:
        """Fetch a random path, and learn from the response."""
        host = self._host_of(request.url, path_of(request.url))
        try:
            response = await fetch(request)
        except RequestError:
            response = None
        if response is None or response.status != 200 or response.url != request.url or not response.is_html:
            host.is_honest = True
        else:
            host.answer = _title_of(response.body), essence_of(response.url, response.body)
            kept = list(host.alike.pop(host.answer[1], {}).values())
            stats.soft_404_kept += len(kept)
            shown = f", such as {kept[0]}," if kept else ""
            log.warning("%s exists, like any path: %d pages like it%s were kept", request.url, len(kept), shown)
        host.titles.clear()
        host.alike.clear()

    def _host_of(self, url: str, path: str) -> _Host:
        origin = url.removesuffix(path)
        host = self._asked.get(origin) or self._hosts.get(origin)
        if host is None:
            if len(self._hosts) >= MAX_TITLES:
                self._hosts.clear()
            host = self._hosts[origin] = _Host()
        return host


class _Host:
    """What is known of the pages of a host."""

    def __init__(self) -> None:
        self.titles: Counter[bytes] = Counter()
        self.alike: dict[bytes, dict[str, str]] = {}
        """URLs of pages that are the same, by their content and their path."""
        self.is_honest = False
        """Whether a random path is no page there."""
        self.answer: tuple[bytes, bytes] | None = None
        """Title and content of the answer to a random path."""


def path_of(url: str) -> str:
    """Return the path and query of a URL, without the slash at their beginning."""
    return url.partition("://")[2].partition("/")[2]


def _title_of(body: bytes) -> bytes:
    start = body.find(b"<title", 0, MAX_HEAD)
    return body[start : body.find(b"</title", start, start + 500)] if start >= 0 else b""


def essence_of(url: str, body: bytes) -> bytes:
    """Return a digest of what a page says."""
    page = CLOCK.sub(b"", _without_address(url, _without(b"<!--", b"-->", body.lower())))
    text = b" ".join(TAG.sub(b" ", _without(b"<script", b"</script", page)).split())  # a token that readers see counts
    parts = text, b" ".join(LINK.findall(page)), TOKEN.sub(_without_token, page)
    return blake2b(b"\0".join(parts), digest_size=16).digest()


def _without(start: bytes, end: bytes, page: bytes) -> bytes:
    """Return a page without what is between two marks, in linear time."""
    first, *others = page.split(start)
    return first + b"".join(part.partition(end)[2] if end in part else part for part in others)


def _without_token(match: re.Match[bytes]) -> bytes:
    return b"" if HAS_DIGIT.search(match[0]) is not None else match[0]


def _without_address(url: str, page: bytes) -> bytes:
    """Return a page without its address, in all ways in which it may be written; that of the home page is no word."""
    path = path_of(url)
    forms = {form for whole in (url, f"/{path}", path) for form in (whole, unquote(whole), quote(whole, safe=""))}
    forms |= {escape(form) for form in forms} | {form.replace("/", "\\/") for form in forms}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) > 3:  # a short one is a word of the page
            page = page.replace(form.lower().encode(errors="surrogateescape"), b"")
    return page
