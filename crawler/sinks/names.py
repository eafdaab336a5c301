"""`Names`: the names of a series of files, made from a template such as ``items-%(n)05d.jsonl``."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from crawler.errors import ConfigError
from crawler.lazy_pattern import lazy_pattern
from crawler.suggest import did_you_mean

__all__ = ["Names", "file_name", "is_template", "part_of"]

FIELDS: Final = {"spider": "%(spider)s", "time": "%(time)s", "n": "%(n)05d", "type": "%(type)s"}
CODE: Final = lazy_pattern(r"%(?:%|\((\w*)\)([-+ #0]*\d*)([a-zA-Z]?))")
UNSAFE: Final = lazy_pattern(r"[^\w.-]+")
DICT: Final = "item"
"""The `type` of items that are dicts."""


def is_template(name: str) -> bool:
    """Return whether a file name is a template."""
    return "%(" in name


def file_name(text: str) -> str:
    """Return a text, such as the name of a spider, in the form that it has in file names."""
    return UNSAFE.sub("-", text)


def part_of(path: Path, part: int) -> Path:
    """Return the path of a part of an output: ``items-00012.jsonl.gz``."""
    stem, dot, endings = path.name.partition(".")
    return path.with_name(f"{stem}-{part:05d}{dot}{endings}")


class Names:
    """The names of a series of files.

    Parameters:
        template: A path with ``%(n)05d`` (the number of the part, from 1), ``%(type)s`` (the class of the items,
            ``item`` for dicts), ``%(spider)s`` (its name) or ``%(time)s`` (when the crawl began, in UTC). ``%%`` stands
            for a percent sign.

    Raises:
        ConfigError: The template has another field, or is not a template.
    """

    def __init__(self, template: str) -> None:
        self.template = template
        self.fields = {found[1] for found in CODE.finditer(template) if found[1] is not None}
        for name in sorted(self.fields):
            if name not in FIELDS:
                known = ", ".join(FIELDS.values())
                raise ConfigError(f"{template}: no field {name!r} in names{did_you_mean(name, FIELDS)}: use {known}")
        self.spider = self.time = ""
        try:
            self.path(1)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{template}: {error}; %% stands for a percent sign") from None

    def begin(self, spider: str, at: float) -> None:
        """Set the values of the crawl.

        Parameters:
            spider: The name of the spider.
            at: When the crawl began, in seconds since the epoch.
        """
        self.spider = file_name(spider)
        self.time = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")

    def path(self, n: int, kind: str = "") -> Path:
        """Return the path of part `n` for items of a type."""
        values = {"spider": self.spider, "time": self.time, "n": n, "type": self.kind(kind)}
        return Path(self.template % values)

    def kind(self, kind: str) -> str:
        """Return the type of an item as names show it; empty if they do not show it."""
        return (file_name(kind) or DICT) if "type" in self.fields else ""

    def may_be(self, path: Path) -> bool:
        """Return whether a file may become one of the series."""
        pattern, _ = self._patterns(r"[\w.-]*", r"\w*")
        return re.fullmatch(pattern, os.fspath(path)) is not None

    def existing(self) -> Iterator[tuple[str, int, Path]]:
        """Yield the files of the series that exist: type, number and path."""
        pattern, wild = self._patterns(re.escape(self.spider), re.escape(self.time))
        for name in sorted(glob.glob(wild)):  # noqa: PTH207 - the template may be absolute
            matched = re.fullmatch(pattern, name)
            if matched is not None:
                groups = matched.groupdict()
                yield groups.get("type") or "", int(groups.get("n") or 1), Path(name)

    def _patterns(self, spider: str, time: str) -> tuple[str, str]:
        """Return the template as a regular expression and as a glob, with expressions for two of its fields."""
        values = {
            "spider": spider, "time": time, "n": r"\s*(?P<n>\d+)\s*", "type": r"(?P<type>[\w.-]+?)"
        }  # fmt: skip
        pattern, wild, end = "", "", 0
        for found in CODE.finditer(self.template):
            before = self.template[end : found.start()]
            end = found.end()
            repeated = f"(?P<{found[1]}>" in pattern
            part = "%" if found[1] is None else f"(?P={found[1]})" if repeated else values[found[1]]
            pattern += re.escape(before) + part
            wild += glob.escape(before) + ("%" if found[1] is None else "*")
        return pattern + re.escape(self.template[end:]), wild + glob.escape(self.template[end:])
