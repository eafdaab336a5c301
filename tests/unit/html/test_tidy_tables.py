"""Tables become rectangular, or blocks if a line of cells cannot hold them."""

from __future__ import annotations

import pytest

from crawler import Response


def markdown(page: str) -> str:
    return Response("https://site.example/", 200, {"content-type": "text/html"}, page).markdown(whole=True)


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("<tr><td>1<tr><td>2<td>3", "| 1 |  |\n| --- | --- |\n| 2 | 3 |"),
        ("<tr><td colspan=2>1<td>2<tr><td>3<td>4<td>5", "| 1 |  | 2 |\n| --- | --- | --- |\n| 3 | 4 | 5 |"),
        ("<tr><td rowspan=2>1<td>2<tr><td>3", "| 1 | 2 |\n| --- | --- |\n|  | 3 |"),
        ("<tr><td>1<td rowspan=2>2<tr><td>3", "| 1 | 2 |\n| --- | --- |\n| 3 |  |"),
        ("<tr><td rowspan=0>1<td colspan=x>2<tr><td rowspan=-1>3", "| 1 | 2 |\n| --- | --- |\n| 3 |  |"),
        ("<thead><tr><th>1<tbody><tr><td>2<td>3", "| 1 |  |\n| --- | --- |\n| 2 | 3 |"),
        ("<caption>C<tr><td>1", "C\n\n| 1 |\n| --- |"),
    ],
)
def test_missing_cells_are_added(table, rows):
    assert markdown(f"<table>{table}</table>") == rows


def test_a_table_that_lays_out_a_page_becomes_blocks():
    page = "<table><caption>C<tr><td><h1>Title</h1><td><pre>a\nb</pre></table>"
    assert markdown(page) == "C\n\n# Title\n\n```\na\nb\n```"
    assert markdown("<table role=presentation><tr><td>1<td>2</table>") == "1\n\n2"


def test_of_nested_tables_the_inner_one_stays_a_table():
    assert markdown("<table><tr><td><table><tr><td>1<td>2</table></table>") == "| 1 | 2 |\n| --- | --- |"


def test_a_table_that_would_grow_by_its_spans_becomes_blocks():
    assert markdown("<table><tr><td colspan=1000>x" + "<tr><td>1" * 10 + "</table>").startswith("x\n\n1\n\n1")
    assert markdown("<table><tr>" + "<td colspan=1000>x" * 10 + "</table>").startswith("x\n\nx")


def test_of_very_many_tables_all_cells_become_blocks(monkeypatch):
    monkeypatch.setattr("crawler.html.tidy_tables.MAX_TABLES", 1)
    table = "<table><tr><td>a<td>b</table>"
    assert "|" in markdown(table)
    assert markdown(table * 2) == "a\n\nb\n\na\n\nb"
