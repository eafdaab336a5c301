"""The same results as parsel 1.12: queries on pages, and queries on the results of queries.

The expected values come from parsel. Two deliberate differences are not tested here: attributes without a value are
written as browsers do (``checked=""``), and siblings of an element are not found inside it (``h2 + p`` on an ``h2``).
"""

from __future__ import annotations

import pytest
from support.cases import each

from crawler.html import Selector

SHOP = """<!DOCTYPE html><html lang="en"><head><title>Shop &amp; Co</title><meta name="robots" content="index"></head>
<body class="front page">
<h1 id="top">Books <em>new</em></h1>
<!-- list -->
<ul class="nav"><li><a href="/" title="home">Home</a></li><li
class="on"><a href="/b?x=1&amp;y=2">Books<b>!</b></a></li><li><a name="x">None</a></li></ul>
<div id="list"><div class="book first" data-id="7"><h2>One</h2><p>by <i>Ann</i>, 1999</p><a
href="/one" class="more">more</a></div>
<div class="book" data-id="8"><h2>Two</h2><p>by <i>Bob</i></p><a
href="/two" class="more big">more</a><div class="note">old<p>deep</p></div></div></div>
<h2>End</h2><p>caf&eacute; &lt;3</p><p></p>
<form><input type="checkbox" checked><input name="q" value="a b"></form>
</body></html>"""

PAGE_OF_DIVS = "<div id='a'>1<div id='b'>2<p>3</p>4</div>5<span>6</span></div><div id='c'>7</div>"

CSS = [
    ("title::text", ["Shop & Co"]),
    ("h1::text", ["Books "]),
    ("h1 ::text", ["Books ", "new"]),
    ("h1 *::text", ["Books ", "new"]),
    ("h1 > ::text", ["new"]),
    ("h1>*::text", ["new"]),
    ("a::attr(href)", ["/", "/b?x=1&y=2", "/one", "/two"]),
    ("a::attr('href')", ["/", "/b?x=1&y=2", "/one", "/two"]),
    ("li a::attr(title)", ["home"]),
    ("ul ::attr(href)", ["/", "/b?x=1&y=2"]),
    ("ul::attr(class)", ["nav"]),
    ("html::attr(lang)", ["en"]),
    ("h1::text, h2::text", ["Books ", "One", "Two", "End"]),
    ("h2::text, h1::text", ["Books ", "One", "Two", "End"]),
    ("h2::text, a::attr(href)", ["/", "/b?x=1&y=2", "One", "/one", "Two", "/two", "End"]),
    ("h2, h1::text", ["Books ", "<h2>One</h2>", "<h2>Two</h2>", "<h2>End</h2>"]),
    (".book::attr(data-id), h2::text", ["7", "One", "8", "Two", "End"]),
    ("h2, h2", ["<h2>One</h2>", "<h2>Two</h2>", "<h2>End</h2>"]),
    ("#list .book h2::text", ["One", "Two"]),
    ("div.book > p::text", ["by ", ", 1999", "by "]),
    ("div.book > p ::text", ["by ", "Ann", ", 1999", "by ", "Bob"]),
    ("a.more + div::text", ["old"]),
    ("h2 ~ p::text", ["by ", ", 1999", "by ", "café <3"]),
    ("h2 + ::text", ["by ", ", 1999", "by ", "café <3"]),
    ("h2 ~ ::attr(class)", ["more", "more big", "note"]),
    ("li:first-child a::text", ["Home"]),
    ("li:nth-child(2) ::text", ["Books", "!"]),
    ("li:not(.on) a::attr(href)", ["/"]),
    ("div:has(> i)::text", []),
    ("p:has(i)::text", ["by ", ", 1999", "by "]),
    ("a[href^='/o']::text", ["more"]),
    ("a[class~=big]::attr(href)", ["/two"]),
    ("[data-id]::attr(data-id)", ["7", "8"]),
    ("input:checked::attr(type)", ["checkbox"]),
    ("A.MORE", []),
    ("H1::TEXT", ["Books "]),
    ("a:not([href])", ['<a name="x">None</a>']),
    (":root::attr(lang)", ["en"]),
    ("p:empty", ["<p></p>"]),
    ("body::attr(class)", ["front page"]),
    ("meta[name=robots]::attr(content)", ["index"]),
    ("h1\n,\nh2 ::text", ['<h1 id="top">Books <em>new</em></h1>', "One", "Two", "End"]),
    ("a::text/* c */", ["Home", "Books", "None", "more", "more"]),
    ("p:last-of-type::text", ["by ", ", 1999", "by ", "deep"]),
    ("nothing", []),
    ("a::attr(nothing)", []),
    ("li:nth-last-child(1)::text", []),
    (":is(h1, title)::text", ["Shop & Co", "Books "]),
    ("h1", ['<h1 id="top">Books <em>new</em></h1>']),
    ("li.on", ['<li class="on"><a href="/b?x=1&amp;y=2">Books<b>!</b></a></li>']),
    ("div * ::text", ["One", "by ", "Ann", ", 1999", "more", "Two", "by ", "Bob", "more", "old", "deep"]),
    ("ul > li > a > b::text", ["!"]),
    (
        "a, em",
        [
            "<em>new</em>",
            '<a href="/" title="home">Home</a>',
            '<a href="/b?x=1&amp;y=2">Books<b>!</b></a>',
            '<a name="x">None</a>',
            '<a href="/one" class="more">more</a>',
            '<a href="/two" class="more big">more</a>',
        ],
    ),
]

CSS_INSIDE = [
    (".book", "h2::text", ["One", "Two"]),
    (".book", "::attr(data-id)", ["7", "8"]),
    (".book", "::text", ["One", "by ", "Ann", ", 1999", "more", "Two", "by ", "Bob", "more", "old", "deep"]),
    (".book", "*::text", ["One", "by ", "Ann", ", 1999", "more", "Two", "by ", "Bob", "more", "old", "deep"]),
    (".book", "div.book::attr(data-id)", ["7", "8"]),
    (".book", "#list h2", []),
    (".book", "body h2", []),
    ("li", "li a::text", ["Home", "Books", "None"]),
    ("li", "ul a", []),
    ("li", "a::attr(href)", ["/", "/b?x=1&y=2"]),
    ("li", ":scope > a::text", ["Home", "Books", "None"]),
    (".book", "h2, a::attr(href)", ["<h2>One</h2>", "/one", "<h2>Two</h2>", "/two"]),
    (".book", "div p::text", ["by ", ", 1999", "by ", "deep"]),
    (".book", "div ::text", ["One", "by ", "Ann", ", 1999", "more", "Two", "by ", "Bob", "more", "old", "deep"]),
    (".book", "p ::text", ["by ", "Ann", ", 1999", "by ", "Bob", "deep"]),
    ("html", "h1::text", ["Books "]),
    ("body", "body > h1::text", ["Books "]),
    ("a::text", "b", []),
]

DIVS = [
    ("div::text", ["1", "2", "4", "5", "7"]),
    ("div ::text", ["1", "2", "3", "4", "5", "6", "7"]),
    ("div div ::text", ["2", "3", "4"]),
    ("#a::text", ["1", "5"]),
    ("#a > *::text", ["2", "4", "6"]),
    ("div ::attr(id)", ["a", "b", "c"]),
    ("div::attr(id)", ["a", "b", "c"]),
]

DIVS_INSIDE = [
    ("div", "div::attr(id)", ["a", "b", "b", "c"]),
    ("div", "div div::text", ["2", "4"]),
    ("div", "div ::text", ["1", "2", "3", "4", "5", "6", "2", "3", "4", "7"]),
    ("#a", "div ::text", ["1", "2", "3", "4", "5", "6"]),
    ("#b", "div ::text", ["2", "3", "4"]),
    ("#b", "div > p::text", ["3"]),
    ("#b", "p::text, ::attr(id)", ["b", "3"]),
]

XPATH = [
    ("//h2/text()", ["One", "Two", "End"]),
    ("//a/@href", ["/", "/b?x=1&y=2", "/one", "/two"]),
    ("count(//a)", ["5.0"]),
    ("string(//h1)", ["Books new"]),
    ("boolean(//a)", ["1"]),
    ("boolean(//zz)", ["0"]),
    ("//comment()", ["<!-- list -->"]),
    ("/html/head/title/text()", ["Shop & Co"]),
    ("body/h1/text()", ["Books "]),
    ("./body/@class", ["front page"]),
    ("//a[re:test(@href, '^/[ot]')]/@href", ["/one", "/two"]),
    ("//div[has-class('book')]/@data-id", ["7", "8"]),
    ("//div[has-class('book', 'first')]/@data-id", ["7"]),
    ("//p[contains(., 'caf')]/text()", ["café <3"]),
    ("normalize-space(//h1)", ["Books new"]),
    ("//h2[last()]/text()", ["One", "Two", "End"]),
    ("(//h2)[last()]/text()", ["End"]),
    ("//i/parent::p/text()", ["by ", ", 1999", "by "]),
    ("//h2/following-sibling::p/text()", ["by ", ", 1999", "by ", "café <3"]),
    ("1 div 4", ["0.25"]),
    ("2 + 2", ["4.0"]),
    ("//li[2]//text()", ["Books", "!"]),
    ("//*[@data-id > 7]/@data-id", ["8"]),
    ("concat('a', 'b')", ["ab"]),
    ("//zz", []),
    ("//@data-id", ["7", "8"]),
    ("//p[not(node())]", ["<p></p>"]),
    ("name(//*[@id='top'])", ["h1"]),
    ("//li[a/@title]/a/text()", ["Home"]),
    ("//a[starts-with(@href, '/b')]/@href", ["/b?x=1&y=2"]),
    ("substring-after(//title, '& ')", ["Co"]),
]

XPATH_INSIDE = [
    ("li", "./a/@href", ["/", "/b?x=1&y=2"]),
    ("li", ".//text()", ["Home", "Books", "!", "None"]),
    (
        "li",
        "a",
        ['<a href="/" title="home">Home</a>', '<a href="/b?x=1&amp;y=2">Books<b>!</b></a>', '<a name="x">None</a>'],
    ),
    ("li", "//h1/text()", ["Books ", "Books ", "Books "]),
    ("li", "../@class", ["nav", "nav", "nav"]),
    ("li", "string(.)", ["Home", "Books!", "None"]),
    ("li", "count(a)", ["1.0", "1.0", "1.0"]),
    ("h2", "following-sibling::p[1]/text()", ["by ", ", 1999", "by ", "café <3"]),
    ("i", "ancestor::div/@data-id", ["7", "8"]),
    (".book", "self::div/@class", ["book first", "book"]),
    (".book", ".//i", ["<i>Ann</i>", "<i>Bob</i>"]),
    ("h1", "text()", ["Books "]),
    ("a", "@*", ["/", "home", "/b?x=1&y=2", "x", "/one", "more", "/two", "more big"]),
    ("a::text", "//a", []),
]


@each(("query", "found"), CSS)
def test_css_on_a_page(query, found):
    assert Selector(SHOP).css(query).getall() == found


@each(("within", "query", "found"), CSS_INSIDE)
def test_css_inside_of_elements(within, query, found):
    assert Selector(SHOP).css(within).css(query).getall() == found


@pytest.mark.parametrize(("query", "found"), DIVS)
def test_css_finds_the_texts_of_nested_elements_once_and_in_document_order(query, found):
    assert Selector(PAGE_OF_DIVS).css(query).getall() == found


@pytest.mark.parametrize(("within", "query", "found"), DIVS_INSIDE)
def test_css_inside_of_nested_elements(within, query, found):
    assert Selector(PAGE_OF_DIVS).css(within).css(query).getall() == found


@each(("query", "found"), XPATH)
def test_xpath_on_a_page(query, found):
    assert Selector(SHOP).xpath(query).getall() == found


@each(("within", "query", "found"), XPATH_INSIDE)
def test_xpath_relative_to_elements(within, query, found):
    assert Selector(SHOP).css(within).xpath(query).getall() == found


@pytest.mark.parametrize(
    ("query", "pattern", "found"),
    [
        ("p::text", r"by", ["by", "by"]),
        ("p", r"(\w+)</i>", ["Ann", "Bob"]),
        (".book p", r"<i>(\w)(\w+)", ["A", "nn", "B", "ob"]),
        ("p::text", r"(?P<extract>\d+)", ["1999", "3"]),
        ("a::attr(href)", r"[a-z]+", ["b", "x", "y", "one", "two"]),
        ("a::attr(href)", r"(\d)|(x)", ["", "x", "1", "", "2", ""]),
        ("p", r"x?y", ["y", "y"]),
        ("h1", r"nothing", []),
    ],
)
def test_regular_expressions(query, pattern, found):
    assert Selector(SHOP).css(query).re(pattern) == found
    assert Selector(SHOP).css(query).re_first(pattern) == (found[0] if found else None)
    assert Selector(SHOP).css(query).re_first(pattern, "none") == (found[0] if found else "none")
