"""`Response`: its text, its links, the requests it makes, and a body that is parsed at most once."""

from __future__ import annotations

import sys
from urllib.parse import urljoin

import pytest
from support.cases import each

from crawler import Headers, Request, Response, Retry, html
from crawler.html import Link
from crawler.html.page_targets import page_targets
from crawler.http.redirects import refresh_targets
from crawler.messages.page_links import LinkFilter

URL = "https://site.test/shop/list?page=1"
PAGE = """<!doctype html><html><head><title> The
 shop </title><link rel="next" href="?page=2"></head><body>
<a href="a.html">A</a> <a href="/b#top">B</a> <a href="a.html#more">A again</a> <a href="mailto:x@site.test">mail</a>
<a>no link</a> <a href="javascript:void(0)">script</a> <a href=" https://other.test ">other</a> <a href="https://[">broken</a>
<ul><li class="next"><a href="?page=2">next</a></li></ul> <img src="a.png"> <iframe src="frame.html"></iframe>
</body></html>"""
LINKS = [
    "https://site.test/shop/a.html",
    "https://site.test/b",
    "https://other.test/",
    "https://site.test/shop/list?page=2",
]


def page(body: str | bytes = PAGE, url: str = URL, **options) -> Response:
    return Response(url, 200, {"Content-Type": "text/html; charset=utf-8"}, body, **options)


@pytest.fixture
def parses(monkeypatch):
    """The bodies that were parsed."""
    parsed: list[bytes] = []
    parse = html.parse
    monkeypatch.setattr(html, "parse", lambda body, label: parsed.append(body) or parse(body, label))
    return parsed


# ---- attributes ------------------------------------------------------------------------------------------------------


def test_a_response_has_its_request():
    request = Request(URL, meta={"a": 1}, cb_kwargs={"b": 2}).replace(depth=3, redirects=("https://site.test/old",))
    response = Response(URL, 404, {"ETag": "x"}, b"no", request=request, elapsed=0.5, attempt=2, source="cache")
    assert (response.url, response.status, response.headers["etag"], response.body) == (URL, 404, "x", b"no")
    assert (response.request, response.meta, response.cb_kwargs) == (request, {"a": 1}, {"b": 2})
    assert (response.redirects, response.depth) == (("https://site.test/old",), 3)
    assert (response.elapsed, response.attempt, response.source) == (0.5, 2, "cache")
    assert repr(response) == f"<Response 404 {URL}>"


def test_by_default_a_response_belongs_to_a_request_of_its_url():
    response = Response(URL)
    assert response.request == Request(URL)
    assert (response.status, response.headers, response.body, response.attempt, response.source) == (
        200,
        {},
        b"",
        1,
        "network",
    )


def test_a_response_has_no_room_for_anything_else():
    with pytest.raises(AttributeError):
        Response(URL).other = 1  # type: ignore[attr-defined]


def test_a_copy_keeps_unchanged_values():
    response = page(request=Request(URL, meta={"a": 1}), elapsed=1.0, attempt=3, source="cache")
    link_filter = LinkFilter({LINKS[0]}, lambda url, depth: "scope" if "other" in url else None)
    response._bind(link_filter)
    copy = response.replace(status=203, body=b"<a href='a.html'>", headers=[("Content-Type", "text/html"), ("A", "b")])
    assert (copy.url, copy.status, copy.body, copy.headers["a"]) == (URL, 203, b"<a href='a.html'>", "b")
    assert (copy.request, copy.elapsed, copy.attempt, copy.source) == (response.request, 1.0, 3, "cache")
    assert list(copy.follow_all()) == []
    assert link_filter.repeats == 1
    assert list(response.replace().headers.pairs) == list(response.headers.pairs)


# ---- text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "text"),
    [
        ("ü".encode(), "text/html; charset=utf-8", "utf-8", "ü"),
        ("ü".encode("latin-1"), "text/html; charset=iso-8859-1", "windows-1252", "ü"),
        ("\u20ac".encode("cp1252"), "text/html; charset=ISO-8859-1", "windows-1252", "\u20ac"),
        ("日本".encode("shift_jis"), "text/plain; charset=Shift_JIS", "shift_jis", "日本"),
        (b'<meta charset="windows-1251">\xcf', None, "windows-1251", '<meta charset="windows-1251">П'),
        (b"\xef\xbb\xbf\xc3\xbc", "text/html; charset=iso-8859-1", "utf-8", "ü"),
        ("\ufeffü".encode("utf-16-le"), "text/html; charset=utf-8", "utf-16le", "ü"),
        (b"a\xffb", "text/html; charset=utf-8", "utf-8", "a\ufffdb"),
        (b"", None, "utf-8", ""),
    ],
)
def test_text_is_decoded_as_browsers_do(body, content_type, encoding, text):
    response = Response(URL, 200, {} if content_type is None else {"Content-Type": content_type}, body)
    assert (response.encoding.lower(), response.text) == (encoding, text)


@pytest.mark.parametrize("charset", ["none-such", "", "utf-8\x00", "base64", '"', "utf-8; utf-16"])
def test_no_charset_breaks_the_text(charset):
    assert "a" in Response(URL, 200, {"Content-Type": f"text/html; charset={charset}"}, b"a\xff").text


def test_a_body_may_be_given_as_text():
    assert Response(URL, body="ü").body == "ü".encode()


@each(
    ("headers", "body", "is_html"),
    [
        ({"Content-Type": "text/html"}, b"", True),
        ({"content-type": " TEXT/HTML ; charset=x"}, b"{}", True),
        ({"Content-Type": "application/xhtml+xml"}, b"", True),
        ({"Content-Type": "application/json"}, b"<html>", False),
        ({"Content-Type": "text/plain"}, b"<html>", False),
        ({"Content-Type": "image/svg+xml"}, b"<svg>", False),
        ({}, b"\n <!DOCTYPE html>", True),
        ({}, b"<HTML>", True),
        ({"Content-Type": ""}, b"<html>", True),
        ({}, b'{"a": "<html>"}', False),
        ({}, b"", False),
    ],
)
def test_which_responses_are_html(headers, body, is_html):
    assert Response(URL, 200, headers, body).is_html is is_html


# ---- queries ---------------------------------------------------------------------------------------------------------


def test_elements_texts_and_attributes():
    response = page()
    assert response.css("li.next a::attr(href)").get() == "?page=2"
    assert response.css("a::text").getall()[:2] == ["A", "B"]
    assert response.xpath("//li[@class=$kind]/a/text()", kind="next").get() == "next"
    assert response.xpath("count(//li)").get() == "1.0"
    assert response.selector.css("title::text").get() == " The\n shop "


@pytest.mark.parametrize("query", ["a[", "::attr()", "a::nothing()"])
def test_an_invalid_query_is_refused(query):
    with pytest.raises(ValueError):
        page().css(query)
    with pytest.raises(ValueError):
        page().xpath("//a[")


def test_a_body_is_parsed_once_for_all_queries(parses):
    response = page()
    assert parses == []
    response.css("a")
    response.xpath("//a")
    response.links()
    response.hrefs()
    list(response.follow_all("a"))
    response.urljoin("x")
    assert response.document is response.document
    assert len(parses) == 1


def test_a_body_that_is_not_html_is_not_parsed_for_links(parses):
    response = Response(URL, 200, {"Content-Type": "application/json"}, b'"<a href=x>"')
    assert response.links() == response.hrefs() == list(response.follow_all()) == []
    assert response.urljoin("x") == "https://site.test/shop/x"
    assert response.follow("x").url == "https://site.test/shop/x"
    assert parses == []


def test_a_body_that_is_not_html_is_parsed_for_a_selector(parses):
    assert Response(URL, 200, {"Content-Type": "text/plain"}, b"<a>x</a>").css("a::text").get() == "x"
    assert len(parses) == 1


FEED = b"<rss xmlns:g='u'><item><link>/1</link><g:price>5</g:price></item></rss>"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/rss+xml; charset=utf-8", FEED),
        ("text/xml", FEED),
        ("application/xml", FEED[:-12]),
        ("", b"\xef\xbb\xbf <?xml version='1.0'?>" + FEED),
        ("text/plain", b"<?xml version='1.0'?>" + FEED),
        ("application/octet-stream", ("\ufeff<?xml version='1.0'?>" + FEED.decode()).encode("utf-16-be")),
        ("application/octet-stream", ("\ufeff<?xml version='1.0'?>" + FEED.decode()).encode("utf-16-le")),
    ],
)
def test_xml_is_selected_as_xml(content_type, body):
    response = Response(URL, 200, {"Content-Type": content_type} if content_type else {}, body)
    assert response.css("item link::text").getall() == ["/1"]
    assert response.xpath("//g:price/text()").getall() == ["5"]
    assert response.xpath("//p:price/text()", namespaces={"p": "u"}).getall() == ["5"]
    assert [one.url for one in response.follow_all(css="link::text")] == ["https://site.test/1"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<?xml version='1.0'?>" + FEED),
        ("application/xhtml+xml", b"<?xml version='1.0'?>" + FEED),
        ("", b"<?xml version='1.0'?><html><g:price>5</g:price></html>"),
        ("text/plain", FEED),
    ],
)
def test_a_page_is_selected_as_html(content_type, body):
    response = Response(URL, 200, {"Content-Type": content_type} if content_type else {}, body)
    assert response.css("body").get() is not None
    assert response.xpath("//g:price/text()", namespaces={"g": "u"}).getall() == ["5"]


@pytest.mark.parametrize(
    ("body", "content_type", "value"),
    [
        (b'{"a": [1, 2.5, null, "\xc3\xbc"]}', "application/json", {"a": [1, 2.5, None, "ü"]}),
        (b"\xef\xbb\xbf[1]", "application/json", [1]),
        ('{"a": "ü"}'.encode("utf-16"), "application/json", {"a": "ü"}),
        ('{"a": "ü"}'.encode("latin-1"), "application/json; charset=iso-8859-1", {"a": "ü"}),
        (b" 5 ", "text/plain", 5),
        (b"null", "application/json", None),
    ],
)
def test_json(body, content_type, value):
    assert Response(URL, 200, {"Content-Type": content_type}, body).json() == value


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{", b"[1,]", b"NaN", b"\xff\xfe\x00", b"[" * 100_000, b"1" * 5000 + b"x"]
)
def test_a_body_that_is_not_json_is_refused_with_its_url(body):
    with pytest.raises(ValueError, match="^the body of https://site.test/shop/list.* is not JSON: "):
        Response(URL, body=body).json()


def test_jmespath():
    response = Response(URL, body=b'{"items": [{"name": "a"}, {"name": "b"}]}')
    assert response.jmespath("items[*].name").getall() == ["a", "b"]
    assert response.jmespath("items[0].name").get() == "a"
    assert response.jmespath("nothing").get() is None


# ---- links -----------------------------------------------------------------------------------------------------------


def test_hrefs_are_web_urls_without_fragment_each_once_in_order():
    assert page().hrefs() == LINKS


def test_the_hrefs_of_a_large_page_are_read_in_steps(monkeypatch):
    assert list(page().hrefs_in_steps()) == []  # in one step, when they are asked for
    monkeypatch.setattr("crawler.messages.page_links.LARGE", 0)
    monkeypatch.setattr(sys.modules["crawler.html.links"], "BATCH", 2)
    assert [request.url for request in page().follow_all()] == LINKS
    response = page()
    steps = list(response.hrefs_in_steps())
    assert set(steps) == {None}
    assert len(steps) >= 3 + len(LINKS) // 2
    monkeypatch.setattr("crawler.html.hrefs", None)
    assert response.hrefs() == [request.url for request in response.follow_all()] == LINKS
    assert list(response.hrefs_in_steps()) == []
    assert list(Response(URL, headers={"Content-Type": "text/plain"}, body="<a href=/>").hrefs_in_steps()) == []


def test_the_links_that_a_large_page_does_not_vouch_for_are_found_in_steps(monkeypatch):
    monkeypatch.setattr("crawler.messages.page_links.LARGE", 0)
    response = page("<a href=/a rel=nofollow>a</a><a href=/b>b</a>")
    response._filter = LinkFilter(obey_nofollow=True)
    assert set(response.hrefs_in_steps()) == {None}
    monkeypatch.setattr("crawler.html.nofollow_urls", None)
    assert [request.url for request in response.follow_all()] == [urljoin(URL, "/b")]
    assert response._filter.refused == [("nofollow", urljoin(URL, "/a"))]


def test_the_list_of_hrefs_is_the_callers_own():
    response = page()
    response.hrefs().clear()
    assert response.hrefs() == LINKS


def test_links_know_their_element():
    links = page().links()
    assert all(isinstance(link, Link) for link in links)
    assert {link.tag for link in links} == {"a", "link", "iframe"}
    assert [link.text for link in links if link.tag == "a"] == ["A", "B", "A again", "other", "next"]


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("x", "https://site.test/shop/x"),
        ("", URL),
        ("?page=2", "https://site.test/shop/list?page=2"),
        ("#top", URL),
        ("//other.test/x#y", "https://other.test/x"),
        ("../../..", "https://site.test/"),
    ],
)
def test_urljoin(href, url):
    assert page().urljoin(href) == url


@pytest.mark.parametrize("href", ["mailto:a@b.test", "javascript:x", "https://[", "ftp://site.test/"])
def test_a_reference_that_is_not_a_web_link_cannot_be_followed(href):
    for method in (page().urljoin, page().follow):
        with pytest.raises(ValueError, match="^not a web link: .* on https://site.test/shop/list"):
            method(href)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ('<base href="/other/">', "https://site.test/other/x"),
        ('<base href="https://cdn.test/a/b?c">', "https://cdn.test/a/x"),
        ('<base href="sub/">', "https://site.test/shop/sub/x"),
        ('<base target="_top">', "https://site.test/shop/x"),
        ('<base href="data:,a">', "https://site.test/shop/x"),
        ('<base href="/first/"><base href="/second/">', "https://site.test/first/x"),
        ('<base href="/a#/b/c">', "https://site.test/x"),
    ],
)
def test_base_is_heeded_everywhere(base, url):
    response = page(f"{base}<a href=x>x</a>")
    assert response.urljoin("x") == url
    assert response.hrefs() == [url]
    assert [link.url for link in response.links()] == [url]
    assert response.follow("x").url == response.follow(response.css("a")[0]).url == url
    assert [request.url for request in response.follow_all()] == [url]
    assert [request.url for request in response.follow_all(["x"])] == [url]


# ---- requests --------------------------------------------------------------------------------------------------------


def test_follow_makes_a_request_one_link_deeper():
    response = page(request=Request(URL).replace(depth=4, redirects=("https://site.test/old",)))
    request = response.follow("x", "parse_item", meta={"a": 1}, priority=2)
    assert (request.url, request.callback, request.meta, request.priority) == (
        "https://site.test/shop/x", "parse_item", {"a": 1}, 2
    )  # fmt: skip
    assert (request.depth, request.redirects) == (5, ())


def test_the_targets_that_follow_takes():
    response = page()
    [link] = [link for link in response.links() if link.tag == "iframe"]
    for target in (
        link,
        link.url,
        response.css("iframe")[0],
        response.xpath("//iframe")[0],
        response.css("iframe::attr(src)")[0],
    ):
        assert response.follow(target).url == "https://site.test/shop/frame.html"


@pytest.mark.parametrize("query", ["title", "li", "title::text"])
def test_an_element_that_does_not_link_cannot_be_followed(query):
    target = page("<title>mailto:a@b.test</title><ul><li>").css(query)[0]
    with pytest.raises(ValueError, match="not a web link"):
        page().follow(target)


def test_a_link_without_href_cannot_be_followed():
    with pytest.raises(ValueError, match="not a web link"):
        page("<a>x</a>").follow(page("<a>x</a>").css("a")[0])
    with pytest.raises(ValueError, match="not a web link"):
        page().follow(None)


def test_follow_all_joins_targets_lazily():
    asked: list[int] = []

    def targets():
        for n in range(3):
            asked.append(n)
            yield f"/{n % 2}"

    found = page("").follow_all(targets())
    assert next(found).url.endswith("/0")
    assert asked == [0]
    assert [request.url[-2:] for request in found] == ["/1"]


def test_follow_all_is_every_link_of_the_page():
    requests = list(page(request=Request(URL).replace(depth=1)).follow_all(callback="parse_item"))
    assert [request.url for request in requests] == LINKS
    assert {request.callback for request in requests} == {"parse_item"}
    assert {request.depth for request in requests} == {2}


@pytest.mark.parametrize("options", [{}, {"callback": "parse_item"}, {"callback": "parse_item", "priority": 1}])
def test_follow_all_makes_the_requests_that_follow_makes(options):
    hrefs = ["/a", "//u:p%20w@other.test/b?c=%C3%A9", "http://user@site.test", "?d", "../..//e/%2e/f#g"]
    response = page("".join(f"<a href='{href}'>" for href in hrefs))
    assert list(response.follow_all(**options)) == [response.follow(href, **options) for href in hrefs]


def test_requests_of_one_page_share_nothing_that_may_change():
    one, other, *_ = page().follow_all()
    one.meta["seen"] = one.cb_kwargs["seen"] = one.plugins["seen"] = True
    assert other.meta == other.cb_kwargs == other.plugins == {}


@pytest.mark.parametrize(
    "choice",
    [
        {"targets": "li.next a"},
        {"css": "li.next a"},
        {"css": "li.next a::attr(href)"},
        {"xpath": "//li[@class='next']/a"},
        {"xpath": "//li[@class='next']/a/@href"},
        {"targets": ["?page=2"]},
        {"targets": ["https://site.test/shop/list?page=2#x", "?page=2"]},
    ],
)
def test_some_links_can_be_chosen(choice):
    assert [request.url for request in page().follow_all(**choice)] == ["https://site.test/shop/list?page=2"]


def test_targets_of_all_kinds_may_be_mixed_and_repeats_and_no_links_are_left_out():
    response = page()
    targets = [*response.css("a"), "x", response.links()[0], "mailto:a@b.test", "x#y", None]
    assert [request.url for request in response.follow_all(targets)] == [*LINKS, "https://site.test/shop/x"]


def test_no_targets_are_not_all_links():
    assert list(page().follow_all([])) == []
    assert list(page().follow_all(css="li.previous a")) == []


def test_robots_directives_are_read_at_first_use():
    headers = {"Content-Type": "text/html", "X-Robots-Tag": "NoArchive, ourbot: nosnippet"}
    response = Response(URL, headers=headers, body="<meta name=robots content=noindex><meta name=OurBot content=none>")
    assert response.robots == {"noarchive", "noindex"}
    again = response.replace(status=404)
    again._bind(LinkFilter(agent="OurBot"))
    assert again.robots == {"noarchive", "nosnippet", "noindex", "nofollow"}
    assert again.replace().robots == again.robots
    picture = Response(URL, headers={"Content-Type": "image/png", "x-robots-tag": "none"}, body="<meta name=robots>")
    assert picture.robots == {"noindex", "nofollow"}
    assert Response(URL).robots == frozenset()


def test_a_wrong_option_is_refused():
    with pytest.raises(TypeError, match="priority must be int"):
        list(page().follow_all(priority="high"))


def test_defer_asks_for_the_page_again():
    assert page().defer(60, "empty") == Retry("empty", after=60)
    assert page().defer(1).after == 1


def test_headers_may_be_given_in_any_form():
    for fields in ({"A": "b"}, [("A", "b")], Headers({"A": "b"})):
        assert Response(URL, 200, fields).headers["a"] == "b"


@pytest.mark.parametrize(
    ("content_type", "body", "markdown"),
    [
        ("text/html", "<nav>n</nav><p>x", "x"),
        ("application/xhtml+xml", "<html xmlns='http://www.w3.org/1999/xhtml'><body><p>x</p></body></html>", "x"),
        ("text/markdown; charset=utf-8", "# x [y](z)", "# x [y](z)"),
        ("text/plain", "a\n```\nb", "````\na\n```\nb\n````"),
        ("application/json", "{}", "```\n{}\n```"),
        ("image/png", b"\x89PNG\r\n\x1a\n\x00", ""),
        ("text/html", "", ""),
    ],
)
def test_markdown_of_every_kind_of_body(content_type, body, markdown):
    response = Response("https://site.example/", 200, {"content-type": content_type}, body)
    assert response.markdown() == markdown
    assert response.article().markdown == (markdown if markdown == "x" else "")


def test_the_whole_page_has_its_navigation():
    response = Response("https://site.example/", 200, {"content-type": "text/html"}, "<nav>n</nav><p>x")
    assert response.markdown(whole=True) == "n\n\nx"


def test_the_content_of_a_page_with_very_many_tags_is_that_of_its_beginning(monkeypatch, caplog):
    monkeypatch.setattr("crawler.messages.page_body.MAX_READ_TAGS", 8)
    long = page(
        "<meta property=og:url content=a><form id=f><input name=a></form><p>one</p><p>two</p>"
        "<meta property=og:url content=b><form id=g></form><p>three</p>"
    )
    assert long.markdown() == long.article().markdown == "one\n\ntwo"
    assert long.data().opengraph["og:url"] == [urljoin(URL, "a")]
    assert list(long.form().fields) == list(long.form("#f").fields) == ["a"]
    with pytest.raises(ValueError, match="has no form with id 'g'"):
        long.form(id="g")
    assert long.css("p::text").getall() == ["one", "two", "three"]
    assert "has very many tags" in caplog.text
    assert page("<p>one</p>" * 4).markdown() == "\n\n".join(["one"] * 4)


METADATA = {
    "robots_directives": ("<meta name=robots content=a{n}>", lambda page: page.robots),
    "refresh": ("<meta http-equiv=refresh content='{n};url=a{n}'>", refresh_targets),
    "page_relations": ("<link rel=alternate hreflang=a{n} href=b{n}>", lambda page: page.alternates),
    "page_targets": (
        "<link rel=author href=c{n}>", lambda page: page_targets(page.document, page.url, page.encoding)
    ),
}  # fmt: skip


@pytest.mark.parametrize("module", METADATA)
def test_of_very_many_elements_of_metadata_the_first_ones_are_read(module, monkeypatch):
    monkeypatch.setattr(f"crawler.html.{module}.MAX_METADATA", 3)
    unit, read = METADATA[module]
    assert len(read(page("".join(unit.format(n=n) for n in range(5))))) == 3
