"""Cookies: RFC 6265 step by step, with vectors like those of the http-state suite, and separate sessions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.headers import Headers
from crawler.http.cookies import MAX_COOKIES_PER_SITE, CookieJar

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT
URL = "https://www.site.test/dir/page?q"
FAR = "Wed, 09 Jun 2038 10:18:14 GMT"
PAST = "Thu, 01 Jan 1970 00:00:01 GMT"


def sent(*fields: str, url: str = URL, to: str = URL, now: float = NOW, later: float = 0.0) -> str:
    """Return the ``Cookie`` value of a request to `to`, after `url` has set these cookies."""
    jar = CookieJar()
    jar.store("", url, fields, now)
    return jar.header("", to, now + later)


# ---- 5.2 reading -----------------------------------------------------------------------------------------------------


@each(
    ("field", "cookie"),
    [
        ("foo=bar", "foo=bar"),
        ("foo=bar; path=/", "foo=bar"),
        (" foo = bar ; path=/", "foo=bar"),
        ("foo=", "foo="),
        ("foo= ; x", "foo="),
        ("foo=bar=baz", "foo=bar=baz"),
        ('foo="bar baz"', 'foo="bar baz"'),
        ("foo=a,b", "foo=a,b"),
        ("foo=bar; httponly; SameSite=Strict; unknown=x; ;", "foo=bar"),
        ("föö=bär", "föö=bär"),
        ("foo=\u00c3\u00a0", "foo=\u00c3\u00a0"),  # "à" in UTF-8, read as Latin-1: its last octet is not white space
        ("foo\t=\tbar\t", "foo=bar"),
        ("foo", "foo"),
        ("=bar", "bar"),
        ("=bar=baz", "bar=baz"),
        (" foo ; path=/", "foo"),
        ("=__Secure-id=7", ""),
        ("__host-", ""),
        ("", ""),
        (";", ""),
        (" = ; path=/", ""),
        ("foo=b\x00r", ""),
        ("foo=bar\r\nSet-Cookie: x=y", ""),
        ("foo=bar; path=/\x7f", ""),
        ("n=" + "v" * 4095, "n=" + "v" * 4095),
        ("n=" + "v" * 4096, ""),
    ],
)
def test_a_cookie_ends_at_the_first_semicolon(field, cookie):
    assert sent(field) == cookie


@each(
    ("attributes", "later", "there"),
    [
        ("", 1e9, True),
        ("max-age=10", 9, True),
        ("max-age=10", 10, False),
        ("MAX-AGE = 10 ", 9, True),
        ("max-age=0", 0, False),
        ("max-age=-1", 0, False),
        ("max-age=-9999999999", 0, False),
        ("max-age=99999999999999999999", 1e9, True),
        (f"max-age={'9' * 400}", 1e9, True),
        (f"expires={FAR}", 0, True),
        (f"expires={FAR}", 1e9, False),
        (f"expires={PAST}", 0, False),
        (f"EXPIRES={PAST}", 0, False),
        # an invalid value is ignored
        ("max-age=ten", 1e9, True),
        ("max-age=1.5", 1e9, True),
        ("max-age=+1", 1e9, True),
        ("max-age=--1", 1e9, True),
        ("max-age=\u00b2", 1e9, True),
        ("max-age=", 1e9, True),
        ("max-age", 1e9, True),
        ("expires=soon", 1e9, True),
        ("expires=", 1e9, True),
        # Max-Age goes over Expires, and the last of two of a kind counts
        (f"max-age=10; expires={PAST}", 0, True),
        (f"expires={FAR}; max-age=0", 0, False),
        ("max-age=0; max-age=10", 5, True),
        ("max-age=10; max-age=0", 0, False),
        ("max-age=10; max-age=x", 5, True),
        (f"expires={PAST}; expires={FAR}", 0, True),
        (f"expires={PAST}; expires=soon", 0, False),
    ],
)
def test_when_a_cookie_ends(attributes, later, there):
    assert sent(f"foo=bar; {attributes}", later=later) == ("foo=bar" if there else "")


# ---- 5.3 storing -----------------------------------------------------------------------------------------------------


@each(
    ("domain", "to", "there"),
    [
        (None, "https://www.site.test/", True),
        (None, "https://site.test/", False),
        (None, "https://a.www.site.test/", False),
        (None, "https://www.site.test:8443/", True),  # ports do not matter
        ("www.site.test", "https://www.site.test/", True),
        ("www.site.test", "https://a.www.site.test/", True),
        ("www.site.test", "https://site.test/", False),
        ("site.test", "https://www.site.test/", True),
        ("site.test", "https://other.site.test/", True),
        ("site.test", "https://site.test/", True),
        (".site.test", "https://site.test/", True),
        ("SITE.Test", "https://www.site.test/", True),
        (" site.test ", "https://www.site.test/", True),
        ("..site.test", "https://www.site.test/", False),
        ("site.test.", "https://www.site.test/", False),
        ("", "https://www.site.test/", True),
        ("", "https://a.www.site.test/", False),
        (".", "https://www.site.test/", True),
        (".", "https://a.www.site.test/", False),
        ("other.test", "https://www.site.test/", False),
        ("other.test", "https://other.test/", False),
        ("a.www.site.test", "https://a.www.site.test/", False),
        ("ite.test", "https://www.site.test/", False),
        ("test", "https://www.site.test/", False),
        ("https://site.test", "https://www.site.test/", False),
        ("site.test:443", "https://www.site.test/", False),
    ],
)
def test_a_domain_names_who_gets_the_cookie(domain, to, there):
    field = "foo=bar; path=/" + ("" if domain is None else f"; domain={domain}")
    assert sent(field, to=to) == ("foo=bar" if there else "")


@pytest.mark.parametrize(
    ("attributes", "there"),
    [
        ("domain=other.test; domain=site.test", True),
        ("domain=site.test; domain=other.test", False),
        ("domain=site.test; domain=", True),
    ],
)
def test_the_last_domain_that_is_one_counts(attributes, there):
    assert sent(f"foo=bar; {attributes}") == ("foo=bar" if there else "")


@each(
    ("url", "domain", "to", "there"),
    [
        # a cookie for a public suffix would be sent to foreign sites
        ("https://a.co.uk/", "co.uk", "https://b.co.uk/", False),
        ("https://a.co.uk/", "co.uk", "https://a.co.uk/", False),
        ("https://x.a.co.uk/", "a.co.uk", "https://y.a.co.uk/", True),
        ("https://me.github.io/", "github.io", "https://you.github.io/", False),
        ("https://site.com/", "com", "https://other.com/", False),
        # but a public suffix that is a host may set a cookie for itself
        ("https://github.io/", "github.io", "https://github.io/", True),
        ("https://github.io/", "github.io", "https://me.github.io/", False),
        ("http://localhost/", "localhost", "http://localhost/", True),
        ("http://localhost/", "localhost", "http://a.localhost/", False),
        # addresses have no subdomains
        ("http://127.0.0.1/", "127.0.0.1", "http://127.0.0.1:81/", True),
        ("http://127.0.0.1/", "0.0.1", "http://127.0.0.1/", False),
        ("http://127.0.0.1/", "1", "http://127.0.0.1/", False),
        ("http://[::1]/", "[::1]", "http://[::1]/", True),
        ("http://[::1]/", "1]", "http://[::1]/", False),
    ],
)
def test_public_suffixes_and_addresses(url, domain, to, there):
    assert sent(f"foo=bar; domain={domain}", url=url, to=to) == ("foo=bar" if there else "")


@each(
    ("path", "to", "there"),
    [
        # without a path: the folder of the page
        (None, "/dir/page", True),
        (None, "/dir/other", True),
        (None, "/dir/sub/page", True),
        (None, "/dir", True),
        (None, "/directory", False),
        (None, "/", False),
        (None, "/other/page", False),
        ("/", "/", True),
        ("/", "/anything", True),
        ("/dir", "/dir", True),
        ("/dir", "/dir/", True),
        ("/dir", "/dir?q", True),
        ("/dir", "/dir/page", True),
        ("/dir", "/dirs", False),
        ("/dir", "/Dir", False),
        ("/dir/", "/dir/page", True),
        ("/dir/", "/dir/", True),
        ("/dir/", "/dir", False),
        ("/dir//", "/dir/page", False),
        ("/dir//", "/dir//page", True),
        ("/other", "/dir/page", False),
        ("/other", "/other/x", True),
        # a path starts with a slash
        ("", "/dir/x", True),
        ("", "/", False),
        ("dir", "/dir/x", True),
        ("dir", "/", False),
        ("http://www.site.test/", "/dir/x", True),
        ("/; path=/dir", "/", False),
        ("/dir; path=/", "/", True),
        ("/; path=", "/", False),
    ],
)
def test_a_path_names_where_the_cookie_is_sent(path, to, there):
    field = "foo=bar" + ("" if path is None else f"; path={path}")
    assert sent(field, to=f"https://www.site.test{to}") == ("foo=bar" if there else "")


@pytest.mark.parametrize(("url", "to"), [("/page", "/other/x"), ("/", "/x"), ("/?a=/b/c", "/x")])
def test_the_folder_of_a_page_at_the_top_is_the_whole_site(url, to):
    assert sent("foo=bar", url=f"https://site.test{url}", to=f"https://site.test{to}") == "foo=bar"


@pytest.mark.parametrize(("field", "to", "there"), [
    ("foo=bar; secure", "https://www.site.test/dir/x", True),
    ("foo=bar; SECURE=no", "http://www.site.test/dir/x", False),
    ("foo=bar; secure", "http://www.site.test/dir/x", False),
    ("foo=bar", "http://www.site.test/dir/x", True),
])  # fmt: skip
def test_a_secure_cookie_is_sent_over_tls_only(field, to, there):
    assert sent(field, to=to) == ("foo=bar" if there else "")


def test_a_cookie_takes_the_place_of_the_same_one():
    assert sent("a=1", "b=2", "a=3") == "a=3; b=2"
    assert sent("a=1; path=/dir", "a=2; path=/") == "a=1; a=2"
    assert sent("a=1", "a=2; domain=www.site.test") == "a=2"
    assert sent("a=1", "a=2; domain=site.test") == "a=1; a=2"
    assert sent("a=1", "A=2") == "a=1; A=2"


def test_a_cookie_is_deleted_by_one_that_has_ended():
    assert sent("a=1", "b=2", "a=x; max-age=0") == "b=2"
    assert sent("a=1; path=/dir", "a=x; max-age=0; path=/") == "a=1"
    assert sent("a=1", f"a=; expires={PAST}") == ""


def test_a_cookie_that_was_deleted_can_be_set_again():
    assert sent("a=1", "b=2", "a=; max-age=0", "a=3") == "b=2; a=3"


# ---- 5.4 sending -----------------------------------------------------------------------------------------------------


def test_longer_paths_go_first_and_of_the_same_length_the_older():
    fields = ["a=1; path=/", "b=2; path=/dir", "c=3; path=/", "d=4; path=/dir", "e=5; path=/dir/page"]
    assert sent(*fields) == "e=5; b=2; d=4; a=1; c=3"


def test_without_cookies_there_is_no_field():
    assert CookieJar().header("", URL, NOW) == ""
    assert sent("a=1", to="https://other.test/") == ""


# ---- the jar ---------------------------------------------------------------------------------------------------------


def test_sessions_do_not_know_each_other():
    jar = CookieJar()
    jar.store("one", URL, ["id=1"], NOW)
    jar.store("two", URL, ["id=2"], NOW)
    assert [jar.header(session, URL, NOW) for session in ("one", "two", "")] == ["id=1", "id=2", ""]


def test_sites_do_not_know_each_other():
    jar = CookieJar()
    jar.store("", "https://a.co.uk/", ["id=1"], NOW)
    jar.store("", "https://b.co.uk/", ["id=2"], NOW)
    assert jar.header("", "https://a.co.uk/", NOW) == "id=1"
    assert jar.header("", "https://b.co.uk/", NOW) == "id=2"


def test_a_site_keeps_its_newest_cookies():
    jar = CookieJar()
    for number in range(3 * MAX_COOKIES_PER_SITE):
        jar.store("", URL, [f"n{number}=x"], NOW)
    names = [pair.partition("=")[0] for pair in jar.header("", URL, NOW).split("; ")]
    assert names == [f"n{number}" for number in range(2 * MAX_COOKIES_PER_SITE, 3 * MAX_COOKIES_PER_SITE)]


def test_those_that_have_ended_go_first():
    jar = CookieJar()
    jar.store("", URL, ["first=x", "ended=x; max-age=1"], NOW)
    jar.store("", URL, [f"n{number}=x" for number in range(MAX_COOKIES_PER_SITE - 1)], NOW + 2)
    assert jar.header("", URL, NOW + 2).startswith("first=x; n0=x; ")


def test_one_site_cannot_push_out_the_cookies_of_another():
    jar = CookieJar()
    jar.store("", "https://other.test/", ["id=1"], NOW)
    jar.store("", URL, [f"n{number}=x" for number in range(5 * MAX_COOKIES_PER_SITE)], NOW)
    assert jar.header("", "https://other.test/", NOW) == "id=1"


def test_all_lines_of_an_answer_are_taken():
    answer = Headers([("Set-Cookie", f"a=1; expires={FAR}"), ("set-cookie", "b=2")])
    assert sent(*answer.get_list("Set-Cookie")) == "a=1; b=2"


PIECES = st.sampled_from(
    ["foo", "bar", "=", ";", " ", "domain", "path", "expires", "max-age", "secure", ".", "/", "site.test", "-1", "9",
     "²", ",", FAR, "\x00", "é", "test", "\t", '"']
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_field_breaks_the_jar_or_gets_out_of_its_line(field):
    header = sent(field, "kept=yes; path=/")
    assert not {"\r", "\n", "\0"} & set(header)
    assert header.count(";") <= 1
    assert "kept=yes" in header.split("; ")
