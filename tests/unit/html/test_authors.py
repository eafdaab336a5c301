"""Authors of pages: names, and nothing that is no name."""

from __future__ import annotations

import pytest
from support.cases import each

from crawler import Response


def authors(page: str) -> list[str]:
    return Response("https://site.example/p", 200, {"content-type": "text/html; charset=utf-8"}, page).article().authors


def script(text: str) -> str:
    return f'<script type="application/ld+json">{text}</script>'


@each(
    ("page", "names"),
    [
        (script('{"author": [{"name": "Ann Lee"}, {"name": "Bo &amp; Co"}]}'), ["Ann Lee", "Bo", "Co"]),
        (script('{"@graph": [{"@id": "#a", "name": "Ann"}, {"@type": "Article", "author": {"@id": "#a"}}]}'), ["Ann"]),
        (script('{"@type": "QAPage", "mainEntity": {"@type": "Question", "author": {"name": "ann7"}}}'), ["ann7"]),
        ("<meta name=author content='Ann Lee and Bo Kim'>", ["Ann Lee", "Bo Kim"]),
        (
            "<meta name=citation_author content='Lee, Ann'><meta name=citation_author content='Kim, Bo'>",
            ["Ann Lee", "Bo Kim"],
        ),
        ("<meta property=article:author content=https://www.facebook.com/ann><a rel=author>Ann Lee</a>", ["Ann Lee"]),
        ("<a rel=author href=/x>View more posts</a><p class=byline>By Ann Lee | May 1</p>", ["Ann Lee"]),
        ("<p class=author>Von Ann Lee und Bo Kim</p>", ["Ann Lee", "Bo Kim"]),
        ("<p class=author><span>AL</span><br>Ann Lee<br>Editor", ["Ann Lee"]),
        ("<div class=author>February 8, 2022</div>", []),
        ("<div class=author>Ann Lee, MD, PhD</div>", ["Ann Lee"]),
        ("<p>Written by <a href=/x>Ann Lee</a></p>", ["Ann Lee"]),
        ("<div itemprop=author itemscope><b itemprop=name>Ann Lee</b><i>Writer</i></div>", ["Ann Lee"]),
        ("<div class='h-card'><span class=p-name>Ann Lee</span></div>", ["Ann Lee"]),
    ],
)
def test_names_of_authors(page, names):
    assert authors(page) == names


def test_a_person_counts_more_than_the_site():
    site = '<meta property=og:site_name content="The Cloud"><meta name=author content="The Cloud">'
    assert authors(f"{site}<p class=byline>By Ann Lee") == ["Ann Lee"]
    assert authors(site) == ["The Cloud"]


@pytest.mark.parametrize("around", ["nav", "aside", "footer", "div class=comments"])
def test_authors_of_something_else_do_not_count(around):
    assert authors(f"<{around}><a rel=author>Bo</a></{around.split()[0]}>") == []
