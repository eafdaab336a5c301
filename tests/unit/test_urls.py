"""`crawler.urls`: normalisation as in browsers, joining, and the parts that name lanes and scopes."""

from __future__ import annotations

from urllib.parse import quote

import ada_url
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.cases import each

from crawler import urls

WHATWG = [
    ("https://EXAMPLE.com", "https://example.com/"),
    ("HTTPS://example.com:443/a", "https://example.com/a"),
    ("http://example.com:80/", "http://example.com/"),
    ("http://example.com:8080/", "http://example.com:8080/"),
    ("https://example.com/a/./b/../c", "https://example.com/a/c"),
    ("https://example.com/../../a", "https://example.com/a"),
    ("https://example.com/a//b/", "https://example.com/a//b/"),
    ("https://example.com/A%2fb%20c", "https://example.com/A%2fb%20c"),
    ("https://example.com/a b?c d", "https://example.com/a%20b?c%20d"),
    ("https://example.com/ü?ü=ß", "https://example.com/%C3%BC?%C3%BC=%C3%9F"),
    ("https://bücher.example/", "https://xn--bcher-kva.example/"),
    ("https://example.com/a#b", "https://example.com/a"),
    ("https://example.com/a?#", "https://example.com/a?"),
    ("https://example.com?b=2&a=1", "https://example.com/?b=2&a=1"),
    ("https:\\\\example.com\\a", "https://example.com/a"),
    ("  https://exa\tmple.com/a\n", "https://example.com/a"),
    ("http://0x7f.1/", "http://127.0.0.1/"),
    ("http://[2001:DB8:0::1]:8080/", "http://[2001:db8::1]:8080/"),
    ("https://user:pass@example.com/", "https://user:pass@example.com/"),
    ("https:example.com", "https://example.com/"),
]

NO_WEB_URLS = [
    "", " ", "a", "/a", "//example.com/", "example.com", "http://", "http://exa mple.com/", "http://[::1/",
    "http://example.com:99999/", "http://1.2.3.256/", "ftp://example.com/", "mailto:a@example.com",
    "javascript:void(0)", "data:text/html,a", "file:///etc/passwd", "https://\ud800/",
]  # fmt: skip

WORDS = st.text("abCD019-._~ü日%2F/?=&;:@!$'()*+,[]|^`{}<>\"\\ \t\n\x00\x0b#.", max_size=12)
HOSTS = st.sampled_from(
    ["example.com", "a.b.example.com:8443", "127.0.0.1", "[::1]:81", "xn--bcher-kva.example", "u:p@h.test"]
)
WEB_URLS = st.builds("{}://{}/{}?{}#{}".format, st.sampled_from(["http", "https", "HTTP"]), HOSTS, WORDS, WORDS, WORDS)
HREFS = st.one_of(
    WORDS,
    st.text(max_size=10),
    WEB_URLS,
    st.builds("{}{}{}".format, st.sampled_from(["https:", "http:", "HTTPS:", "\x0b", "\t", "h\nttps:"]), WORDS, WORDS),
    st.sampled_from(
        ["", "?", "#", "?a", "#a", ".", "..", "../x", "./", "//h/x", "https:", "https:?x", "https:#x", ":"]
    ),
)


@each(("url", "canonical"), WHATWG)
def test_normalize_writes_a_url_as_browsers_do_without_its_fragment(url, canonical):
    assert urls.normalize(url) == canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.com/a", "https://example.com/a/"),
        ("https://example.com/a", "https://example.com/A"),
        ("https://example.com/a%2Fb", "https://example.com/a/b"),
        ("https://example.com/?a=1&b=2", "https://example.com/?b=2&a=1"),
        ("https://example.com/", "https://example.com/?"),
        ("https://example.com/", "https://www.example.com/"),
        ("http://example.com/", "https://example.com/"),
    ],
)
def test_urls_that_only_a_server_knows_to_be_equal_stay_different(one, other):
    assert urls.normalize(one) != urls.normalize(other)


@pytest.mark.parametrize("url", ["http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]:8080/", "https://me@[fe80::1%252]"])
def test_an_ipv6_address_with_a_zone_is_named_as_unsupported(url):
    with pytest.raises(ValueError, match="^IPv6 addresses with a zone are not supported: '"):
        urls.normalize(url)


@each("url", NO_WEB_URLS)
def test_a_text_that_is_not_a_web_url_raises_an_error_that_names_it(url):
    with pytest.raises(ValueError) as caught:
        urls.normalize(url)
    assert str(caught.value) in (f"not a URL: {url!r}", f"not an http or https URL: {url!r}")


@given(WEB_URLS)
def test_normalize_is_idempotent(url):
    try:
        once = urls.normalize(url)
    except ValueError:
        return
    assert urls.normalize(once) == once
    assert "#" not in once
    assert urls.is_web(once)
    assert once.isascii()


@given(WEB_URLS, HREFS)
@example("https://a.test/b/c?q", "https:")
@example("https://a.test/b/c?q", "https:?x")
@example("https://a.test/b/c?q", "\x0b?x")
@example("https://a.test/b/c?q=/d", "e")
@example("https://a.test/b/c?q", "\x1f")
@example("https://a.test/b/c?q", "0 #")
@example("https://a.test/b/c?q", "0\x01#x")
@example("https://a.test/b/c?q", "h\nttp\ts\r:")
def test_join_follows_the_standard(base, href):
    """The shortcut by folders returns the same URL as joining with the whole base."""
    try:
        base = urls.normalize(base)
    except ValueError:
        return
    try:
        wanted = ada_url.join_url(base, href).partition("#")[0]
    except ValueError:
        wanted = None
    if wanted is not None and not wanted.startswith(("http:", "https:")):
        wanted = None
    assert urls.join(base, href) == wanted


@given(WEB_URLS, HREFS)
def test_a_joined_url_is_canonical(base, href):
    try:
        joined = urls.join(urls.normalize(base), href)
    except ValueError:
        return
    assert joined is None or ada_url.normalize_url(joined) == joined


@given(WEB_URLS, WEB_URLS)
def test_a_url_that_is_known_to_be_canonical_leads_to_itself_from_every_page(url, base):
    try:
        url, base = urls.normalize(url), urls.normalize(base)
    except ValueError:
        return
    assert urls.is_canonical(url) or len(url) > urls.MAX_REMEMBERED_LENGTH
    assert urls.join(base, url) == url


def test_a_url_that_was_never_seen_is_not_known_to_be_canonical():
    assert not urls.is_canonical("https://never-seen.test/")


@given(WEB_URLS, st.from_regex(urls.PLAIN_URL, fullmatch=True))
def test_a_plain_url_is_its_own_canonical_form(base, href):
    assert urls.is_plain(href)
    assert urls.join(base, href) == ada_url.join_url(base, href) == href


@each(
    "href",
    ["http://a.1/x", "http://127.0.0.1/x", "http://xn--a.test/x", "http://a.test", "http://a.test:80/x", "HTTP://a.test/",
     "http://a.test/../x", "http://a.test/x#y", "http://a.test/%41", "http://u@a.test/", "http://test/x", "x:y", ""],
)  # fmt: skip
def test_other_urls_are_not_plain(href):
    assert not urls.is_plain(href)


def test_many_references_are_joined_as_few_are(monkeypatch):
    monkeypatch.setattr(urls, "MAX_REMEMBERED", 2)
    hrefs = ["a", "/b?c", "?d", "", "#e", "http://f.test/", "HTTP://G.test", "mailto:h", " i ", "../%6a"]
    base = "https://a.test/x/y?z"
    assert urls.join_all(base, urls.without_fragments(hrefs)) == [urls.join(base, href) for href in hrefs]


@given(WEB_URLS, st.from_regex(urls.PLAIN_PATH, fullmatch=True), st.text())
def test_a_plain_reference_is_appended_as_a_url_parser_appends_it(base, href, fragment):
    try:
        base = urls.normalize(base)
    except ValueError:
        return
    assert urls.join(base, f"{href}#{fragment}") == ada_url.join_url(base, href)


def test_a_remembered_url_is_canonical_with_and_without_a_fragment(monkeypatch):
    """The links of a page are parsed once, however often a spider hands them back."""
    first = urls.normalize("https://A.test/x?y#z")
    joined = urls.join(first, "/plain/path.html")
    monkeypatch.setattr(ada_url, "normalize_url", None)
    assert urls.normalize(first) == urls.normalize(f"{first}#other") == "https://a.test/x?y"
    assert urls.normalize(f"{joined}#top") == "https://a.test/plain/path.html"


def test_long_urls_and_references_are_not_remembered(monkeypatch):
    long = "/a" * urls.MAX_REMEMBERED_LENGTH
    joiner = urls.Joiner("https://a.test/f/")
    assert joiner.join(long) == f"https://a.test{long}" == urls.normalize(f"https://a.test{long}")
    monkeypatch.setattr(ada_url, "normalize_url", None)
    with pytest.raises(TypeError):
        urls.normalize(f"https://a.test{long}")


def test_memory_of_urls_is_bounded(monkeypatch):
    monkeypatch.setattr(urls, "MAX_REMEMBERED", 100)
    joiner = urls.Joiner("https://a.test/f/")
    for number in range(1000):
        joined = joiner.join(f"{number}.html")
        assert urls.normalize(joined) == joined == f"https://a.test/f/{number}.html"
        assert urls.join(f"https://a.test/{number}/x", "y") == f"https://a.test/{number}/y"
    assert len(urls._joins._folders) <= 100
    assert len(urls._canonical._new) <= 100


@each(
    ("href", "joined"),
    [
        ("e", "https://a.test/b/e"),
        (" e\n", "https://a.test/b/e"),
        ("./e/../f", "https://a.test/b/f"),
        ("../../../e", "https://a.test/e"),
        ("/e", "https://a.test/e"),
        ("//other.test", "https://other.test/"),
        ("\\\\other.test\\e", "https://other.test/e"),
        ("?x=1", "https://a.test/b/c?x=1"),
        ("", "https://a.test/b/c?q=/d"),
        ("#top", "https://a.test/b/c?q=/d"),
        ("e#top", "https://a.test/b/e"),
        ("e #top", "https://a.test/b/e%20"),
        ("e\t#top", "https://a.test/b/e"),
        (" #top", "https://a.test/b/c?q=/d"),
        ("http://other.test", "http://other.test/"),
        ("mailto:a@b.test", None),
        ("javascript:void(0)", None),
        ("tel:123", None),
        ("data:text/plain,a", None),
        ("https://", None),
        ("//[", None),
        ("http://a b/", None),
        ("a:b", None),
    ],
)
def test_join_resolves_the_links_of_a_page(href, joined):
    assert urls.join("https://a.test/b/c?q=/d", href) == joined


@pytest.mark.parametrize(
    ("url", "origin", "authority", "host"),
    [
        ("https://example.com/a", "https://example.com", "example.com", "example.com"),
        ("http://example.com:8080/?a=//b", "http://example.com:8080", "example.com:8080", "example.com"),
        ("http://a/", "http://a", "a", "a"),
        ("http://[::1]/", "http://[::1]", "[::1]", "[::1]"),
        ("http://[::1]:81/", "http://[::1]:81", "[::1]:81", "[::1]"),
        ("https://u:p@example.com:8443/@x", "https://example.com:8443", "example.com:8443", "example.com"),
        ("http://u@h/", "http://h", "h", "h"),
        ("https://example.com/a@b:c", "https://example.com", "example.com", "example.com"),
    ],
)
def test_origin_authority_and_host(url, origin, authority, host):
    url = urls.normalize(url)
    assert (urls.origin(url), urls.authority(url), urls.host(url)) == (origin, authority, host)


@given(WEB_URLS)
def test_origin_authority_and_host_follow_the_standard(url):
    try:
        url = urls.normalize(url)
    except ValueError:
        return
    parsed = ada_url.URL(url)
    assert urls.origin(url) == parsed.origin
    assert urls.authority(url) == parsed.host
    assert urls.host(url) == parsed.hostname


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("https://example.com", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
        ("https://example.com/", False),
        ("https://example.com:443", False),
        ("https://EXAMPLE.com", False),
        ("https://example.com?a", False),
        ("https://u:p@example.com", False),
        ("https://", False),
        ("http://[", False),
        ("ftp://example.com", False),
        ("shared://all", False),
        ("shared", False),
    ],
)
def test_names_that_are_origins(name: str, expected: bool) -> None:
    assert urls.is_origin(name) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000/", True),
        ("http://localhost./", True),
        ("http://docs.localhost/a", True),
        ("http://127.0.0.1/", True),
        ("http://127.1/", True),
        ("http://u:p@127.8.9.1:80/127", True),
        ("http://[::1]:8000/", True),
        ("http://128.0.0.1/", False),
        ("http://127.example.com/", False),
        ("http://localhost.example.com/", False),
        ("http://mylocalhost/", False),
        ("http://[::2]/", False),
        ("https://example.com/localhost", False),
    ],
)
def test_loopback(url: str, expected: bool) -> None:
    url = urls.normalize(url)
    assert urls.is_loopback(url) == urls.is_loopback(urls.origin(url)) == expected


@pytest.mark.parametrize(
    ("url", "bare", "pair"),
    [
        ("https://example.com/a@b", "https://example.com/a@b", None),
        ("https://user:pass@example.com/a", "https://example.com/a", ("user", "pass")),
        ("https://user@example.com/", "https://example.com/", ("user", "")),
        ("https://:pass@example.com/", "https://example.com/", ("", "pass")),
        ("https://a%40b:c%3Ad%2F@example.com:81/", "https://example.com:81/", ("a@b", "c:d/")),
        ("https://ü:日@example.com/", "https://example.com/", ("ü", "日")),
    ],
)
def test_user_and_password_are_removed_and_decoded(url, bare, pair):
    assert urls.split_userinfo(urls.normalize(url)) == (bare, pair)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(st.characters(exclude_categories=["Cs"])))
def test_any_user_and_password_survive_encoding(user, password):
    url = urls.normalize(f"https://{quote(user, safe='')}:{quote(password, safe='')}@example.com/a?b")
    assert urls.split_userinfo(url) == ("https://example.com/a?b", (user, password))
