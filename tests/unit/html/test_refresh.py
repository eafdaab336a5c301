"""Refreshes: the steps of the HTML Standard, "shared declarative refresh steps", one by one."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.cases import each

from crawler.html import parse
from crawler.html.refresh import Refresh, meta_refresh, meta_refreshes, parse_refresh


@each(
    ("text", "seconds", "url"),
    [
        ("5", 5, ""),
        ("0", 0, ""),
        (" \t\n\f\r5", 5, ""),
        ("005;/x", 5, "/x"),
        # after the digits, anything up to a separator is ignored
        ("5.9;/x", 5, "/x"),
        ("5..9.;/x", 5, "/x"),
        (".5;/x", 0, "/x"),
        (".", 0, ""),
        # one separator, or white space
        ("5;/x", 5, "/x"),
        ("5,/x", 5, "/x"),
        ("5 /x", 5, "/x"),
        ("5 ; /x", 5, "/x"),
        ("5;", 5, ""),
        ("5 ", 5, ""),
        ("5;;/x", 5, ";/x"),
        ("5 ; ,/x", 5, ",/x"),
        ("5 5;/x", 5, "5;/x"),
        # url=, or something that begins like it
        ("0;url=/x", 0, "/x"),
        ("0;URL=/x", 0, "/x"),
        ("0; uRl \n=\t /x", 0, "/x"),
        ("0;url=", 0, ""),
        ("0;url==/x", 0, "=/x"),
        ("0;u", 0, "u"),
        ("0;ur", 0, "ur"),
        ("0;url", 0, "url"),
        ("0;urls=/x", 0, "urls=/x"),
        ("0;u=/x", 0, "u=/x"),
        ("0; us/home", 0, "us/home"),
        # quotes
        ("0;url='/x'", 0, "/x"),
        ('0;url="/x" tail', 0, "/x"),
        ("0;url='/x", 0, "/x"),
        ("0;url='/a\"b'", 0, '/a"b'),
        ("0;'/x'y", 0, "/x"),
        ("0;url=''", 0, ""),
        ("0;url=/x'y", 0, "/x'y"),
    ],
)
def test_the_delay_and_the_target_of_a_refresh(text, seconds, url):
    assert parse_refresh(text) == Refresh(seconds, url)


@each("text", ["", " ", "x", "-1", "+1", ";5", "url=/x", "5x", "5x;/x", "5\x0b;/x", "\u0665;/x", "\u00a05", "5'/x'"])
def test_a_page_without_a_valid_refresh(text):
    assert parse_refresh(text) is None


def test_a_number_without_end_is_a_very_long_time():
    assert parse_refresh("9" * 10_000) == Refresh(math.inf, "")


@given(st.text(st.sampled_from("0.59 \t\n;,urlURL='\"/x\u0665")) | st.text())
@example("0" * 50_000 + "x")
@example(" " * 50_000 + "x")
@example("0;url" + " " * 50_000)
def test_no_text_breaks_it(text):
    found = parse_refresh(text)
    assert found is None or (found.seconds >= 0 and found.url in text)


def found_in(page: str | bytes) -> str | None:
    refresh = meta_refresh(parse(page.encode() if isinstance(page, str) else page, "utf-8"))
    return None if refresh is None else refresh.url


META = "<meta http-equiv=refresh content='0;url={}'>"


def test_the_first_one_that_says_something_counts():
    page = "<meta http-equiv=refresh><meta http-equiv=refresh content=''><meta http-equiv=refresh content=soon>"
    assert found_in(page + META.format("/a") + META.format("/b")) == "/a"


@pytest.mark.parametrize(
    "page",
    [
        "<META HTTP-EQUIV=REFRESH CONTENT='0;URL=/a'>",
        "<meta content='0;url=/a' http-equiv='ReFresh' name=x>",
        "<meta http-equiv=refresh content='0;url=&#x2f;a'>",
        "<p>text <meta http-equiv=refresh content='0;url=/a'>",
    ],
)
def test_however_it_is_written(page):
    assert found_in(page) == "/a"


@each(
    "page",
    [
        "",
        "<title>http-equiv refresh</title>",
        "<meta http-equiv=' refresh' content='0;url=/a'>",
        "<meta name=refresh content='0;url=/a'>",
        "<meta http-equiv=content-type content='0;url=/a'>",
        "<!-- <meta http-equiv=refresh content='0;url=/a'> -->",
        "<script>'<meta http-equiv=refresh content=0>'</script>",
        "<textarea><meta http-equiv=refresh content='0;url=/a'></textarea>",
        "<template><meta http-equiv=refresh content='0;url=/a'></template>",
        "<noscript><meta http-equiv=refresh content='0;url=/a'></noscript>",
    ],
)
def test_an_invalid_refresh_is_none(page):
    assert found_in(page) is None


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_refresh_in_utf_16_is_found(encoding):
    refresh = meta_refresh(
        parse(META.format("/a").encode(encoding), encoding.replace("-le", "le").replace("-be", "be"))
    )
    assert refresh == Refresh(0, "/a")


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_no_page_breaks_it(body):
    url = found_in(body + b"<meta http-equiv=refresh content='0;\xff\xed\xa0\x80'>")
    assert url is None or url.encode()


def test_all_refreshes_include_those_for_clients_without_scripts():
    page = "<noscript>" + META.format("/a") + "</noscript><template>" + META.format("/no") + "</template>"
    page += "<meta http-equiv=refresh content=soon>" + META.format("/b")
    assert meta_refreshes(parse(page.encode(), "utf-8")) == [Refresh(0, "/a"), Refresh(0, "/b")]
