"""`tidy_tables`: make the tables of a page rectangular, and undo those that only lay out a page.

A table that holds a table, a heading, a list of terms or preformatted text cannot be written as lines of cells: each
of its cells becomes a block. In other tables, cells that span columns or rows are followed by empty ones.
"""

from __future__ import annotations

from typing import Final

from turbohtml import Document, Element

__all__ = ["tidy_tables"]

BLOCKS: Final = "table,h1,h2,h3,h4,h5,h6,pre,dl,blockquote,hr,[role=main],main,article,section"
"""Elements that no line of a table can hold."""
SECTIONS: Final = frozenset({"thead", "tbody", "tfoot"})
PARTS: Final = SECTIONS | {"caption", "colgroup"}
MAX_TABLES: Final = 10_000
"""Tables of a page that may be made rectangular. The cells of a page with more become blocks."""

_Row = tuple[Element, list[Element]]


def tidy_tables(view: Document) -> None:
    """Change the tables of a page."""
    tables = view.select("table")
    if len(tables) > MAX_TABLES:
        for part in view.select("table,caption,colgroup,thead,tbody,tfoot,tr,td,th"):
            part.tag = "div"
        return
    for table, is_layout in [(table, table.select_one(BLOCKS) is not None) for table in tables]:
        rows = [(row, _elements(row, {"td", "th"})) for row in _rows(table)]
        grid = None if is_layout or table.attr("role") == "presentation" else _grid(rows)
        if grid is None:
            _to_blocks(table, rows)
        else:
            for (row, _), line in zip(rows, grid, strict=True):
                _fill(row, line)


def _rows(table: Element) -> list[Element]:
    rows = []
    for part in _elements(table, SECTIONS | {"tr"}):
        rows += [part] if part.tag == "tr" else _elements(part, {"tr"})
    return rows


def _elements(parent: Element, tags: frozenset[str] | set[str]) -> list[Element]:
    return [child for child in parent.children if isinstance(child, Element) and child.tag in tags]


def _grid(rows: list[_Row]) -> list[list[Element | None]] | None:
    """Return the cells of each row by column, and `None` where one is missing; `None` if too many are missing."""
    # Cells that may be added to a table, in addition to one for each cell that it has.
    room = 2 * sum(len(cells) for _, cells in rows) + 1000
    grid: list[list[Element | None]] = []
    below: dict[int, int] = {}
    for _, cells in rows:
        line: list[Element | None] = []
        for cell in cells:
            while below.get(len(line), 0) > 0:
                line.append(None)
            columns, lines = _span(cell, "colspan"), _span(cell, "rowspan")
            if lines > 1:
                below |= dict.fromkeys(range(len(line), len(line) + columns), lines)
            line += [cell, *[None] * (columns - 1)]
        room -= len(line)
        if room < 0:
            return None
        below = {column: left - 1 for column, left in below.items() if left > 1}
        grid.append(line)
    width = max((len(line) for line in grid), default=0)
    if sum(width - len(line) for line in grid) > room:
        return None
    return [line + [None] * (width - len(line)) for line in grid]


def _span(cell: Element, name: str) -> int:
    text = (cell.attr(name) or "").strip()
    # Columns or rows that a cell may span (HTML Standard section 4.9.11).
    return min(max(1, int(text)), 1000) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _fill(row: Element, line: list[Element | None]) -> None:
    after = None
    for cell in reversed(line):
        if cell is not None:
            for name in ("colspan", "rowspan"):
                if name in cell.attrs:
                    del cell.attrs[name]
            after = cell
        elif after is None:
            row.append(Element("td"))
        else:
            after.insert_before(Element("td"))


def _to_blocks(table: Element, rows: list[_Row]) -> None:
    for part in [table, *_elements(table, PARTS), *(cell for row, cells in rows for cell in (row, *cells))]:
        part.tag = "div"
