"""`PathPattern`: where a file goes below the folder, such as ``{host}/{digest:2}/{digest}{ext}``."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Final

from crawler import ConfigError
from crawler_plugins.files.names import safe_name

__all__ = ["FIELDS", "PathPattern"]

FIELDS: Final = ("digest", "dir", "ext", "host", "name", "stem")
"""The fields that a pattern may contain, in braces."""


class PathPattern:
    """A path with fields in braces. ``{digest:2}`` is the first two characters of a field.

    No value of a server leads out of the folder: each part of a path becomes a safe name.

    Parameters:
        pattern: The path, with forward slashes.
        option: The option that it is the value of, for messages.
        fields: The fields that it may contain.

    Raises:
        ConfigError: The pattern is invalid.
    """

    def __init__(self, pattern: str, option: str, fields: tuple[str, ...] = FIELDS) -> None:
        self._pieces: list[tuple[str, str, int]] = []
        try:
            parsed = list(string.Formatter().parse(pattern))
        except ValueError as error:
            raise ConfigError(f"{option}: {pattern!r} is not a pattern: {error}") from None
        for text, field, width, conversion in parsed:
            if field is not None and field not in fields:
                known = ", ".join(f"{{{name}}}" for name in fields)
                raise ConfigError(f"{option}: {{{field}}} in {pattern!r} is unknown; a pattern may contain {known}")
            if conversion or (width and not (width.isascii() and width.isdigit() and int(width))):
                raise ConfigError(f"{option}: {{{field}}} in {pattern!r} may only have a width, as in {{digest:2}}")
            self._pieces.append((text, field or "", int(width) if width else 0))
        parts = self._fill(dict.fromkeys(fields, "x")).split("/")
        wrong = next((part for part in parts if safe_name(part) != part), None)
        if wrong is not None:
            raise ConfigError(f"{option}: {pattern!r} is not a relative path of valid names: {wrong!r}")
        if all(not field for _, field, _ in self._pieces):
            raise ConfigError(f"{option}: {pattern!r} has no field, so all files would have one name")

    def path(self, values: Mapping[str, str]) -> str:
        """Return the relative path of a file, with forward slashes.

        Parameters:
            values: The fields of the pattern. Only ``dir`` may contain slashes.
        """
        safe = {name: value if name == "dir" else value.replace("/", "_") for name, value in values.items()}
        return "/".join(safe_name(part) for part in self._fill(safe).split("/") if part) or "_"

    def _fill(self, values: Mapping[str, str]) -> str:
        return "".join(
            text + (values[field][:width] if width else values[field]) if field else text
            for text, field, width in self._pieces
        )
