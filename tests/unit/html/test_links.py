"""The links of a page: which elements link, what they are joined against, and which properties each has."""

from __future__ import annotations

from importlib import import_module
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.html import Link, Selector, base_url, href_batches, href_of, hrefs, links, parse

URL = "https://example.com/docs/page.html?q=1"
MODULE = import_module("crawler.html.links")


def page(markup: str):
    return parse(markup.encode(), "utf-8")


def test_hrefs_are_absolute_canonical_without_fragment_each_once_and_in_document_order():
    found = hrefs(
        page("""<a href=b.html>b</a><a href="/a?x=1&amp;y=2#top">a</a><a href="b.html#two">b</a><a href="#here">c</a>
        <a href="HTTPS://EXAMPLE.com:443/docs/b.html">b</a><a href="//other.example/%7Ex/../é">o</a><a>no</a>"""),
        URL,
    )
    assert found == [
        "https://example.com/docs/b.html",
        "https://example.com/a?x=1&y=2",
        URL,
        "https://other.example/%C3%A9",
    ]


@pytest.mark.parametrize(
    "href",
    ["mailto:a@example.com", "javascript:void(0)", "data:text/html,x", "ftp://example.com/", "http://[bad", "//"],
)
def test_a_reference_to_another_scheme_is_not_a_link(href):
    assert hrefs(page(f"<a href='{href}'>x</a>"), URL) == []
    assert links(page(f"<a href='{href}'>x</a>"), URL) == []


@pytest.mark.parametrize("href", ["\n /x ", "/\tx", "/x\n", "\\x", "/./x", "/y/../x", "/%2e/x"])
def test_a_href_is_read_as_browsers_do(href):
    assert hrefs(page(f"<a href='{href}'>x</a>"), URL) == ["https://example.com/x"]


@pytest.mark.parametrize("attribute", ["href", "href=''", "href=#", "href='#top'"])
def test_a_link_to_the_page_itself_is_its_url(attribute):
    assert hrefs(page(f"<a {attribute}>x</a>"), URL) == [URL]


def test_areas_count_as_anchors_and_other_elements_on_request():
    document = page("""<a href=/1>1</a><map><area href=/2></map><a href=/3>3</a><iframe src=/4></iframe>
        <link rel=next href=/5><img src=/6 href=/no><a src=/no>x</a>""")
    assert hrefs(document, URL) == [f"https://example.com/{n}" for n in (1, 2, 3)]
    assert hrefs(document, URL, ("a",)) == [f"https://example.com/{n}" for n in (1, 3)]
    assert hrefs(document, URL, ("iframe", "img", "link")) == [f"https://example.com/{n}" for n in (4, 5, 6)]
    assert hrefs(document, URL, ()) == []


def test_templates_are_inert_but_shadow_roots_and_noscript_are_not():
    document = page("""<template><a href=/1>1</a><template><a href=/2>2</a></template></template>
        <x-a><template shadowrootmode=open><a href=/3>3</a></template></x-a><noscript><a href=/4>4</a></noscript>""")
    assert hrefs(document, URL) == [link.url for link in links(document, URL)]
    assert hrefs(document, URL) == ["https://example.com/3", "https://example.com/4"]


def test_anchors_in_svg_link_with_either_href():
    document = page("""<a href=/1>1</a><svg><a href=/2 xlink:href=/no><text>2</text></a><a xlink:href=/3></a>
        <a></a></svg><a xlink:href=/no>x</a>""")
    assert hrefs(document, URL) == [link.url for link in links(document, URL)]
    assert hrefs(document, URL) == [f"https://example.com/{n}" for n in (1, 2, 3)]


@each(
    ("head", "base"),
    [
        ("", URL),
        ("<base href=/other/>", "https://example.com/other/"),
        ("<base href='//cdn.example/x/y#z'>", "https://cdn.example/x/y"),
        ("<base target=_top><base href=/one/><base href=/two/>", "https://example.com/one/"),
        ("<base href=''>", URL),
        ("<base href='data:text/plain,x'><base href=/two/>", URL),
        ("<base href='javascript:x'>", URL),
        ("<base href='http://[bad'>", URL),
        ("<template><base href=/no/></template>", URL),
        ("<svg><base href=/no/></svg><base href=/yes/>", "https://example.com/yes/"),
    ],
)
def test_the_first_base_with_a_href_decides(head, base):
    document = page(f"{head}<a href=x>x</a>")
    assert base_url(document, URL) == base
    joined = base.rpartition("/")[0] + "/x"
    assert hrefs(document, URL) == [link.url for link in links(document, URL)] == [joined]


def test_links_have_the_attributes_that_the_page_gives_them():
    found = links(
        page("""<link rel="Stylesheet  preload" href=s.css><a href=/a#top rel="NoFollow noopener">one
            <b>two</b> </a><a href=/a>again</a><map><area href=/b#></map><iframe src=/c></iframe>
            <frameset><frame src=/d></frameset><img src=/e><a>x</a>"""),
        URL,
    )
    assert [(link.tag, link.url.removeprefix("https://example.com"), link.fragment) for link in found] == [
        ("link", "/docs/s.css", ""),
        ("a", "/a", "top"),
        ("a", "/a", ""),
        ("area", "/b", ""),
        ("iframe", "/c", ""),
    ]
    assert [link.text for link in found] == ["", "one two", "again", "", ""]
    assert [link.rel for link in found] == [("stylesheet", "preload"), ("nofollow", "noopener"), (), (), ()]
    assert [link.nofollow for link in found] == [False, True, False, False, False]


def test_frames_of_a_frameset_are_links():
    assert [link.url for link in links(page("<frameset><frame src=d></frameset>"), URL)] == [
        "https://example.com/docs/d"
    ]


def test_links_with_the_same_url_tag_and_fragment_are_equal():
    one, two = links(page("<a href=/x>1</a><a href=/x>2</a>"), URL)
    assert one == two
    assert len({one, two}) == 1
    assert repr(one) == "Link(url='https://example.com/x', tag='a', fragment='')"


@pytest.mark.parametrize(
    ("query", "href"),
    [
        ("a", " x#y "),
        ("a::attr(href)", " x#y "),
        ("area", "b"),
        ("link", "c"),
        ("iframe", "d"),
        ("img", "e"),
        ("b", None),
        ("body", None),
    ],
)
def test_the_href_of_a_selector_is_as_written(query, href):
    selector = Selector(
        "<body><a href=' x#y '>x</a><area href=b><link href=c><iframe src=d></iframe><img src=e><b>f</b>"
    )
    found = selector.css(query)[0]
    assert href_of(found) == href_of(found.root) == href


def test_the_href_of_a_string_is_itself_and_of_a_link_its_url():
    (link,) = links(page("<a href=x#y>x</a>"), URL)
    assert isinstance(link, Link)
    assert href_of(link) == "https://example.com/docs/x"
    assert href_of("?page=2") == "?page=2"
    assert [href_of(other) for other in (None, 1, Selector(root={"a": 1}), Selector(root=None))] == [None] * 4


def test_links_beyond_the_limit_are_left_out_with_a_warning(monkeypatch, caplog):
    monkeypatch.setattr(MODULE, "MAX_LINKS", 3)
    document = parse(b"<a href=1></a><a href=1#x></a><a href=2></a><a href=3></a>", "utf-8")
    assert hrefs(document, "https://a.test/") == ["https://a.test/1", "https://a.test/2"]
    assert caplog.messages == ["a page has 4 links: the first 3 count"]
    assert [link.url[-1] for link in links(document, "https://a.test/")] == ["1", "1", "2"]


def test_links_that_need_a_url_parser_are_limited_more_than_others(monkeypatch, caplog):
    monkeypatch.setattr(MODULE, "MAX_PARSED", 2)
    document = parse("".join(f"<a href=/{n}></a><a href=%e4{n}></a>" for n in range(4)).encode(), "utf-8")
    kept = ["0", "%e40", "1", "%e41", "2", "3"]
    assert hrefs(document, "https://a.test/") == [f"https://a.test/{path}" for path in kept]
    assert [link.url for link in links(document, "https://a.test/")] == hrefs(document, "https://a.test/")
    assert len(caplog.messages) == 3


@given(
    st.lists(st.sampled_from(["/a", "/a#b", "../c", "mailto:x", "//h.test/é", "#", "?q=é"]), max_size=12),
    st.integers(1, 5),
)
def test_the_steps_of_hrefs_together_equal_hrefs(written, size):
    document = page("".join(f"<a href='{href}'>x</a>" for href in written))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("crawler.html.links"), "BATCH", size)
        batches = list(href_batches(document, URL, ("a",), "big5"))
    assert all(len(batch) <= size for batch in batches)
    assert list(dict.fromkeys(chain.from_iterable(batches))) == hrefs(document, URL, ("a",), "big5")
