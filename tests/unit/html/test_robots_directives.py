"""Robots directives of pages: header fields, meta elements, and `rel` of links."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.html import nofollow_steps, nofollow_urls, parse
from crawler.html.robots_directives import robots_directives

BOTH = {"noindex", "nofollow"}


def said(*fields: str, page: str | None = None, token: str = "OurBot") -> frozenset[str]:
    document = None if page is None else parse(page.encode(), "utf-8")
    return robots_directives(fields, document, token)


@each(
    ("fields", "directives"),
    [
        ([], set()),
        ([""], set()),
        (["noindex"], {"noindex"}),
        (["NoIndex,NOFOLLOW"], BOTH),
        (["none"], BOTH),
        (["None, noarchive"], {*BOTH, "noarchive"}),
        (["noindex", "nofollow"], BOTH),
        (["noindex nofollow"], BOTH),
        ([", ,noindex,,"], {"noindex"}),
        (["ourbot: noindex"], {"noindex"}),
        (["OURBOT:noindex, nofollow"], BOTH),
        (["googlebot: noindex, nofollow"], set()),
        (["noindex, googlebot: nofollow, noarchive"], {"noindex"}),
        (["googlebot: noindex", "nofollow"], {"nofollow"}),
        (["googlebot: noindex, ourbot: nofollow"], {"nofollow"}),
        (["robots: noindex", "*: nofollow"], BOTH),
        (["ourbot2: noindex", "our: noindex"], set()),
        (["max-snippet:50, max-image-preview: LARGE"], {"max-snippet: 50", "max-image-preview: large"}),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST"], {"unavailable_after: 25 jun 2010 15:00:00 pst"}),
        (
            ["unavailable_after: Fri, 25 Jun 2010 15:00:00 GMT, noindex"],
            {"unavailable_after: fri, 25 jun 2010 15:00:00 gmt", "noindex"},
        ),
        (["unavailable_after: Friday, 25-Jun-10 15:00:00 GMT"], {"unavailable_after: friday, 25-jun-10 15:00:00 gmt"}),
        (["unavailable_after: Fri"], {"unavailable_after: fri"}),
        (["googlebot: unavailable_after: 2030-01-01"], set()),
        (["ourbot: unavailable_after: 2030-01-01"], {"unavailable_after: 2030-01-01"}),
    ],
)
def test_header_fields(fields: list[str], directives: set[str]) -> None:
    assert said(*fields) == directives


@each(
    ("page", "directives"),
    [
        ("<p>x", set()),
        ("<meta name=robots content=noindex>", {"noindex"}),
        ("<META NAME='Robots' CONTENT='NOINDEX, NoFollow'>", BOTH),
        ("<meta name=robots content=none>", BOTH),
        ("<meta name=ourbot content=nofollow><meta name=robots content=noindex>", BOTH),
        ("<meta name=googlebot content=nofollow><meta name=description content=none>", set()),
        ("<meta name=robots><meta content=none><meta name='' content=none>", set()),
        ("<body><p>x<meta name=robots content=noindex>", {"noindex"}),
        ("<template><meta name=robots content=noindex></template>", set()),
        ("<svg><g><meta name=robots content=noindex></svg>", {"noindex"}),  # it ends the drawing, as in a browser
        ("<meta name=robots content='googlebot: noindex'>", set()),
        ("<meta name=robots content='index, follow, max-snippet:-1'>", {"index", "follow", "max-snippet: -1"}),
    ],
)
def test_meta_elements(page: str, directives: set[str]) -> None:
    assert said(page=page) == directives


def test_fields_and_elements_are_added_up() -> None:
    assert said("noarchive", page="<meta name=robots content=nofollow>") == {"noarchive", "nofollow"}


def test_without_a_name_only_the_directives_for_all_robots_count() -> None:
    page = "<meta name='' content=noindex><meta name=robots content=nofollow>"
    assert said("ourbot: none", ": noarchive", page=page, token="") == {"nofollow", "noarchive"}


@given(st.lists(st.text(st.sampled_from("none,:unavailable_after fri robts;\u0130"), max_size=60), max_size=3))
def test_nothing_that_is_said_raises(fields: list[str]) -> None:
    found = said(*fields, page="".join(f"<meta name=robots content='{field}'>" for field in fields))
    assert "none" not in found


URL = "https://site.test/a/"


@each(
    ("page", "shunned"),
    [
        ("<a href=b>x</a>", set()),
        ("<a href=b rel=nofollow>x</a><a href=c>x</a>", {"b"}),
        ("<a href=b rel='noopener UGC'>x</a><a href=c rel=sponsored>x</a><a href=d rel=next>x</a>", {"b", "c"}),
        ("<a href=b rel='ugc,nofollow'>x</a>", {"b"}),
        ("<map><area href=b rel=nofollow></map>", {"b"}),
        ("<a href=b rel=nofollow>x</a><a href=b#top>x</a>", set()),
        ("<a href=b rel=nofollow>x</a><a href=/a/b#x rel=ugc>x</a>", {"b"}),
        ("<base href=/c/><a href=b rel=nofollow>x</a>", {"../c/b"}),
        ("<a href=mailto:a@b.test rel=nofollow>x</a><a rel=nofollow>x</a>", set()),
        ("<link href=b rel=nofollow>", set()),
    ],
)
def test_urls_that_a_page_never_vouches_for(page: str, shunned: set[str]) -> None:
    places = {"b": URL + "b", "c": URL + "c", "../c/b": "https://site.test/c/b"}
    document = parse(page.encode(), "utf-8")
    assert nofollow_urls(document, URL) == {places[name] for name in shunned}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["crawler.html.links"], "BATCH", 1)
        assert nofollow_urls(document, URL) == {places[name] for name in shunned}
        assert bool(list(nofollow_steps(document, URL))) or not shunned
