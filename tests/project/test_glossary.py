"""The glossary stays short and in order, so that a reader can go through it once."""

from __future__ import annotations

import re
from pathlib import Path

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"


def rows() -> list[list[str]]:
    """Return the cells of each row, without the heading."""
    lines = [line for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[1:]]


def test_the_glossary_has_at_most_forty_terms_in_alphabetical_order():
    terms = [row[0] for row in rows()]
    assert 20 <= len(terms) <= 40
    assert terms == sorted(set(terms), key=str.casefold)


def test_each_term_has_three_sentences_at_most_and_a_counterpart_in_scrapy_or_a_dash():
    for row in rows():
        assert len(row) == 3, row
        assert all(row), row
        assert 1 <= len(re.findall(r"\.(?: |$)", re.sub(r"`[^`]*`", "x", row[1]))) <= 3, row
