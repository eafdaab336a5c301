"""`Patterns`: the URLs that the settings `include` and `exclude` describe, and `FileTypes`, those of `skip_extensions`.

==================================== =================================================================================
``/blog/*``                          a leading slash: path and query, on any host
``https://example.com/*``, ``*.pdf`` a leading star, ``http://``, ``https://`` or ``http*://``: the whole URL
``re:/[0-9]{4}/``                    a regular expression, searched for anywhere in the URL
==================================== =================================================================================

A star matches any characters, including slashes. All other characters match themselves, including ``?`` and ``[``,
which are parts of URLs. Case matters. A pattern without a star matches one URL. URLs are compared in canonical form,
without fragment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote

from crawler import urls
from crawler.errors import ConfigError

__all__ = ["SETS", "FileTypes", "Patterns"]

URL_CHARACTERS: Final = "".join(map(chr, range(0x21, 0x7F)))
"""Characters that URLs contain unchanged. Others are percent-encoded as UTF-8."""
REGEX: Final = "re:"


class Patterns:
    """Patterns of URLs."""

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
        """Return whether one of the patterns matches a canonical URL."""
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
    """Convert a pattern with stars to a regular expression that matches in linear time."""
    first, *others = (re.escape(quote(part, safe=URL_CHARACTERS)) for part in pattern.split("*"))
    if not others:
        return rf"{first}\Z"
    middle = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    return rf"{first}{middle}.*{others[-1]}\Z"


def _with_host(pattern: str) -> str:
    """Bring the host of a pattern into canonical form, if it contains no star."""
    scheme, slashes, rest = pattern.partition("://")
    authority, slash, path = rest.partition("/")
    if not slashes or "*" in scheme or "*" in authority:
        return pattern
    try:
        return urls.normalize(f"{scheme}://{authority}/") + path if slash else pattern
    except ValueError:
        return pattern


IMAGES: Final = ("jpg", "jpeg", "jpe", "png", "gif", "webp", "avif", "bmp", "ico", "tif", "tiff", "svg", "heic", "psd")
SOUND: Final = ("mp3", "m4a", "ogg", "oga", "opus", "wav", "flac", "aac", "wma", "mid", "midi")
VIDEO: Final = ("mp4", "m4v", "webm", "ogv", "mov", "avi", "mkv", "mpg", "mpeg", "wmv", "flv", "3gp")
FONTS: Final = ("woff", "woff2", "ttf", "otf", "eot")
COMPRESSED: Final = ("zip", "gz", "tgz", "bz2", "tbz", "xz", "txz", "zst", "lz", "7z", "rar", "tar")
PACKAGES: Final = ("jar", "war", "deb", "rpm", "apk", "dmg", "iso", "img", "exe", "msi", "bin", "whl", "crate", "gem")
SETS: Final = {"media": {*IMAGES, *SOUND, *VIDEO, *FONTS}, "archives": {*COMPRESSED, *PACKAGES}}
"""Names for groups of extensions: ``media`` (images, sound, video, fonts) and ``archives`` (compressed files, packages,
programs)."""
WORD: Final = re.compile(r"[a-z0-9_-]{1,16}")


class FileTypes:
    """A set of file name extensions."""

    def __init__(self, names: Iterable[str]) -> None:
        self.endings: set[str] = set()
        """Extensions in lower case, without the dot."""
        for written in names:
            word = written.lower().removeprefix(".")
            if not WORD.fullmatch(word):
                raise ConfigError(f"setting skip_extensions: not a file extension: {written!r} (write pdf, or media)")
            self.endings |= SETS.get(word, {word})

    def match(self, url: str) -> bool:
        """Return whether the path of a canonical URL has one of the extensions."""
        end = url.find("?", 8)
        path = url if end < 0 else url[:end]
        dot = path.rfind(".", max(len(path) - 17, path.find("/", 8)))  # characters of an extension with its dot
        return dot >= 0 and path[dot + 1 :].lower() in self.endings
