"""`FastHtmlResponse` selects what an `HtmlResponse` selects."""

from __future__ import annotations

import pytest
from crawler_plugins.scrapy.fast_responses import FastHtmlResponse
from crawler_plugins.scrapy.private import fields_of
from scrapy.http import HtmlResponse
from scrapy.link import Link
from scrapy.utils.response import get_base_url
from support.cases import each

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
    arguments = {"url": URL, "body": body.encode(), "headers": {"Content-Type": "text/html; charset=utf-8"}}
    return HtmlResponse(**arguments), FastHtmlResponse(**arguments)


@each("query", QUERIES)
def test_the_results_are_the_same(query):
    plain, fast = responses()
    found = fast.css(query)
    assert found.getall() == plain.css(query).getall()
    assert found.get() == plain.css(query).get()
    assert isinstance(found, type(plain.css(query)))
    assert repr(found) == repr(plain.css(query))


PATHS = [
    "//title/text()", "//h1/text()", "//a/@href", "//a/@class", "//b/text()", "//img/@alt", "//nothing/@a", "//A/@href",
    "//td/text()", "//p/text()", "//a", "//a[@name]/text()", "//*/@href", "//h1//text()", "/html", "//meta/@content",
]  # fmt: skip


@each("path", PATHS)
def test_the_results_of_paths_are_the_same(path):
    plain, fast = responses()
    assert repr(fast.xpath(path)) == repr(plain.xpath(path))
    assert fast.xpath(path).getall() == plain.xpath(path).getall()
    assert fast.xpath("//a[@class=$c]/@href", c="more").get() == "/a?b=1&c=2"


GIVEN = [{}, {"callback": print}, {"callback": print, "method": "POST", "body": "ä", "encoding": "cp1252"},
         {"meta": {"a": 1}, "cb_kwargs": {"b": 2}, "dont_filter": True, "priority": 3, "headers": {"A": "b"}},
         {"flags": ["f"], "cookies": {"c": "d"}, "errback": repr}, {"encoding": None}]  # fmt: skip


@each("given", GIVEN)
@each("target", ["a", "/b#c", "?d", " e ", "", Link("https://other.test/f"), "ä"])
def test_requests_follow_the_same_links(given, target):
    plain, fast = responses()
    made = [response.follow(target, **given) for response in (plain, fast)]
    assert fields_of(made[0]) == fields_of(made[1])
    assert [one.url for one in fast.follow_all([target], **given)] == [made[0].url]
    options = dict(given)
    callback = options.pop("callback", None)
    assert fast.follow(target, callback, options.pop("method", "GET"), **options).method == made[0].method


def test_selectors_are_followed_and_other_elements_are_refused():
    plain, fast = responses()
    for response in (plain, fast):
        assert response.follow(response.css("a")[0]).url == "https://site.test/a?b=1&c=2"
        assert response.follow(response.css("a::attr(href)")[0]).url == "https://site.test/a?b=1&c=2"
        assert [one.url for one in response.follow_all(css="a")] == ["https://site.test/a?b=1&c=2"]
        for wrong in (None, response.css("a::attr(href)"), 5):
            with pytest.raises((ValueError, TypeError)):
                response.follow(wrong)


def test_a_text_is_cleaned_by_the_methods_of_selectors():
    _, fast = responses()
    assert fast.css("title::text").re_first(r"\w &") == "A &"
    assert fast.css("h1::text").extract_first() == "One "


def test_line_ends_are_those_of_the_page():
    plain, fast = responses("<h1>a\r\nb</h1>")
    assert fast.css("h1::text").getall() == plain.css("h1::text").getall()


def test_the_tree_is_made_once_and_again_for_a_copy():
    _, fast = responses()
    assert fast.document is fast.document
    copy = fast.replace(body=b"<title>new</title>")
    assert type(copy) is FastHtmlResponse
    assert copy.css("title::text").get() == "new"


FORMS = [
    b"", b"a", "é".encode(), b"\xff", b"\xef\xbb\xbfa", b"\xff\xfea\0", b"\xfe\xff\0a", b"\0\0\xfe\xff\0\0\0a",
    b"<meta charset=latin1>", b"<meta charset='koi8-r'>", b'<META CharSet="utf-8"/>', b"<meta name=charset>",
    b"<meta http-equiv=content-type content='text/html; charset=windows-1251'>", b"<meta charset",
    b"<meta content='text/html; charset=windows-1251' http-equiv=content-type>",
    b"<meta content='text/html; charset=koi8-r>x' http-equiv=content-type>", b"<meta content='charset=koi8-r>'>",
    b"<meta content='text/html; charset=koi8-r>' charset=utf-8 http-equiv=content-type>",
    b"<!-- <meta charset=utf-8> --><meta charset=koi8-r>", b"<!-- charset> --><meta charset=koi8-r>", b"charset>",
    b"<?xml version='1.0' encoding='iso-8859-2'?><meta charset=utf-8>", b"<body><meta charset=utf-8>",
    b"<title>charset></title><meta charset=koi8-r>", b"<meta charset=nothing><meta charset=koi8-r>",
    b" " * 4090 + b"<meta charset=koi8-r>", b" " * 4070 + b"<meta charset=koi8-r>",
    b"<meta a='charset>'><meta charset=koi8-r>",
]  # fmt: skip
TYPES = [None, "text/html", "text/html; charset=koi8-r", "text/html; charset=nothing", 'text/html; a="charset=koi8-r"']


@each("content_type", TYPES)
@each("body", FORMS)
def test_the_encoding_is_that_of_scrapy(body, content_type):
    headers = {} if content_type is None else {"Content-Type": content_type}
    plain, fast = (kind(URL, headers=headers, body=body) for kind in (HtmlResponse, FastHtmlResponse))
    assert [fast.encoding, fast.encoding, fast.text] == [plain.encoding, plain.encoding, plain.text]
    named = FastHtmlResponse(URL, headers=headers, body=body, encoding="utf-16")
    assert named.encoding == "utf-16"


@pytest.mark.parametrize("base", ["", "<base href='/d/'>", "<BASE HREF=https://o.test/e/>"])
def test_selectors_have_the_base_that_scrapy_finds(base):
    plain, fast = responses(BODY.replace("<head>", f"<head>{base}"))
    for response in (plain, fast):
        assert response.css("a")[0].root.base_url == get_base_url(plain)
        assert [response.follow(one).url for one in response.css("a.more")] == [plain.urljoin("/a?b=1&c=2")]
        with pytest.raises(ValueError, match="Only <a> and <link> elements"):
            response.follow(response.css("p")[0])


@each("body", ["<base href='/a/'>", "é<BASE href=https://o.test/c>", f"{' ' * 4080}<base href='/f/'>", ""])
@each("encoding", ["utf-8", "utf-16"])
def test_the_base_is_that_of_scrapy(body, encoding):
    content = body.encode(encoding)
    plain, fast = (kind(f"{URL}a b", body=content, encoding=encoding) for kind in (HtmlResponse, FastHtmlResponse))
    assert fast.base == get_base_url(plain)
