"""`FastHtmlResponse` selects what an `HtmlResponse` selects."""

from __future__ import annotations

import pytest
from crawler_plugins.scrapy.fast_responses import FastHtmlResponse
from scrapy.http import HtmlResponse
from scrapy.utils.response import get_base_url

import crawler

URL = "https://site.test/"
BODY = """<html><head><title>A &amp; B</title><meta name=d content=" x "></head><body class="home page">
<h1 id=top>One <b>two</b> three<!-- c --></h1><a class=more href="/a?b=1&amp;c=2">L</a><a name=n>N</a>
<p>first<p>second<span class=s>ä</span></p><table><tr><td>cell</td></tr></table><img src=i.png alt=""></body></html>"""
QUERIES = [
    "title::text", "h1::text", "a::attr(href)", "a.more::attr(href)", ".more::text", "#top::text", "h1#top::text",
    "meta::attr(content)", "img::attr(alt)", "span.s::text", "b::text", "nothing::text", "a::attr(class)",
    "td::text", "p::text", "body::attr(class)", "h1 b::text", "a", "a:first-child::text", "*::text",
]  # fmt: skip


def responses(body=BODY):
    page = crawler.Response(URL, 200, {"content-type": "text/html; charset=utf-8"}, body.encode())
    arguments = {"url": URL, "body": page.body, "headers": {"Content-Type": "text/html; charset=utf-8"}}
    return HtmlResponse(**arguments), FastHtmlResponse.of(page, **arguments)


@pytest.mark.parametrize("query", QUERIES)
def test_the_results_are_the_same(query):
    plain, fast = responses()
    found = fast.css(query)
    assert found.getall() == plain.css(query).getall()
    assert found.get() == plain.css(query).get()
    assert type(found) is type(plain.css(query))


def test_a_text_is_cleaned_by_the_methods_of_selectors():
    _, fast = responses()
    assert fast.css("title::text").re_first(r"\w &") == "A &"
    assert fast.css("h1::text").extract_first() == "One "


def test_line_ends_are_those_of_the_page():
    plain, fast = responses("<h1>a\r\nb</h1>")
    assert fast.css("h1::text").getall() == plain.css("h1::text").getall()


def test_the_tree_is_shared_with_the_crawl_and_made_again_for_a_copy():
    page = crawler.Response(URL, 200, {"content-type": "text/html; charset=utf-8"}, BODY)
    fast = FastHtmlResponse.of(page, url=URL, body=page.body, encoding="utf-8")
    assert fast.document is page.document
    copy = fast.replace(body=b"<title>new</title>")
    assert type(copy) is FastHtmlResponse
    assert copy.css("title::text").get() == "new"


@pytest.mark.parametrize(
    "body",
    [
        "<base href='/a/'>",
        "<!-- <base href='/b/'> --><BASE href=https://other.test/c>",
        "é<base href='/d/'>",
        f"{' ' * 4096}<base href='/e/'>",
        f"{' ' * 4080}<base href='/f/'>",
        "",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_base_is_that_of_scrapy(body, encoding):
    plain, fast = (
        kind(URL, body=body.encode(encoding), encoding=encoding) for kind in (HtmlResponse, FastHtmlResponse)
    )
    assert fast.base == get_base_url(plain)
