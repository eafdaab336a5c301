"""URLs by the WHATWG standard, and their canonical form.

`normalize` parses and serialises a URL as browsers do and drops the fragment, no more: paths keep their case, query
parameters their order, ``/a`` differs from ``/a/`` and ``%2F`` from ``/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import ada_url

__all__ = ["authority", "host", "is_web", "join", "join_all", "normalize", "origin", "split_userinfo"]

IGNORED: Final = r"[\t\n\r]*"
"""Characters that a URL parser skips."""
NEEDS_WHOLE_BASE: Final = re.compile(
    rf"[\0- ?#]|h{IGNORED}t{IGNORED}t{IGNORED}p{IGNORED}s?{IGNORED}:(?!//)|\Z", re.IGNORECASE
)
"""The beginning of a `href` for which more of the base URL than its folder may count: nothing, a query, a fragment,
white space that may hide one, or a scheme without slashes, after which a relative reference follows (``https:?a`` is
``?a``)."""


def normalize(url: str) -> str:
    """Return the canonical form of an absolute ``http`` or ``https`` URL, without its fragment.

    Raises:
        ValueError: The URL is not an absolute web URL; the message has one line.
    """
    try:
        href = ada_url.normalize_url(url)
    except ValueError:
        raise ValueError(f"not a URL: {url!r}") from None
    if not is_web(href):
        raise ValueError(f"not an http or https URL: {url!r}")
    return href.partition("#")[0]


def is_web(url: str) -> bool:
    """Return whether a serialised URL is a web URL (``http`` or ``https``)."""
    return url.startswith(("http://", "https://"))


def join(base: str, href: str) -> str | None:
    """Return the absolute web URL of a `href` on the page at `base`, a canonical URL, without its fragment.

    `None` means that it is not a web URL (``mailto:``, ``javascript:``, malformed).
    """
    return join_all(base, (href,))[0]


def join_all(base: str, hrefs: Iterable[str]) -> list[str | None]:
    """Return the absolute web URL of each of `hrefs` on the page at `base`; see `join`.

    A `href` that was joined before on a page of the same folder comes from a cache: hardly any depends on more of the
    base URL than its folder.
    """
    end = base.find("?")
    folder = base[: base.rfind("/", 0, end if end >= 0 else len(base)) + 1]
    return [_join(base, href) if (url := _join_in(folder, href)) == "" else url for href in hrefs]


@lru_cache(maxsize=16_384)
def _join_in(folder: str, href: str) -> str | None:
    """Return the URL of a `href` on every page of a folder; empty if more of the base URL may count."""
    return "" if NEEDS_WHOLE_BASE.match(href) else _join(folder, href)


def _join(base: str, href: str) -> str | None:
    try:
        url = ada_url.join_url(base, href)
    except ValueError:
        return None
    return url.partition("#")[0] if is_web(url) else None


def origin(url: str) -> str:
    """Return scheme, host and port of a canonical URL: ``https://example.com:8443`` (RFC 6454 section 4)."""
    end = url.find("/", 8)
    start = url.rfind("@", 8, end)
    return url[:end] if start < 0 else url[: url.index("/") + 2] + url[start + 1 : end]


def authority(url: str) -> str:
    """Return host and port of a canonical URL, the port unless it is the default: ``example.com:8443``."""
    return origin(url).partition("//")[2]


def host(url: str) -> str:
    """Return the host of a canonical URL without port; an IPv6 address keeps its brackets."""
    name = authority(url)
    return name[: name.index("]") + 1] if name.startswith("[") else name.partition(":")[0]


def split_userinfo(url: str) -> tuple[str, tuple[str, str] | None]:
    """Return a canonical URL without user and password, and the pair of them, decoded; `None` if it had none."""
    end = url.find("/", 8)
    at = url.rfind("@", 0, end)
    if at < 0:
        return url, None
    parsed = ada_url.URL(url)
    userinfo = (unquote(parsed.username), unquote(parsed.password))
    return url[: url.index("/") + 2] + url[at + 1 :], userinfo
