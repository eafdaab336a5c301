"""`plain_arguments`: the arguments of a typical ``crawler run``, parsed without cyclopts.

To import cyclopts and describe every option to it takes an eighth of the start of a crawl. Most command lines can be
read in only one way: options by their names, each followed by its value as a word of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, get_args

from msgspec import Struct

from crawler.cli.logs import Level

__all__ = ["PlainArguments", "plain_arguments"]

FLAGS: Final = {
    "--append": "append",
    "--log-json": "log_json",
    "--override": "override",
    "--overwrite": "overwrite",
    "--quiet": "quiet",
}
"""Options without a value, and the parameters of the command."""
VALUES: Final = {
    "--job": "job",
    "--log-level": "log_level",
    "--report": "report",
    "--scrapy": "scrapy",
    "--tolerate": "tolerate",
}
"""Options with one value."""
PATHS: Final = ("report", "scrapy")
"""Parameters whose values are paths."""
LEVELS: Final = get_args(Level)
REPEATABLE: Final = {
    "-a": "argument", "--argument": "argument",
    "-o": "output", "--output": "output",
    "-p": "plugin", "--plugin": "plugin",
    "-P": "option", "--plugin-option": "option",
    "-s": "setting", "--setting": "setting",
    "--no-plugin": "no_plugin",
    "--spider": "spider",
}  # fmt: skip
"""Options that may be repeated, each time with one value."""
STANDARD_OUTPUT: Final = {("output", "-"), ("report", "-")}
"""The only values that may begin with a hyphen."""


class PlainArguments(Struct, eq=False):
    """The arguments of ``crawler run``."""

    targets: list[str]
    """Its positional arguments."""
    options: dict[str, Any]
    """The others, by parameter."""


def plain_arguments(arguments: Sequence[str]) -> PlainArguments | None:
    """Return the arguments of ``crawler run``; `None` if cyclopts has to parse them, or to report an error.

    Parameters:
        arguments: The arguments of the command line after ``run``.
    """
    targets: list[str] = []
    options: dict[str, Any] = {}
    rest = iter(arguments)
    for word in rest:
        if not word.startswith("-"):
            targets.append(word)
            continue
        name = FLAGS.get(word) or VALUES.get(word) or REPEATABLE.get(word)
        if name is None:
            return None
        value: Any = True
        if word not in FLAGS:
            value = next(rest, None)
            if value is None or (value.startswith("-") and (name, value) not in STANDARD_OUTPUT):
                return None
        if word in REPEATABLE:
            value = (*options.get(name, ()), value)
        elif name in options or (name == "log_level" and value not in LEVELS):
            return None
        options[name] = Path(value) if name in PATHS else value
    return PlainArguments(targets, options) if targets else None
