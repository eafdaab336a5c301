"""`Set-Cookie` values and cookie dates by themselves; test_cookies.py has a jar."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.http.set_cookie import Cookie, is_expired, parse_cookie_date, parse_set_cookie, path_matches, site_of

NOW = 1_800_000_000.0
URL = "https://www.site.test/dir/page?q"


def test_every_attribute_has_its_field():
    field = "id=7; Domain=.Site.test; Path=/dir; Secure; Max-Age=60; HttpOnly; SameSite=Lax"
    assert parse_set_cookie(field, URL, NOW) == Cookie(
        name="id", value="7", domain="site.test", host_only=False, path="/dir", secure=True, http_only=True,
        expires=NOW + 60,
    )  # fmt: skip


def test_without_attributes_it_is_for_the_host_and_the_folder_until_the_session_ends():
    assert parse_set_cookie("id=7", URL, NOW) == Cookie(
        name="id", value="7", domain="www.site.test", host_only=True, path="/dir", secure=False, expires=None
    )


@pytest.mark.parametrize(
    "field", ["", "=", "=__Host-id=7", "id=\x00", "id=7; domain=other.test", "__Host-id=7; path=/"]
)
def test_a_cookie_that_must_be_ignored_is_none(field):
    assert parse_set_cookie(field, URL, NOW) is None


@pytest.mark.parametrize(("expires", "expired"), [(None, False), (NOW, True), (NOW + 1, False), (-math.inf, True)])
def test_expiry(expires, expired):
    cookie = Cookie(name="a", value="", domain="a.test", host_only=True, path="/", secure=False, expires=expires)
    assert is_expired(cookie, NOW) is expired


@pytest.mark.parametrize(
    ("path", "prefix", "matches"),
    [("/a", "/a", True), ("/a/b", "/a", True), ("/a/b", "/a/", True), ("/ab", "/a", False), ("/", "/a", False)],
)
def test_paths(path, prefix, matches):
    assert path_matches(path, prefix) is matches


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("www.site.test", "site.test"),
        ("a.b.co.uk", "b.co.uk"),
        ("co.uk", "co.uk"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("localhost", "localhost"),
    ],
)
def test_the_site_of_a_host(host, site):
    assert site_of(host) == site


def test_without_a_time_the_wall_clock_counts():
    cookie = parse_set_cookie("a=1; max-age=100", URL)
    assert cookie is not None
    assert cookie.expires == pytest.approx(time.time() + 100, abs=50)


@each(
    ("text", "date"),
    [
        ("Wed, 09 Jun 2021 10:18:14 GMT", 1623233894),
        ("Wednesday, 09-Jun-21 10:18:14 GMT", 1623233894),
        ("Wed Jun  9 10:18:14 2021", 1623233894),
        ("09 June 2021 10:18:14", 1623233894),
        ("10:18:14 jun9th 2021", None),  # a day is digits and whatever follows them, a month is a token of its own
        ("10:18:14 jun 9th 2021", 1623233894),
        ("2021 Jun 09 10:18:14", 1623233894),
        ("Wed, 09 Jun 2021 10:18:14 PST", 1623233894),  # zones are ignored
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Thu, 01-Jan-1970 00:00:00 GMT", 0),
        ("Fri, 01-Jan-69 00:00:00 GMT", 3124224000),
        ("1 Jan 70 0:0:0", 0),
        ("Wed, 09 Jun 2021 1:2:3", 1623200523),
        ("Wed, 09 Jun 2021 24:00:00", None),
        ("Wed, 09 Jun 2021 10:60:00", None),
        ("Wed, 09 Jun 2021 10:18:60", None),
        ("Wed, 09 Jun 2021 10:18", None),
        ("Wed, 31 Feb 2021 10:18:14", None),
        ("Wed, 00 Jun 2021 10:18:14", None),
        ("Wed, 32 Jun 2021 10:18:14", None),
        ("Wed, 09 Jun 1600 10:18:14", None),
        ("Wed, 09 Jun 1601 10:18:14", -11630698906),
        ("Wed, 09 Jun 9999 10:18:14", 253384539494),
        ("Wed, 09 Jun 12021 10:18:14", None),
        ("Wed, 09 Foo 2021 10:18:14", None),
        ("Wed, 09 Jun 10:18:14", None),
        ("", None),
        ("\x00", None),
        ("٠٩ Jun 2021 10:18:14", None),
    ],
)
def test_a_date_is_read_piece_by_piece(text, date):
    assert parse_cookie_date(text) == date


def test_a_date_is_the_same_wherever_the_crawler_runs(monkeypatch):
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    try:
        assert parse_cookie_date("Wed Jun  9 10:18:14 2021") == 1623233894
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.text(max_size=60))
def test_no_text_breaks_the_date(text):
    date = parse_cookie_date(text)
    assert date is None or isinstance(date, float)
