"""`Patterns`: which URLs the settings `include` and `exclude` mean.

==================================== =================================================================================
``/blog/*``                          begins with a slash: the path and query, on any host
``https://example.com/*``, ``*.pdf`` begins with a star, ``http://``, ``https://`` or ``http*://``: the whole URL
``re:/[0-9]{4}/``                    a regular expression that is found anywhere in the URL
==================================== =================================================================================

A star is any run of characters, slashes too. Everything else stands for itself, ``?`` and ``[`` too, since they are
parts of URLs, and small letters are not large ones. Without a star a pattern is one URL. It is compared with the URL in
its canonical form, which has no fragment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import quote

from crawler import urls
from crawler.errors import ConfigError

__all__ = ["Patterns"]

URL_CHARACTERS: Final = "".join(map(chr, range(0x21, 0x7F)))
"""What a URL may have as it is; the rest is written in percent signs (UTF-8)."""
REGEX: Final = "re:"


class Patterns:
    """Patterns of URLs.

    Parameters:
        setting: its name, for errors.
        patterns: as they are written.

    Raises:
        ConfigError: one of them is none.
    """

    def __init__(self, setting: str, patterns: Sequence[str]) -> None:
        whole: list[str] = []
        paths: list[str] = []
        found: list[re.Pattern[str]] = []
        for pattern in patterns:
            if pattern.startswith(REGEX):
                found.append(_compiled(setting, pattern))
            elif pattern.startswith("/"):
                paths.append(_glob(pattern))
            elif pattern.startswith(("*", "http://", "https://", "http*://")):
                whole.append(_glob(_with_host(pattern)))
            else:
                raise ConfigError(
                    f"setting {setting}: not a pattern: {pattern!r} (write /path/*, *{pattern}* or re:{pattern})"
                )
        self._whole = _any_of(whole)
        self._paths = _any_of(paths)
        self._found = tuple(pattern.search for pattern in found)

    def match(self, url: str) -> bool:
        """Whether one of them means a canonical URL."""
        if self._whole is not None and self._whole(url):
            return True
        if self._paths is not None and self._paths(url, url.find("/", 8)):
            return True
        return any(search(url) for search in self._found)


def _any_of(patterns: Sequence[str]) -> Callable[..., Any] | None:
    return re.compile("|".join(patterns)).match if patterns else None


def _compiled(setting: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern.removeprefix(REGEX))
    except re.error as error:
        raise ConfigError(f"setting {setting}: not a regular expression: {pattern!r}: {error}") from None


def _glob(pattern: str) -> str:
    """A pattern with stars as a regular expression that never tries one split of a URL twice."""
    first, *others = (re.escape(quote(part, safe=URL_CHARACTERS)) for part in pattern.split("*"))
    if not others:
        return rf"{first}\Z"
    middle = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    return rf"{first}{middle}.*{others[-1]}\Z"


def _with_host(pattern: str) -> str:
    """A pattern whose host is written as canonical URLs have it, if it is written out."""
    scheme, slashes, rest = pattern.partition("://")
    authority, slash, path = rest.partition("/")
    if not slashes or "*" in scheme or "*" in authority:
        return pattern
    try:
        return urls.normalize(f"{scheme}://{authority}/") + path if slash else pattern
    except ValueError:
        return pattern
