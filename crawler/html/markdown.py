"""`markdown` and `plain_text`: a part of a page for readers, as GitHub Flavored Markdown or as text.

The output has no raw HTML but ``<br>`` in tables. Text that would be markup is escaped, so that the text of a page does
not become a link.
"""

from __future__ import annotations

import re
from typing import Final

from turbohtml import Markdown, Node

from crawler.content.encoding import replace_surrogates

__all__ = ["fenced", "markdown", "plain_text"]

OPTIONS: Final = Markdown(
    tables=Markdown.Tables(cell_blocks="text"), strip=("del", "s", "strike")
)  # they would be HTML
_BACKTICKS: Final = re.compile("`{3,}")


def markdown(node: Node) -> str:
    """Return a part of a page as Markdown."""
    return replace_surrogates(node.to_markdown(OPTIONS))


def plain_text(node: Node) -> str:
    """Return a part of a page as text: paragraphs, list items and table rows on lines of their own."""
    return replace_surrogates(node.to_text())


def fenced(text: str) -> str:
    """Return a text as a code block, which no text can end before its end; empty if the text is blank."""
    if not text.strip():
        return ""
    fence = "`" * max([2, *map(len, _BACKTICKS.findall(text))]) + "`"
    return f"{fence}\n{text.rstrip()}\n{fence}"
