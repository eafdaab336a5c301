"""The main content: landmarks, the smallest element with nearly all of the text, navigation by element, role, name."""

from __future__ import annotations

import pytest

from crawler.html import parse
from crawler.html.main_content import main_content

PROSE = "<p>" + "A sentence of the content. " * 20 + "</p>"


def text(page: str) -> str:
    found = main_content(parse(page.encode(), "utf-8"), "https://site.example/")
    return "" if found is None else " ".join(found.to_text().split())


@pytest.mark.parametrize("tag", ["main", "div role=main", "article", "div itemprop=articleBody"])
def test_a_landmark_is_the_content(tag):
    page = f"<p>before</p><{tag}><h1>Title</h1>{PROSE}</{tag.split()[0]}><p>after</p>"
    assert text(page).startswith("Title A sentence")
    assert "before" not in text(page)
    assert "after" not in text(page)


def test_a_landmark_with_hardly_any_text_is_not_believed():
    assert "A sentence" in text(f"<main>x</main><div>{PROSE}</div>")


def test_several_articles_are_a_list_that_stays_whole():
    assert text(f"<article>one {PROSE}</article><article>two {PROSE}</article>").count("content.") == 40


@pytest.mark.parametrize(
    "around",
    [
        "<nav>menu</nav>",
        "<footer>menu</footer>",
        "<aside>menu</aside>",
        "<div role=navigation>menu</div>",
        "<div aria-hidden=true>menu</div>",
        '<div style="color: red; display:none">menu</div>',
        "<div class='x navbar'>menu</div>",
        "<div id=footer>menu</div>",
        "<div class=sidebar><a href=x>menu</a></div>",
    ],
)
def test_navigation_is_removed_inside_of_a_landmark_and_without_one(around):
    for page in (f"<main>{around}{PROSE}</main>", f"<div>{around}{PROSE}</div>"):
        assert "menu" not in text(page)
        assert "A sentence" in text(page)


def test_a_list_of_links_next_to_the_text_is_left_out_whatever_its_name():
    links = "<ul>" + "<li><a href=x>a page of the menu</a></li>" * 30 + "</ul>"
    assert "menu" not in text(f"<div class=q>{links}</div><div>{PROSE}</div>")


def test_a_sidebar_of_prose_and_a_header_with_the_title_stay_on_a_small_page():
    header, sidebar = "<div class=header><h1>Title</h1><a href=x>x</a></div>", "<div class=sidebar>aside text</div>"
    page = f"<main>{header}{PROSE * 2}{sidebar}</main>"
    assert text(page).startswith("Title")
    assert text(page).endswith("aside text")


def test_a_page_of_links_only_is_not_empty():
    assert text("<ul class=menu><li><a href=a>one</a><li><a href=b>two</a></ul>") == "* one * two"


@pytest.mark.parametrize("link", ["<a href=x>a name of a page</a>", "<a href=javascript:x>a name of a page</a>"])
def test_an_index_keeps_all_of_its_links(link):
    page = f"<div><h1>Index</h1></div><div class=q>{link * 5}</div><div>{link * 50}</div>"
    assert text(page).startswith("Index")
    assert text(page).count("a name of a page") == 55


def test_a_large_section_does_not_hide_its_small_neighbours():
    page = f"<div><div><p>An introduction of some length, which is short.</p></div><div>{PROSE}</div></div>"
    assert text(page).startswith("An introduction")


def test_a_page_without_text_has_no_content():
    assert main_content(parse(b"<img src=x>", "utf-8"), "https://site.example/") is None


def test_share_bars_and_lists_of_related_pages_go_from_a_page_of_prose():
    story = "".join(
        f"<p>In the year {year} the river rose again, and the town was flooded for {year % 9} days. "
        "People went by boat, shops stayed closed, and the school taught in the church.</p>"
        for year in range(1900, 1930)
    )
    related = "<div class=related-posts>" + "<div class=card><a href=x>Another page</a></div>" * 9 + "</div>"
    page = f"<div><h1>Floods</h1><div class=share-buttons><a href=x>Tweet</a></div>{story}{related}</div>"
    found = text(f"<div class=site-header><a href=/>Home</a></div>{page}<div class=site-footer>Terms</div>")
    assert found.startswith("Floods")
    assert found.count("the river rose") == 30
    assert not {"Tweet", "Another", "Home", "Terms"} & set(found.split())


def test_a_table_stays_rectangular_when_text_of_a_cell_goes():
    rows = "".join(
        f"<tr><td>{n}<td><div class='share-buttons social'><a href=x>Tweet</a></div><td>{PROSE}" for n in range(9)
    )
    found = main_content(parse(f"<h1>Floods</h1><table>{rows}</table>".encode(), "utf-8"), "https://site.example/")
    assert found is not None
    assert {len(row.select("td")) for row in found.select("tr")} <= {3}
