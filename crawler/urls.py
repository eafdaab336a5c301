"""URLs by the WHATWG standard, and what makes two of them the same.

Identity (`normalize`): parsed and serialised as a browser does, fragment dropped, nothing else guessed. Paths keep
their case, query parameters their order, ``/a`` is not ``/a/`` and ``%2F`` is not ``/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import ada_url

__all__ = ["authority", "host", "is_web", "join", "join_all", "normalize", "origin", "split_userinfo"]

GAP: Final = r"[\t\n\r]*"
"""What a parser does not see."""
WHOLE_BASE: Final = re.compile(rf"[\0- ?#]|h{GAP}t{GAP}t{GAP}p{GAP}s?{GAP}:(?!//)|\Z", re.IGNORECASE)
"""How a `href` begins that more of the base than its folder may count for: empty, a query, a fragment, what white space
may hide, and a scheme without slashes, behind which stands a relative reference (``https:?a`` is ``?a``)."""


def normalize(url: str) -> str:
    """The canonical form of an absolute ``http`` or ``https`` URL, without its fragment.

    Raises:
        ValueError: it is no absolute web URL; the message says so in one line.
    """
    try:
        href = ada_url.normalize_url(url)
    except ValueError:
        raise ValueError(f"not a URL: {url!r}") from None
    if not is_web(href):
        raise ValueError(f"not an http or https URL: {url!r}")
    return href.partition("#")[0]


def is_web(url: str) -> bool:
    """Whether a serialised URL is one that can be crawled (``http`` or ``https``)."""
    return url.startswith(("http://", "https://"))


def join(base: str, href: str) -> str | None:
    """The absolute web URL that `href` means on the page at `base`, without its fragment.

    `base` is a canonical URL. ``None``: it is no web URL (``mailto:``, ``javascript:``, a broken one).
    """
    return join_all(base, (href,))[0]


def join_all(base: str, hrefs: Iterable[str]) -> list[str | None]:
    """What each of `hrefs` means on the page at `base`; see `join`.

    A `href` that was met before on a page of the same folder costs a look-up, since only an empty one, a bare query
    or a bare fragment depend on more of the base than its folder.
    """
    end = base.find("?")
    folder = base[: base.rfind("/", 0, end if end >= 0 else len(base)) + 1]
    return [_join(base, href) if (url := _join_in(folder, href)) == "" else url for href in hrefs]


@lru_cache(maxsize=16_384)
def _join_in(folder: str, href: str) -> str | None:
    """What a `href` means on each page of a folder; empty: more of the base than its folder may count for."""
    return "" if WHOLE_BASE.match(href) else _join(folder, href)


def _join(base: str, href: str) -> str | None:
    try:
        url = ada_url.join_url(base, href)
    except ValueError:
        return None
    return url.partition("#")[0] if is_web(url) else None


def origin(url: str) -> str:
    """Scheme, host and port of a canonical URL: ``https://example.com:8443`` (RFC 6454 section 4)."""
    end = url.find("/", 8)
    start = url.rfind("@", 8, end)
    return url[:end] if start < 0 else url[: url.index("/") + 2] + url[start + 1 : end]


def authority(url: str) -> str:
    """Host and port of a canonical URL, as they stand in it: ``example.com:8443``."""
    return origin(url).partition("//")[2]


def host(url: str) -> str:
    """The host of a canonical URL, without port; an IPv6 address keeps its brackets."""
    name = authority(url)
    return name[: name.index("]") + 1] if name.startswith("[") else name.partition(":")[0]


def split_userinfo(url: str) -> tuple[str, tuple[str, str] | None]:
    """A canonical URL without the user and password that stand in it, and those, decoded."""
    end = url.find("/", 8)
    at = url.rfind("@", 0, end)
    if at < 0:
        return url, None
    parsed = ada_url.URL(url)
    pair = (unquote(parsed.username), unquote(parsed.password))
    return url[: url.index("/") + 2] + url[at + 1 :], pair
