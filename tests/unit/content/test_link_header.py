"""The ``Link`` header field by RFC 8288, and the errors that servers make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import Response
from crawler.content.link_header import LinkValue, parse_link_header

URL = "https://site.test/a/b?c"


def parse(value):
    return parse_link_header(value, URL)


def pairs(value):
    return [(link.target, " ".join(link.rel)) for link in parse(value)]


def test_a_link():
    assert parse('<http://example.com/TheBook/chapter2>; rel="previous"; title="previous chapter"') == [
        LinkValue(
            target="http://example.com/TheBook/chapter2",
            url="http://example.com/TheBook/chapter2",
            rel=("previous",),
            title="previous chapter",
            params=(("rel", "previous"), ("title", "previous chapter")),
        )
    ]


@each(
    ("value", "expected"),
    [
        ('</>; rel="http://example.net/foo"', [("/", "http://example.net/foo")]),
        ('</terms>; rel="copyright"; anchor="#foo"', [("/terms", "copyright")]),
        ("<a>; rel=prev, <b>; rel=next", [("a", "prev"), ("b", "next")]),
        ('<a>; rel="start http://example.net/relation/other"', [("a", "start http://example.net/relation/other")]),
        ('<a>; rel="next\t LAST  next"', [("a", "next last")]),
        ("<a>;rel=next;rel=prev", [("a", "next")]),
        ("<a>", [("a", "")]),
        ("<>; rel=self", [("", "self")]),
        ("< a >;rel=x", [("a", "x")]),
        ("<a,b;c>; rel=x, <d>", [("a,b;c", "x"), ("d", "")]),
        ('<a>; title="x, <no>; rel=no"; rel=yes', [("a", "yes")]),
        ('<a>; REL = next ;; , ,, <b> ; rel = "prev"', [("a", "next"), ("b", "prev")]),
        ("<a>; rel; rel=next", [("a", "")]),
        ("<a>; rel=", [("a", "")]),
        ("<a>; x=1; y; rel=next", [("a", "next")]),
    ],
)  # fmt: skip
def test_values(value, expected):
    assert pairs(value) == expected


@each(
    ("value", "expected"),
    [
        ("", []),
        ("nothing", []),
        (",,;;", []),
        ("<unfinished", []),
        ("noise, <a>; rel=next", [("a", "next")]),
        ("noise <no>; rel=next, <a>; rel=prev", [("a", "prev")]),
        ('<a> noise; rel=next, <b>; rel="prev"', [("a", "next"), ("b", "prev")]),
        ('<a>; rel="next, <b>; rel=prev', [("a", "next"), ("b", "prev")]),
        ("<a>; =x; rel=next, <b>", [("a", "next"), ("b", "")]),
        ("<a>; rel=next, <", [("a", "next")]),
        ("<a>;", [("a", "")]),
    ],
)
def test_malformed_links_are_skipped(value, expected):
    assert pairs(value) == expected


@pytest.mark.parametrize(
    ("value", "title"),
    [
        ("<a>; title=x", "x"),
        (r'<a>; title="a \"b\" \\ c"', 'a "b" \\ c'),
        ("<a>; title*=UTF-8'de'letztes%20Kapitel; title=old", "letztes Kapitel"),
        ("<a>; title*=UTF-8''n%c3%a4chstes", "nächstes"),
        ("<a>; title*=iso-8859-1'en'%A3%20rates", "£ rates"),
        ("<a>; title*=UTF-8''%e2%82; title=x", "\ufffd"),
        ("<a>; title*=klingon''x; title=old", "old"),
        ("<a>; title*=x; title=old", "old"),
        ("<a>; title=first; title=second", "first"),
    ],
)
def test_titles(value, title):
    assert parse(value)[0].title == title


def test_targets_are_joined_with_the_url_of_the_answer():
    links = parse("<?page=2>, <../x#y>, <mailto:a@b>, <http://[>, <>")
    assert [link.url for link in links] == [
        "https://site.test/a/b?page=2", "https://site.test/x", None, None, "https://site.test/a/b?c"
    ]  # fmt: skip


def test_an_anchor_and_other_parameters():
    (link,) = parse('<x>; anchor="/other#part"; hreflang=de; hreflang=fr; media=print; media=screen; type="text/html"')
    assert link.anchor == "https://site.test/other#part"
    assert link.params == (
        ("anchor", "/other#part"), ("hreflang", "de"), ("hreflang", "fr"), ("media", "print"), ("type", "text/html")
    )  # fmt: skip
    assert (link.get("type"), link.get("nope")) == ("text/html", None)


def test_the_field_of_a_response_may_have_several_lines():
    response = Response(URL, headers=[("Link", "<a>; rel=prev"), ("link", "<b>; rel=next")])
    assert [link.rel for link in response.link_header] == [("prev",), ("next",)]
    assert Response(URL).link_header == []


@given(st.text(alphabet=st.sampled_from("<>;,=\"\\' \tarel*%8-\ud800é"), max_size=60) | st.text(max_size=60))
def test_no_value_raises(value):
    for link in parse(value):
        assert link.url is None or link.url.startswith("http")


@given(
    st.lists(
        st.tuples(
            st.text(alphabet="abc/?,;#", max_size=8),
            st.sampled_from(["next", "prev", "up"]),
            st.text(alphabet='ab ",;<>\\', max_size=8),
        ),
        max_size=5,
    )
)
def test_a_link_that_is_written_is_read_back(links):
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    value = ", ".join(f"<{target}>; title={quoted(title)}; rel={rel}" for target, rel, title in links)
    assert [(link.target, link.rel[0], link.title) for link in parse(value)] == links
