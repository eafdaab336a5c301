"""`joined`: the URL to which a reference of a page leads, as `urljoin` has it.

Most references of a page are plain and on other pages of its folder, too. They are joined once.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urljoin

from crawler_plugins.scrapy.quick_requests import FRAGMENT, PLAIN_URL

__all__ = ["PLAIN", "Folder", "folder_of", "folders_above", "plain_page"]

PLAIN: Final = re.compile(r"((?:\.\./)*)((?:[\w~-][\w.~-]*/)*(?:[\w~-][\w.~-]*)?)", re.ASCII)
"""A reference that is joined as it is to the folder of the page, or to one above it."""
MAX_KNOWN: Final = 20_000
"""References of a folder that are remembered."""


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
    return Folder(folders_above(url, url[: url.find("/", url.find("://") + 3) + 1]))


def folders_above(folder: str, origin: str) -> list[str]:
    """Return a folder and those above it, up to the origin; none if plain references cannot be joined to them.

    Parameters:
        folder: Its URL, with the slash at the end.
        origin: The URL of its origin, with the slash at the end.
    """
    if folder.count("/") < 3:
        return []
    above = [folder]
    while len(above[-1]) > len(origin):
        above.append(above[-1][: above[-1].rindex("/", 0, -1) + 1])
    return above if all(urljoin(one, "a") == f"{one}a" for one in above) else []
