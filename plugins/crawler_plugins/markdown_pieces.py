"""Markdown in parts: sections under their headings, and pieces of a section that fit into a budget of tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

__all__ = ["pieces", "sections"]

HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
MARKUP = re.compile(r"!?\[([^\[\]]*+)\]\([^()]*+\)|\\([!-/:-@\[-`{-~])|[*`]")
"""The markup in a heading: links, escapes, emphasis."""
MAX_HEADING = 500
"""Maximum length of a heading in a path, in characters: it is repeated in each chunk."""
SEPARATORS = ("\n\n", "\n", ". ", " ")
"""Where a text is cut, the best place first."""


def sections(markdown: str) -> Iterator[tuple[list[str], str]]:
    """Yield the path of headings and the text of each section, the heading included. Code blocks have no headings."""
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    fence = ""
    for line in markdown.splitlines(keepends=True):
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
        elif mark:
            fence = mark[1]
        elif found := HEADING.match(line):
            if "".join(lines).strip():
                yield [text for _, text in path], "".join(lines).strip("\n")
            lines = []
            level = len(found[1])
            path = [(above, text) for above, text in path if above < level]
            path.append((level, _plain(found[2])))
        lines.append(line)
    if "".join(lines).strip():
        yield [text for _, text in path], "".join(lines).strip("\n")


def _plain(heading: str) -> str:
    text = MARKUP.sub(lambda found: found[1] or found[2] or "", heading[:MAX_HEADING])
    return " ".join(text.split())


def pieces(
    text: str, size: int, count: Callable[[str], int], separators: tuple[str, ...] = SEPARATORS
) -> Iterator[str]:
    """Yield a text in parts of at most `size` tokens each, cut at paragraphs, lines, sentences or words.

    Together they are the text. A part that has no place to be cut is cut between characters.

    Parameters:
        text: The text.
        size: Tokens of a part, at least 1.
        count: Returns the tokens of a text.
        separators: Where the text may be cut, the best place first.
    """
    if count(text) <= size:
        yield text
    elif separators:
        parts = text.split(separators[0])
        for n, part in enumerate(parts):
            whole = part + separators[0] * (n < len(parts) - 1)
            if whole:
                yield from pieces(whole, size, count, separators[1:])
    else:
        half = len(text) // 2
        if half == 0:
            yield text
        else:
            yield from pieces(text[:half], size, count, ())
            yield from pieces(text[half:], size, count, ())
