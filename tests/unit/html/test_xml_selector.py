"""The same results as parsel 1.12 on XML, except where prefixes are not registered: parsel refuses these in XPath."""

from __future__ import annotations

import time

import pytest
from support.cases import each

from crawler.html import Selector, XmlSelector

SHOP = """<?xml version="1.0" encoding="utf-8"?><?style x?>
<rss xmlns:g="http://base.google.com/ns/1.0" xmlns:media="http://search.yahoo.com/mrss/" version="2.0">
<channel><title>Shop &amp; Co</title><link>https://s.test/</link><!-- c -->
<item><title>One</title><link>https://s.test/1</link><g:price g:unit="EUR">5.00</g:price><guid isPermaLink="no">a</guid>
<description><![CDATA[<p>Big <img src="x.png"></p>]]></description><media:content url="u1"/><br/></item>
<item><title>Two</title><link>https://s.test/2</link><g:price>6.00</g:price><Title>Upper</Title></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:x="urn:x" xml:lang="en"><title>F</title><entry x:a="1" b="2">
<title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><b>T</b></div></title><link href="/1"/><x:n>7</x:n>
</entry></feed>"""
SPACES = {
    "g": "http://base.google.com/ns/1.0",
    "m": "http://search.yahoo.com/mrss/",
    "a": "http://www.w3.org/2005/Atom",
    "h": "http://www.w3.org/1999/xhtml",
    "none": "urn:none",
}
DECLARED = ' xmlns:g="http://base.google.com/ns/1.0" xmlns:media="http://search.yahoo.com/mrss/"'


def registered(text: str) -> XmlSelector:
    selector = XmlSelector(text)
    for prefix, uri in SPACES.items():
        selector.register_namespace(prefix, uri)
    return selector


@each(
    ("query", "expected"),
    [
        ("//item/link/text()", ["https://s.test/1", "https://s.test/2"]),
        ("//g:price/text()", ["5.00", "6.00"]),
        ("//item[g:price > 5.5]/title/text()", ["Two"]),
        ("//m:content/@url", ["u1"]),
        ("//@g:unit", ["EUR"]),
        ("//@*", ["2.0", "EUR", "no", "u1"]),
        ("//*[local-name()='price']/text()", ["5.00", "6.00"]),
        ("name(//g:price)", ["g:price"]),
        ("local-name(//g:price)", ["price"]),
        ("//none:x", []),
        ("//price", []),
        ("//Title/text()", ["Upper"]),
        ("//title[re:test(., '^T')]/text()", ["Two"]),
        ("//description/text()", ['<p>Big <img src="x.png"></p>']),
        ("//br", [f"<br{DECLARED}/>"]),
        ("//comment() | //processing-instruction()", ["<?style x?>", "<!-- c -->"]),
        ("count(//item)", ["2.0"]),
    ],
)
def test_xpath_of_a_feed(query, expected):
    assert registered(SHOP).xpath(query).getall() == expected


@each(
    ("query", "expected"),
    [
        ("item link::text", ["https://s.test/1", "https://s.test/2"]),
        ("item g|price::text", ["5.00", "6.00"]),
        ("*|price::text", ["5.00", "6.00"]),
        ("m|content::attr(url)", ["u1"]),
        ("guid::attr(isPermaLink)", ["no"]),
        ("guid::attr(ispermalink)", []),
        ("Title::text", ["Upper"]),
        ("g|price[g|unit]", [f'<g:price{DECLARED} g:unit="EUR">5.00</g:price>']),
        ("item:has(br) > link::text", ["https://s.test/1"]),
        ("item:contains('Two') link::text", ["https://s.test/2"]),
        ("none|x", []),
    ],
)
def test_css_of_a_feed(query, expected):
    assert registered(SHOP).css(query).getall() == expected


def test_a_default_namespace_is_selected_by_a_registered_prefix():
    feed = registered(ATOM)
    assert feed.xpath("//a:entry/a:link/@href").getall() == feed.css("a|entry a|link::attr(href)").getall() == ["/1"]
    assert feed.xpath("//h:b/text()").getall() == ["T"]
    assert feed.xpath("//@a:b").getall() == []
    assert feed.css("h|div").get() == '<div xmlns="http://www.w3.org/1999/xhtml" xmlns:x="urn:x"><b>T</b></div>'
    assert feed.css("x|n").get() == '<x:n xmlns:x="urn:x" xmlns="http://www.w3.org/2005/Atom">7</x:n>'


def test_a_prefix_that_is_not_registered_is_that_of_the_document():
    shop = XmlSelector(SHOP)
    assert shop.xpath("//g:price/text()").getall() == shop.css("g|price::text").getall() == ["5.00", "6.00"]


def test_namespaces_of_one_expression():
    shop = XmlSelector(SHOP)
    assert shop.xpath("//p:price/text()", {"p": SPACES["g"]}).getall() == ["5.00", "6.00"]
    assert shop.css("item").xpath("p:price/text()", namespaces={"p": SPACES["g"]}).getall() == ["5.00", "6.00"]
    assert shop.xpath("//p:price").getall() == []


def test_results_share_the_namespaces_of_their_document():
    items = XmlSelector(SHOP).css("item")
    items[0].register_namespace("p", SPACES["g"])
    assert items[1].xpath("p:price/text()").get() == "6.00"


def test_removed_namespaces_are_not_needed():
    feed = XmlSelector(ATOM)
    feed.register_namespace("a", SPACES["a"])
    assert len(feed.xpath("//a:entry")) == 1
    feed.remove_namespaces()
    assert feed.css("entry n::text").getall() == feed.xpath("//n/text()").getall() == ["7"]
    assert feed.xpath("//a:entry").getall() == []
    assert feed.css("link").get() == '<link href="/1"/>'


def test_the_text_of_a_description_is_queried_as_html():
    texts = XmlSelector(SHOP).css("description::text")
    assert type(texts[0]) is Selector
    assert texts.css("img::attr(src)").getall() == ["x.png"]


def test_further_methods_of_a_selector():
    shop = XmlSelector(SHOP)
    item = shop.css("item")[0]
    assert item.css("link::text").extract_first() == "https://s.test/1"
    assert item.css("guid").attrib == {"isPermaLink": "no"}
    assert shop.css("rss").attrib == {"version": "2.0"}
    assert item.css("title, g|price").text == "One"
    assert item.re(r"<link>(.*?)</link>") == ["https://s.test/1"]
    assert shop.xpath("//item[title = $title]/link/text()", title="Two").get() == "https://s.test/2"
    item.drop()
    assert shop.css("item title::text").getall() == ["Two"]
    assert XmlSelector("").xpath("//*").getall() == []
    assert XmlSelector("").get() == ""


@pytest.mark.parametrize("query", ["a[", "g|", "g|x[", "::x", "g|*"])
def test_an_invalid_css_selector_is_quoted_as_it_was_written(query):
    with pytest.raises(ValueError) as caught:
        XmlSelector(SHOP).css(query)
    assert str(caught.value).startswith(f"CSS selector {query!r}: ")


@pytest.mark.parametrize("query", ["//a[", "//g:", "//g:x[", "$x", "namespace-uri()", "x:f()"])
def test_an_invalid_expression_is_quoted_as_it_was_written(query):
    with pytest.raises(ValueError) as caught:
        XmlSelector(SHOP).xpath(query)
    assert str(caught.value).startswith(f"XPath expression {query!r}: ")


def test_either_text_or_root_is_given():
    for arguments in ({}, {"text": "<a/>", "root": XmlSelector("<a/>").root}):
        with pytest.raises(TypeError, match="either text or root"):
            XmlSelector(**arguments)


def test_elements_in_a_deep_document_take_linear_time_to_write():
    selector = XmlSelector("<a xmlns:g='u'><b/>" * 3_000)
    started = time.thread_time()
    assert len(selector.css("b").getall()) == 3_000
    assert time.thread_time() - started < 2
