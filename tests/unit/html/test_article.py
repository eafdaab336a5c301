"""What a page says about itself: title, byline, date, language, description."""

from __future__ import annotations

import pytest
from support.cases import each

from crawler import Response
from crawler.html import Article


def article(page: str, **headers: str) -> Article:
    fields = {"content-type": "text/html; charset=utf-8"} | {
        name.replace("_", "-"): text for name, text in headers.items()
    }
    return Response("https://site.example/d/p", 200, fields, page).article()


@each(
    ("page", "name", "value"),
    [
        ("<title> A\n title </title>", "title", "A title"),
        ("<title>Site</title><h1>Head <a class=headerlink href=#h>¶</a></h1>", "title", "Head"),
        ("<title>C#</title>", "title", "C#"),
        ("<meta property=og:title content=O><title>T</title>", "title", "O"),
        ("<meta name=author content=' Ann  Bo '>", "byline", "Ann Bo"),
        ("<a rel=author href=x>Ann</a>", "byline", "Ann"),
        ('<script type="application/ld+json">{"author": {"name": "Ann"}}</script>', "byline", "Ann"),
        ('<script type="application/ld+json">{"author": ["Ann", {"name": "Bo"}, 3]}</script>', "byline", "Ann, Bo"),
        ('<meta property=article:published_time content="2024-05-06T07:08:09Z">', "date", "2024-05-06T07:08:09Z"),
        ('<script type="application/ld+json">[{"datePublished": "2024-05-06"}]</script>', "date", "2024-05-06"),
        ("<time datetime=2024-05-06>yesterday</time>", "date", "2024-05-06"),
        ("<html lang=de>", "language", "de"),
        ("<html xml:lang=fr>", "language", "fr"),
        ("<meta name=description content='What it is about'>", "description", "What it is about"),
    ],
)
def test_metadata(page, name, value):
    assert getattr(article(page), name) == value


def test_the_header_names_the_language_if_it_names_one():
    assert article("<p>x", content_language="de").language == "de"
    assert article("<p>x", content_language="de, en").language is None
    assert article("<html lang=en>", content_language="de").language == "en"


def test_the_content_comes_in_three_forms():
    found = article("<nav>menu</nav><main><h1>T</h1><p>One <b>two</b></p></main>")
    assert found.text == "T\n\nOne two"
    assert found.markdown == "# T\n\nOne **two**"
    assert found.html == "<main><h1>T</h1><p>One <b>two</b></p></main>"


@pytest.mark.parametrize("page", ["", "<p>", "\x00\x01", "<html lang=''><title></title><h1> </h1>"])
def test_an_empty_page_has_empty_fields(page):
    found = article(page)
    assert (found.title, found.byline, found.date, found.language, found.description, found.image) == (None,) * 6
    assert found.authors == found.tags == []
    assert found.text.strip("\x01\ufffd") == ""
