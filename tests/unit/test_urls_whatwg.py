"""`crawler.urls` against the WHATWG URL Standard, section by section: equal URLs, different URLs, invalid URLs."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.cases import each

from crawler import Request, Response, urls
from crawler.content import encode_query

# ---- one form for each URL -------------------------------------------------------------------------------------------

CANONICAL = {
    # 4.4 URL parsing: white space and control characters at both ends, tabs and line feeds anywhere
    "\x00 \x1f http://a.test/ \n": "http://a.test/",
    "ht\ntp://a.\ttest/b\r\nc": "http://a.test/bc",
    # the scheme and its slashes
    "HTTP://a.test": "http://a.test/",
    "http:a.test": "http://a.test/",
    "http:/a.test": "http://a.test/",
    "http:///////a.test": "http://a.test/",
    "http:\\\\a.test\\b\\c": "http://a.test/b/c",
    # default and other ports
    "http://a.test:80/": "http://a.test/",
    "https://a.test:443/": "https://a.test/",
    "https://a.test:80/": "https://a.test:80/",
    "http://a.test:/": "http://a.test/",
    "http://a.test:00081/": "http://a.test:81/",
    # 3.5 host parsing: case, percent-encoding, IDNA (UTS 46, non-transitional), full width, soft hyphens, dots
    "http://A.TEST/": "http://a.test/",
    "http://%61.t%45st/": "http://a.test/",
    "http://bücher.test/": "http://xn--bcher-kva.test/",
    "http://B%C3%BCcher.test/": "http://xn--bcher-kva.test/",
    "http://XN--BCHER-KVA.test/": "http://xn--bcher-kva.test/",
    "http://faß.test/": "http://xn--fa-hia.test/",
    "http://ａ．ｔｅｓｔ/": "http://a.test/",  # noqa: RUF001
    "http://a。test/": "http://a.test/",
    "http://a\u00ad.test/": "http://a.test/",
    "http://日本語.test/": "http://xn--wgv71a119e.test/",
    "http://a.test./": "http://a.test./",
    "http://a..test/": "http://a..test/",
    "http://a_b.test/": "http://a_b.test/",
    # 3.5 IPv4: hosts that end in a number
    "http://127.1/": "http://127.0.0.1/",
    "http://0x7f000001/": "http://127.0.0.1/",
    "http://0177.0.0.1/": "http://127.0.0.1/",
    "http://2130706433/": "http://127.0.0.1/",
    "http://127.0.0.1./": "http://127.0.0.1/",
    "http://１２７.0.0.1/": "http://127.0.0.1/",  # noqa: RUF001
    # 3.5 IPv6: compressed, with an embedded IPv4 address
    "http://[0:0:0:0:0:0:0:1]/": "http://[::1]/",
    "http://[1:0:0:2::3]/": "http://[1:0:0:2::3]/",
    "http://[::FFFF:1.2.3.4]/": "http://[::ffff:102:304]/",
    # 4.4 dot segments, also percent-encoded; empty segments are kept
    "http://a.test/b/./c/../d": "http://a.test/b/d",
    "http://a.test/b/%2E/c/.%2e/d": "http://a.test/b/d",
    "http://a.test/b/..": "http://a.test/",
    "http://a.test/b/.": "http://a.test/b/",
    "http://a.test/../../b": "http://a.test/b",
    "http://a.test//b///c": "http://a.test//b///c",
    "http://a.test/b/...": "http://a.test/b/...",
    # 1.3 percent-encode sets: path, query, user
    'http://a.test/ "<>`{}é': "http://a.test/%20%22%3C%3E%60%7B%7D%C3%A9",
    "http://a.test/|[]~!$&'()*+,;=:@": "http://a.test/|[]~!$&'()*+,;=:@",
    "http://a.test/?a b\"<>'é": "http://a.test/?a%20b%22%3C%3E%27%C3%A9",
    "http://a.test/?`{}|^[]\\/?": "http://a.test/?`{}|^[]\\/?",
    "http://ü:p|w@b.test/": "http://%C3%BC:p%7Cw@b.test/",
    "http://a@b:c@d.test/": "http://a%40b:c@d.test/",
    "http://:@a.test/": "http://a.test/",
    "http://@a.test/": "http://a.test/",
    # existing and invalid percent-encodings are kept
    "http://a.test/%7e%7E%zz%": "http://a.test/%7e%7E%zz%",
    "http://a.test/?%41+%20": "http://a.test/?%41+%20",
    # the fragment is not part of the identity of a page; an empty query is
    "http://a.test/b#c?d": "http://a.test/b",
    "http://a.test/b?#": "http://a.test/b?",
}

NONE = [
    # 3.5 forbidden host and domain code points, also percent-encoded
    *(f"http://a{character}b.test/" for character in " <>^|%"),
    *(f"http://a%{number:02x}b.test/" for number in (0x00, 0x09, 0x20, 0x23, 0x2F, 0x3A, 0x3F, 0x40, 0x5B, 0x5C, 0x7F)),
    "http://a\x00b.test/", "http://[::1", "http://::1]/", "http://[::1]b/", "http://[::1%25eth0]/",
    # IDNA
    "http://\ud800.test/", "http://a.test/\ud800", "http://\u00ad/", "http://a\u200b\ufffd/",
    # numbers that are not an address
    "http://1.2.3.4.5/", "http://256.0.0.1/", "http://1.2.3.08/", "http://a.0x1g.1/", "http://4294967296/",
    "http://[1::2::3]/", "http://[1:2:3]/", "http://[::1.2.3.256]/", "http://[12345::]/",
    # ports, hosts, schemes
    "http://a.test:65536/", "http://a.test:-1/", "http://a.test:8a/", "http://:80/", "http://", "http:", "https://?a",
    "http://a@/", "http//a.test/", "//a.test/", "/b", "b", "", "#a", "a.test",
    "ftp://a.test/", "file:///etc/passwd", "file://a.test/", "ws://a.test/", "mailto:a@b.test", "javascript:0",
    "data:,", "about:blank", "blob:http://a.test/1", "view-source:http://a.test/", "http+x://a.test/",
]  # fmt: skip


@each("url", CANONICAL)
def test_a_url_has_one_form(url: str) -> None:
    assert urls.normalize(url) == CANONICAL[url]
    assert urls.normalize(CANONICAL[url]) == CANONICAL[url]
    assert urls.join("https://elsewhere.test/x?y", CANONICAL[url]) == CANONICAL[url]


@each("url", NONE)
def test_a_text_that_is_not_a_web_url_is_rejected_and_is_not_a_link(url: str) -> None:
    with pytest.raises(ValueError, match=r"not a URL|not an http or https URL|zone are not supported"):
        urls.normalize(url)
    if ":" in url and not url.startswith(("http:", "#")):
        assert urls.join("https://elsewhere.test/x", url) is None


@pytest.mark.parametrize(
    "same",
    [
        ["http://a.test", "http://a.test/", "HTTP://A.test:80", "http://a.test/#top", "http:\\\\a.test\\./b/.."],
        ["http://127.0.0.1/", "http://127.1", "http://0x7f.0.0.1", "http://2130706433/#x"],
        ["http://a.test/é", "http://a.test/%C3%A9", "http://a.test/./%C3%A9#é"],
        ["http://a.test/a b", "http://a.test/a%20b", "http://a.test/a\n b"],
        ["http://[::1]:80/", "http://[0:0::0:1]"],
    ],
)
def test_equivalent_urls_are_one_page(same: list[str]) -> None:
    assert len({Request(url).url for url in same}) == 1
    assert len({Request(url).key for url in same}) == 1


@each(
    "other",
    [
        "https://a.test/b?c=1&d=2",
        "http://www.a.test/b?c=1&d=2",
        "http://a.test./b?c=1&d=2",
        "http://a.test:8080/b?c=1&d=2",
        "http://a.test/B?c=1&d=2",
        "http://a.test/b/?c=1&d=2",
        "http://a.test//b?c=1&d=2",
        "http://a.test/%62?c=1&d=2",
        "http://a.test/b?d=2&c=1",
        "http://a.test/b?c=1&d=2&",
        "http://a.test/b?c=1&d=%32",
        "http://a.test/b?c=1&d=2&c=1",
        "http://a.test/b;x?c=1&d=2",
        "http://a.test/b",
    ],
)
def test_similar_urls_are_different_pages(other: str) -> None:
    assert Request(other).key != Request("http://a.test/b?c=1&d=2").key


# ---- properties ------------------------------------------------------------------------------------------------------

ANY = st.text(max_size=40) | st.text("htps:/\\?#@[]%.0123456789abxXé日 \t\n\x00\ud800|", max_size=40)
NAMES = st.sampled_from(["a.test", "bücher.test", "127.1", "[::1]", "xn--bcher-kva.test", "u:p@a.test", "a..b", "日本"])
PARTS = st.text("abC/.%2eE5é日?&=+;:@!'\"<>{}|^`[]\\ \t", max_size=15)
WEB = st.builds(
    "{}://{}{}/{}{}".format, st.sampled_from(["http", "https"]), NAMES, st.sampled_from(["", ":80", ":81", ":443"]),
    PARTS, st.sampled_from(["", "#", "#é", "#a?b"]),
)  # fmt: skip


@given(WEB | ANY | ANY.map("http://".__add__))
def test_normalize_is_idempotent_for_any_text(text: str) -> None:
    try:
        once = urls.normalize(text)
    except ValueError:
        return
    assert urls.normalize(once) == once
    assert once.isascii()
    assert "#" not in once
    assert urls.is_web(once)
    assert Request(once).url == urls.split_userinfo(once)[0]


@given(WEB, WEB | ANY)
def test_any_link_of_any_page_is_canonical_or_none(base: str, href: str) -> None:
    joined = urls.join(urls.normalize(base), href)
    assert joined is None or urls.normalize(joined) == joined


@given(WEB, st.data())
def test_characters_that_the_parser_removes_change_nothing(url: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(url)))
    gap = data.draw(st.sampled_from("\t\n\r"))
    assert urls.normalize(url[:place] + gap + url[place:]) == urls.normalize(url)
    assert urls.normalize(f" \x00{url}\x1f ") == urls.normalize(url)


@given(WEB, PARTS)
def test_a_fragment_changes_nothing(url: str, fragment: str) -> None:
    bare = url.partition("#")[0].rstrip(" \t")  # trailing white space is not part of a URL
    assert urls.normalize(f"{bare}#{fragment}") == urls.normalize(bare)


@given(WEB)
def test_the_parts_of_a_url_add_up_to_the_url(url: str) -> None:
    whole = urls.normalize(url)
    bare, _ = urls.split_userinfo(whole)
    assert bare.startswith(urls.origin(whole) + "/")
    assert urls.origin(whole) == f"{whole.partition(':')[0]}://{urls.authority(whole)}"
    assert urls.authority(whole).startswith(urls.host(whole))
    assert urls.split_userinfo(bare) == (bare, None)


# ---- queries of pages that are not UTF-8 -----------------------------------------------------------------------------


@each(
    ("encoding", "href", "query"),
    [
        ("utf-8", "?q=é", "q=%C3%A9"),
        ("windows-1252", "?q=é", "q=%E9"),
        ("iso-8859-1", "?q=€", "q=%80"),
        ("windows-1251", "?q=Ж", "q=%C6"),
        ("koi8-r", "?q=Ж&r=a%20b", "q=%F6&r=a%20b"),
        ("windows-1252", "?q=Ж", "q=%26%231046%3B"),
        ("shift_jis", "?q=ア表", "q=%83A%95\\"),
        ("euc-jp", "?q=ア", "q=%A5%A2"),
        ("iso-2022-jp", "?q=アa", "q=%1B$B%%22%1B(Ba"),
        ("gbk", "?q=天", "q=%CC%EC"),
        ("big5", "?q=黃", "q=%B6%C0"),
        ("euc-kr", "?q=키", "q=%C5%B0"),
        ("utf-16le", "?q=é", "q=%C3%A9"),
    ],
)
def test_a_query_is_sent_in_the_encoding_of_its_page(encoding: str, href: str, query: str) -> None:
    python = {"shift_jis": "cp932", "euc-kr": "cp949"}.get(encoding, encoding)
    body = f"<a href='{href}'>x</a>".encode(python, "xmlcharrefreplace")
    response = Response("https://a.test/é", 200, {"Content-Type": f"text/html; charset={encoding}"}, body)
    expected = [f"https://a.test/%C3%A9?{query}"]
    response = response.replace(url=urls.normalize(response.url))
    assert response.hrefs() == expected
    assert [link.url for link in response.links()] == expected
    assert [request.url for request in response.follow_all()] == expected
    assert [request.url for request in response.follow_all("a:first-child")] == expected
    assert response.follow(response.css("a")[0]).url == response.urljoin(href) == expected[0]


def test_paths_are_utf_8_in_every_page() -> None:
    body = "<a href='/é#é'>x</a><a href='/é?é#é?é'>y</a>".encode("latin-1")
    response = Response("https://a.test/", 200, {"Content-Type": "text/html; charset=latin1"}, body)
    assert response.hrefs() == ["https://a.test/%C3%A9", "https://a.test/%C3%A9?%E9"]


def test_links_of_plain_text_are_utf_8() -> None:
    response = Response("https://a.test/", 200, {"Content-Type": "text/plain; charset=latin1"}, b"\xe9")
    assert response.urljoin("?é") == "https://a.test/?%C3%A9"


@given(st.text(max_size=20), st.sampled_from(["windows-1252", "shift_jis", "iso-2022-jp", "gb18030", "big5", "euc-kr"]))
def test_any_query_can_be_written_in_any_encoding(query: str, encoding: str) -> None:
    assume("#" not in query)
    written = encode_query(f"?{query}", encoding)
    assert written.isascii()
    joined = urls.join("https://a.test/", written)
    assert joined is not None
    assert urls.normalize(joined) == joined
