"""Blocks of text: what breaks them, how much of them is in links, and features that are numbers."""

from __future__ import annotations

from crawler.html import parse
from crawler.html.blocks import FEATURES, Block, Part, features, read_blocks


def blocks(page: str) -> tuple[list[Block], list[Part]]:
    body = parse(page.encode(), "utf-8").select_one("body")
    assert body is not None
    return read_blocks(body)


def texts(page: str) -> list[str]:
    return [block.text for block in blocks(page)[0]]


def test_inline_elements_do_not_break_a_block():
    assert texts("<p>one <b>two <i>three</i></b>\n four<div>five</div>six") == ["one two three four", "five", "six"]


def test_a_link_around_paragraphs_is_broken_by_them():
    found, _ = blocks("<div><a href=x>one<p>two</p></a>three</div>")
    assert [(block.text, block.link) for block in found] == [("one", 1.0), ("two", 1.0), ("three", 0.0)]


def test_the_share_of_links_is_that_of_characters():
    [block], _ = blocks("<p>12345 <b><a href=x>1234</a></b>")
    assert block.link == 0.4


def test_an_element_counts_the_words_inside_of_it():
    _, parts = blocks("<div><p>one two</p><p>three <a href=x>four</a></p></div>")
    assert (parts[1].words, parts[1].blocks) == (4, 2)


def test_names_are_split_into_words():
    _, parts = blocks("<div class='siteFooter main-nav' id=top_bar>x</div>")
    assert parts[1].tokens == ("div", ".site", ".footer", ".main", ".nav", ".top", ".bar")


def test_each_block_has_each_feature():
    found, parts = blocks("<main><h1>Title</h1><p>Some text.</p></main><footer>Terms</footer>")
    rows = features(found, parts, {"footer": -3.0, "p": 2.0}, "https://site.example/a/b?c/d")
    assert [len(row) for row in rows] == [len(FEATURES)] * 3
    by_name = [dict(zip(FEATURES, row, strict=True)) for row in rows]
    assert [row["worst"] for row in by_name] == [0.0, 0.0, -3.0]
    assert [row["main"] for row in by_name] == [1, 1, -1]
    assert by_name[0]["page_path"] == 2
