"""`FileTypes`: file name extensions that the setting `skip_extensions` excludes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from crawler.errors import ConfigError

__all__ = ["SETS", "FileTypes"]

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
MAX_EXTENSION: Final = 17
"""Characters of an extension with its dot."""


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
        dot = path.rfind(".", max(len(path) - MAX_EXTENSION, path.find("/", 8)))
        return dot >= 0 and path[dot + 1 :].lower() in self.endings
