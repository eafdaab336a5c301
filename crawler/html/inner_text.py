"""`inner_text`: all text of an element as a browser shows it (HTML Standard, section "The innerText … attributes").

No stylesheet is applied: each element has the display that browsers give it by default.
"""

from __future__ import annotations

import re
from typing import Final

from turbohtml import Element, Node, Text

__all__ = ["inner_text", "short_text"]

BLOCKS: Final = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog",
        "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3",
        "h4", "h5", "h6", "header", "hgroup", "hr", "html", "legend", "li", "listing", "main", "menu",
        "nav", "ol", "optgroup", "option", "p", "plaintext", "pre", "search", "section", "summary", "table",
        "tbody", "tfoot", "thead", "tr", "ul", "xmp",
    }
)  # fmt: skip
"""Elements that begin and end on a line of their own."""
NOT_SHOWN: Final = frozenset(
    {
        "area", "audio", "base", "canvas", "datalist", "head", "iframe", "link", "meta", "noembed",
        "noframes", "object", "param", "rp", "script", "style", "template", "textarea", "title", "video",
    }
)  # fmt: skip
"""Elements whose content is not shown, or not as text."""
PRESERVED: Final = frozenset({"listing", "plaintext", "pre", "xmp"})
"""Elements that keep white space."""
SPACE: Final = re.compile(r"[ \t\n\f\r]+")
"""White space that collapses; a no-break space does not."""


def inner_text(node: Node) -> str:
    """Return all text of an element as a browser shows it: blocks on lines of their own, white space collapsed.

    A paragraph has a blank line around it, and the cells of a row are separated by tabs. Scripts, styles and hidden
    elements are left out. The text of an element that is itself not shown, such as ``<title>``, is its content.
    """
    if isinstance(node, Element) and node.tag in NOT_SHOWN:
        return SPACE.sub(" ", node.text or "").strip()
    writer = _Writer()
    is_preserved = isinstance(node, Element) and node.closest(", ".join(PRESERVED)) is not None
    stack: list[tuple[Node | int, bool]] = [(node, is_preserved)]  # no recursion: pages nest deeply
    while stack:
        current, keeps_space = stack.pop()
        if isinstance(current, int):
            writer.break_line(current)
        elif isinstance(current, Text):
            writer.add(current.text or "", keeps_space=keeps_space)
        elif not isinstance(current, Element):
            stack += [(child, keeps_space) for child in reversed(list(current.children))]
        elif current is node or not (current.tag in NOT_SHOWN or "hidden" in current.attrs):
            _open(current, keeps_space, writer, stack)
    return writer.text()


def short_text(element: Element, most: int) -> str:
    """Return all text of an element as a browser shows it; an empty text if it is longer than some characters."""
    return inner_text(element)[:most] if len(element.text) <= 2 * most else ""  # with indentation


def _open(element: Element, keeps_space: bool, writer: _Writer, stack: list[tuple[Node | int, bool]]) -> None:
    """Begin an element, and push its children and its end."""
    tag = element.tag
    if tag == "br":
        writer.end_line()
    elif tag in ("td", "th"):
        writer.begin_cell()
    elif tag in BLOCKS:
        lines = 2 if tag == "p" else 1
        writer.break_line(lines)
        stack.append((lines, False))
        if tag == "tr":
            writer.begin_row()
    keeps_space = keeps_space or tag in PRESERVED
    stack += [(child, keeps_space) for child in reversed(list(element.children))]


class _Writer:
    """Gathers text, with the line breaks that blocks need around it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._breaks = 0  # that blocks need before the next text
        self._needs_space = False
        self._starts_line = True
        self._after_br = False
        self._is_first_cell = True

    def add(self, text: str, *, keeps_space: bool) -> None:
        """Add text of one node."""
        if keeps_space:
            if text:
                self._put(text)
                self._starts_line = text.endswith("\n")
            return
        words = SPACE.sub(" ", text)
        if words.startswith(" "):
            self._needs_space = True
        stripped = words.strip(" ")
        if stripped:
            self._put(stripped)
            self._starts_line = False
            self._needs_space = words.endswith(" ")

    def _put(self, text: str) -> None:
        if self._breaks and self._parts:
            self._parts.append("\n" * (self._breaks - self._after_br))
        elif self._needs_space and not self._starts_line:
            self._parts.append(" ")
        self._breaks, self._needs_space, self._after_br = 0, False, False
        self._parts.append(text)

    def break_line(self, lines: int) -> None:
        """Begin or end a block, with `lines` line breaks around it."""
        if self._parts:
            self._breaks = max(self._breaks, lines)
        self._needs_space, self._starts_line = False, True

    def end_line(self) -> None:
        """End a line at ``<br>``."""
        self._needs_space = False
        self._put("\n")
        self._after_br = self._starts_line = True

    def begin_row(self) -> None:
        """Begin a row of a table."""
        self._is_first_cell = True

    def begin_cell(self) -> None:
        """Begin a cell, after a tab unless it is the first one of its row."""
        if not self._is_first_cell:
            self._needs_space = False
            self._put("\t")
        self._is_first_cell, self._starts_line = False, True

    def text(self) -> str:
        """Return the text without line breaks and spaces around it."""
        return "".join(self._parts).strip(" \t\n\f\r")
