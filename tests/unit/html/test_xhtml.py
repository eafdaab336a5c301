"""XHTML sent as XML: empty elements end, and CDATA sections are text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import Response
from crawler.html.xhtml import xhtml_to_html

XHTML = "application/xhtml+xml"
PAGE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><link rel="canonical" href="/c"/>
<script type="text/javascript" src="/a.js"/><style/>
<script>if (a<b/>c) //<![CDATA[ x<y/> ]]></script></head>
<body><a id="top"/><iframe src="/frame"/><textarea name="t" /><div class="a/>b"/><br/>
<!-- <p/> --><p>x<![CDATA[<a href="/no">&amp;]]></p><a href="/x">ä</a></body></html>"""


def page(text: str, kind: str = XHTML) -> Response:
    return Response("https://site.test/", 200, {"Content-Type": kind}, text.encode())


@pytest.mark.parametrize("kind", [XHTML, f"{XHTML}; charset=utf-8", "Application/XHTML+XML"])
def test_an_empty_element_tag_closes_its_element(kind: str) -> None:
    response = page(PAGE, kind)
    assert [link.url.removeprefix("https://site.test") for link in response.links()] == ["/c", "/frame", "/x"]
    assert response.canonical == "https://site.test/c"
    assert response.css("body > *").xpath("name()").getall() == ["a", "iframe", "textarea", "div", "br", "p", "a"]
    assert response.css("div::attr(class)").get() == "a/>b"
    assert response.css("p::text").getall() == ['x<a href="/no">&amp;']
    assert response.css("script:not([src])::text").get() == "if (a<b/>c) //<![CDATA[ x<y/> ]]>"
    assert response.text == PAGE


def test_a_page_that_is_sent_as_html_is_parsed_as_html() -> None:
    assert page(PAGE, "text/html").links() == page(PAGE, "").links()
    assert [link.tag for link in page("<title/><a href=/x>", "text/html").links()] == []


@pytest.mark.parametrize(
    "text", ["<p>", "<a href=/x/>", "<a b='1' href=/x/>", "<br/>", "<p a='<'/>", "< p/>", "<!--<p/>"]
)
def test_other_markup_is_left_unchanged(text: str) -> None:
    assert xhtml_to_html(text) == text


PIECES = ["<p/>", "<p a='", "<![CDATA[", "]]>", "<!--", "-->", "<?", "<script>", "<a ", '"', "/", ">", "<", "x"]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join))
def test_no_text_takes_time_or_room_without_measure(text: str) -> None:
    whole = text * (200_000 // len(text))  # with the square of its size it would take an hour
    assert len(xhtml_to_html(whole)) <= 5 * len(whole)
