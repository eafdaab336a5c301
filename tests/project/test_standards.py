"""Every clause in `docs/reference/standards.md` cites tests that exist, or says that it is not implemented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "standards.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[tuple[str, ...]]:
    """Return the cells of every row of every table, without the headings."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line):
            cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            if cells[0] != "clause":
                found.append(cells)
    return found


def test_every_clause_cites_a_test_or_is_not_implemented() -> None:
    table = rows()
    assert len(table) > 100
    for cells in table:
        assert len(cells) == 4, cells
        assert all(cells), cells
        assert NAMED.search(cells[3]) or (cells[3] == "–" and "not " in cells[2].lower()), cells


@pytest.mark.parametrize("path", sorted({path for *_, cell in rows() for path, _ in NAMED.findall(cell)}))
def test_the_cited_tests_exist(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    defined = set(re.findall(r"^ *(?:async )?def (test_\w+)\(", text, re.MULTILINE))
    named = {name for *_, cell in rows() for file, name in NAMED.findall(cell) if file == path}
    assert named <= defined
