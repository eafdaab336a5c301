"""Where a page leads without scripts: image maps, frames, ``<link>`` and the ``Link`` header field."""

from __future__ import annotations

from support.cases import each

from crawler import html
from crawler.content.link_header import parse_link_header
from crawler.html.page_targets import header_targets, page_targets

URL = "https://site.test/shop/page?p=2"


def found_in(page: str) -> list[str]:
    return page_targets(html.parse(page.encode(), "utf-8"), URL)


@each(
    "page",
    [
        "<map name=m><area href=x></map>",
        "<frameset><frame src=x></frameset>",
        "<frameset><frame src=x><frameset><frame src=x></frameset></frameset>",
        "<iframe src='x'></iframe>",
        "<link rel=next href=x>",
        "<link rel='nofollow PREV' href='x#top'>",
        "<body><p>text<link rel=chapter href=x>",
        "<link rel=alternate hreflang=de href=x>",
        "<link rel=alternate type='text/html; charset=utf-8' href=x>",
        "<link rel='alternate home' type=application/rss+xml href=x>",
        "<noscript><iframe src=x></iframe></noscript>",
        "<base href=/shop/y/z><link rel=next href=../x>",
        "<link rel=next href=mailto:x><link rel=next href=x>",
    ],
)
def test_leads_to_a_page(page):
    assert found_in(page) == ["https://site.test/shop/x"]


@each(
    "page",
    [
        "",
        "<a href=x>x</a>",
        "<link rel=stylesheet href=x>",
        "<link rel='alternate stylesheet' href=x>",
        "<link rel=alternate type=application/rss+xml href=x>",
        "<link rel=alternate type=application/json+oembed href=x>",
        "<link rel=icon href=x><link rel=preload href=x><link rel=pingback href=x>",
        "<link href=x><link rel='' href=x><link rel=next>",
        "<area><iframe></iframe><frame>",
        "<iframe src=about:blank></iframe><iframe src='javascript:x()'></iframe><iframe src='http://['></iframe>",
        "<template><link rel=next href=x><iframe src=x></iframe></template>",
        "<svg><link rel=next href=x></link></svg>",
        "<!-- <link rel=next href=x> --><script>'<iframe src=x>'</script>",
    ],
)
def test_leads_nowhere(page):
    assert found_in(page) == []


def test_the_query_of_a_link_is_in_the_encoding_of_the_page():
    document = html.parse("<link rel=next href='?q=é'>".encode("latin-1"), "windows-1252")
    assert page_targets(document, URL, "windows-1252") == ["https://site.test/shop/page?q=%E9"]


@each(
    ("field", "urls"),
    [
        ("<x>; rel=next", ["https://site.test/shop/x"]),
        ('<x>; rel="last", </y>; rel="first", <x>; rel=next', ["https://site.test/shop/x", "https://site.test/y"]),
        ('<x>; rel=alternate; hreflang=de; type="text/html"', ["https://site.test/shop/x"]),
        ("<x>; rel=next; type=application/json", ["https://site.test/shop/x"]),
        ("<x>; rel=alternate; type=application/json", []),
        (f"<x>; rel=next; anchor='{URL}'".replace("'", '"'), ["https://site.test/shop/x"]),
        ("<x>; rel=next; anchor=/other", []),
        ("<x>; rel=preload, <y>; rel=https://api.w.org/, <z>", []),
        ("<mailto:x>; rel=next, <http://[>; rel=next, <", []),
        ("", []),
    ],
)
def test_the_link_header_field(field, urls):
    assert header_targets(parse_link_header(field, URL), URL) == urls
