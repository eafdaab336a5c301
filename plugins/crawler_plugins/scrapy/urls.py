"""What the URL of a link costs: `joined` is `urljoin`, and `safe_url` is `safe_url_string`, both with a memory.

Most references of a page are on other pages of its folder, too. They are joined once.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urljoin

from w3lib.url import safe_url_string

__all__ = ["FRAGMENT", "PLAIN_URL", "joined", "safe_url"]

_SEGMENT: Final = r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*"
_PORT: Final = "(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?"
PLAIN_URL: Final = re.compile(rf"https?://[a-z0-9.-]+{_PORT}(?:/(?:{_SEGMENT}/)*(?:{_SEGMENT})?)?", re.ASCII)
"""A URL that `safe_url_string` leaves as it is."""
FRAGMENT: Final = re.compile(r"[A-Za-z0-9_.~:/?@!$&'()*+,;=-]+")  # a set of single characters is the fastest
"""A fragment that `safe_url_string` leaves as it is."""
OF_THE_PAGE: Final = ("?", ";", "//", " ")
"""Beginnings of references that depend on more of a URL than its folder, or are stripped."""


def safe_url(url: str, encoding: str = "utf-8") -> str:
    """Return what `safe_url_string` returns."""
    page, _, fragment = url.partition("#")
    if page[-1:] > " " and fragment and FRAGMENT.fullmatch(fragment):  # spaces before it would be stripped
        return f"{_safe_page(page, encoding)}#{fragment}"
    return _safe_page(url, encoding)


@lru_cache(maxsize=50_000)  # most links of a page are on other pages, too
def _safe_page(url: str, encoding: str) -> str:
    safe: str = url if PLAIN_URL.fullmatch(url) else safe_url_string(url, encoding)
    return safe


def joined(base: str, reference: str) -> str:
    """Return what `urljoin` returns."""
    path, _, fragment = reference.partition("#")
    if not reference.isprintable() or path.startswith(OF_THE_PAGE) or ":" in path or not (path or fragment):
        return urljoin(base, reference)
    page, folder = _places(base)
    if path and folder:
        page = _in_folder(folder, path)
    elif path:
        return urljoin(base, reference)
    return f"{page}#{fragment}" if fragment else page


@lru_cache(maxsize=256)
def _places(base: str) -> tuple[str, str]:
    """Return the URL of a page without its fragment, and that of its folder; an empty one if it has no path."""
    path = base.partition("#")[0].partition("?")[0]
    return urljoin(base, "#x")[:-2], path[: path.rfind("/") + 1] if path.count("/") > 2 else ""


@lru_cache(maxsize=50_000)
def _in_folder(folder: str, path: str) -> str:
    return urljoin(folder, path)
