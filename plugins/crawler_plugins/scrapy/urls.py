"""What the URL of a link costs: `Folder` joins references as `urljoin` does, and `safe_url` is `safe_url_string`, kept.

Most references of a page are plain and on other pages of its folder, too. They are joined once.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urljoin

from w3lib.url import safe_url_string

__all__ = ["FRAGMENT", "Folder", "folder_of", "plain_page", "safe_url"]

_SEGMENT: Final = r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*"
_PORT: Final = "(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?"
PLAIN_URL: Final = re.compile(rf"https?://[a-z0-9.-]+{_PORT}(?:/(?:{_SEGMENT}/)*(?:{_SEGMENT})?)?", re.ASCII)
"""A URL that `safe_url_string` and `urljoin` leave as it is."""
FRAGMENT: Final = re.compile(r"[A-Za-z0-9_.~:/?@!$&'()*+,;=-]+")  # a set of single characters is the fastest
"""A fragment that `safe_url_string` leaves as it is."""
PLAIN: Final = re.compile(r"((?:\.\./)*)((?:[\w~-][\w.~-]*/)*(?:[\w~-][\w.~-]*)?)", re.ASCII)
"""A reference that is joined as it is to the folder of the page, or to one above it."""
MAX_KNOWN: Final = 20_000
"""References of a folder that are remembered."""


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


class Folder(dict[str, "str | None"]):
    """The URLs of plain references of the pages in one folder. `None` is for a reference that `urljoin` has to join.

    Parameters:
        above: The URLs of the folder and of those above it; none: no reference is plain.
    """

    def __init__(self, above: list[str]) -> None:
        super().__init__()
        self._above = above

    def __missing__(self, reference: str) -> str | None:
        path, _, fragment = reference.partition("#")
        if not path:
            return None  # it is not remembered: it leads to another place on each page
        url: str | None = None
        if self._above and (not fragment or FRAGMENT.fullmatch(fragment)):
            plain = PLAIN.fullmatch(path)
            if plain is not None:
                url = f"{self._above[min(len(plain[1]) // 3, len(self._above) - 1)]}{plain[2]}"
            elif PLAIN_URL.fullmatch(path):
                url = path
            if url is not None and fragment:
                url = f"{url}#{fragment}"
        if len(self) >= MAX_KNOWN:
            self.clear()
        self[reference] = url
        return url


def plain_page(base: str) -> str:
    """Return the URL of a page without its fragment; empty if references cannot be joined to it as they are.

    Parameters:
        base: The URL with which its references are joined.
    """
    page = base.partition("#")[0]
    return page if PLAIN_URL.fullmatch(page) else ""


def folder_of(page: str) -> Folder:
    """Return the folder of a page; without plain references if its URL is empty."""
    return _folder(page[: page.rfind("/") + 1])


@lru_cache(maxsize=256)
def _folder(url: str) -> Folder:
    """Return the folder with a URL."""
    if url.count("/") < 3:
        return Folder([])
    origin = url[: url.find("/", url.find("://") + 3) + 1]
    above = [url]
    while len(above[-1]) > len(origin):
        above.append(above[-1][: above[-1].rindex("/", 0, -1) + 1])
    return Folder(above if all(urljoin(one, "a") == f"{one}a" for one in above) else [])
