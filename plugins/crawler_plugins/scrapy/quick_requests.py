"""`install`: requests of Scrapy are made in half of the time, one for each link of a page as a rule.

A URL is made safe once, not for each link to it. Scrapy counts its living objects in `scrapy.utils.trackref`, for its
telnet console, which is not there: here it counts none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from scrapy.http import request
from scrapy.utils.trackref import object_ref
from w3lib.url import safe_url_string

__all__ = ["FRAGMENT", "PLAIN_URL", "install", "safe_url"]

_SEGMENT: Final = r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*"
_PORT: Final = "(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?"
PLAIN_URL: Final = re.compile(rf"https?://[a-z0-9.-]+{_PORT}(?:/(?:{_SEGMENT}/)*(?:{_SEGMENT})?)?", re.ASCII)
"""A URL that `safe_url_string` and `urljoin` leave as it is."""
FRAGMENT: Final = re.compile(r"[A-Za-z0-9_.~:/?@!$&'()*+,;=-]+")  # a set of single characters is the fastest
"""A fragment that `safe_url_string` leaves as it is."""


MAX_SAFE: Final = 50_000
"""URLs that are remembered."""
_safe: set[str] = set()
"""URLs that requests were made of, and that stay as they are."""


def install() -> None:
    """Let requests be made quickly. Further calls have no effect."""
    if request.safe_url_string is safe_url_string:
        request.safe_url_string = safe_url
        kind: Any = request.Request
        kind._set_url = _quick(kind._set_url)  # noqa: SLF001 - each URL passes it
        object_ref.__new__ = _uncounted


def _quick(set_url: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    """Return a method that sets the URL of a request, which is checked and made safe once."""

    def _set_url(self: Any, url: str) -> None:
        if type(url) is str and url in _safe:
            self._url = url
            return
        set_url(self, url)
        if self._url == url == safe_url(url):  # a verbatim one may be another
            if len(_safe) >= MAX_SAFE:
                _safe.clear()
            _safe.add(self._url)

    return _set_url


def _uncounted(kind: type[object], *_: Any, **__: Any) -> Any:
    """Return a new object."""
    return object.__new__(kind)


@lru_cache(maxsize=20_000)
def safe_url(url: str, encoding: str = "utf-8") -> str:
    """Return what `safe_url_string` returns."""
    page, _, fragment = url.partition("#")
    if fragment and FRAGMENT.fullmatch(fragment):
        return f"{_safe_page(page, encoding)}#{fragment}"
    return _safe_page(url, encoding)


@lru_cache(maxsize=20_000)
def _safe_page(url: str, encoding: str) -> str:
    if PLAIN_URL.fullmatch(url):
        return url
    safe: str = safe_url_string(url, encoding)
    return safe
