"""`printable`: text of servers and files without control characters, which a terminal would obey."""

from __future__ import annotations

import re
from typing import Final

from crawler.lazy_pattern import lazy_pattern

__all__ = ["printable", "printable_line", "printable_message", "printable_traceback"]

NOT_PRINTABLE: Final = lazy_pattern("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NOT_IN_LINE: Final = lazy_pattern("[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""C0 and C1 controls, DEL, and the characters that change the direction of text (Unicode Standard Annex 9)."""


HEADINGS: Final = ("Traceback (most recent call last):", "During handling of the above", "The above exception was")
"""The first words of a part of a traceback."""


def printable(text: str) -> str:
    r"""Return text in which each control character except tab and line feed is written as ``\u001b``.

    In JSON, which has the same escapes, this changes no value.
    """
    return text if text.isascii() and text.isprintable() else NOT_PRINTABLE.sub(_escape, text)


def printable_line(text: str) -> str:
    """Return a line of text in which tabs and line feeds are escaped too."""
    return text if text.isascii() and text.isprintable() else NOT_IN_LINE.sub(_escape, text)


def printable_message(text: str) -> str:
    """Return a message of a log in which line feeds are escaped too: one could begin another record."""
    return printable(text).replace("\n", "\\u000a")


def printable_traceback(text: str) -> str:
    """Return a formatted traceback in which no line of a message can pass for a record of a log.

    Python indents frames, so the line after them is the first one of a message; its other lines are indented here.
    """
    lines: list[str] = []
    after_frame = True
    for line in printable(text).split("\n"):
        is_inside = line[:1] in ("", " ") or line.startswith(HEADINGS)
        lines.append(line if is_inside or after_frame else f"    {line}")
        after_frame = line[:1] == " " or (after_frame and line.startswith(HEADINGS))
    return "\n".join(lines)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
