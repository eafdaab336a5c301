"""Crawler traps by the shape of URLs: endless URLs are recognised, those of real sites are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.scope import traps
from crawler.scope.traps import TemplateCounter, session_template, template, trap_of

SITE = "https://example.com/"
HEX = "0123456789abcdef" * 2


@each(
    ("path", "reason"),
    [
        ("news/" * 4, "trap_repeats"),
        ("a/b/a/b/a/b", "trap_repeats"),
        ("shop/a/b/a/b/a/b/index.html", "trap_repeats"),
        ("docs/x/docs/y/docs/z/docs/", "trap_repeats"),
        ("a/1/a/1/a/1/", "trap_repeats"),
        ("1/" * 9, "trap_repeats"),
        ("/" * 10, "trap_repeats"),
        ("a?next=%252525", "trap_repeats"),
        ("a?p=1&p=1&p=1", "trap_query"),
        ("a?x&y&x&z&x", "trap_query"),
        ("a?" + "&".join(f"p{n}=1" for n in range(101)), "trap_query"),
        ("a?" + "&" * 101, "trap_query"),
    ],
)
def test_a_trap_is_seen(path, reason):
    assert trap_of(SITE + path) == reason


@each(
    "path",
    [
        "",
        "a",
        "news/news/news/",
        "a/b/a/b/",
        "1/1/1/1/11115/",  # a library that keeps its books by the digits of their numbers
        "1/2/1/2/1/2/121212/",
        "a/a/a/a/abc",
        "0/0/0/0/tile.png",
        "org/apache/commons/org/apache/commons/x.html",
        "2026/11/11/11/article",
        "web/2026/https://example.com/a//b",
        "a?p=1&p=1",
        "a?f=1&f=2&f=3&f=4",
        "a?&&&&b=1",
        "a?b=%2525",
        "a?" + "&".join(f"p{n}=1" for n in range(100)),
        "a?u=/a/a/a/a/a/a/a/a/a/a",
        "?a/b/a/b/a/b",
    ],
)
def test_urls_of_real_sites_are_not_traps(path):
    assert trap_of(SITE + path) is None


@pytest.mark.parametrize("words", [["a"], ["ab", "cd"], ["ab", "cd", "ef"]])
def test_broken_relative_links_between_some_folders_come_to_an_end(words):
    """Every page of such a site links to each folder below itself."""
    pages, pending = 0, [""]
    while pending:
        pages += 1
        here = pending.pop()
        for word in words:
            below = f"{here}{word}/"
            if trap_of(SITE + below) is None:
                pending.append(below)
    assert pages < 10_000


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=80))
def test_a_short_path_without_repeats_is_not_a_trap(text):
    parts = text.replace("?", "/").split("/")
    if len(set(parts)) == len(parts) and "%252525" not in text:
        assert trap_of(SITE + text.replace("?", "/")) is None


@given(st.text(max_size=80))
def test_any_text_has_a_verdict_and_templates_that_stay_as_they_are(text):
    assert trap_of(SITE + text) in {None, "trap_repeats", "trap_query"}
    once = template(SITE + text)
    assert template(once) == once


@pytest.mark.parametrize(
    ("url", "shape"),
    [
        ("2026/01/02/a", "0/0/0/a"),
        ("cal?month=12&year=2026", "cal?month=0&year=0"),
        ("about", "about"),
    ],
)
def test_a_template_has_no_numbers(url, shape):
    assert template(f"https://h1.test:81/{url}") == f"https://h1.test:81/{shape}"


@each(
    ("url", "shape"),
    [
        ("a;jsessionid=1A.b?x=1", "a;jsessionid?x=1"),
        ("a?PHPSESSID=abc&x=1", "a?PHPSESSID&x=1"),
        ("a?x=1&ASPSESSIONIDQQ=abc", "a?x=1&ASPSESSIONIDQQ"),
        (f"a?sid={HEX}", "a?sid"),
        (f"a?sid={HEX}&t=1", "a?sid&t=1"),
        (f"(S({'a1' * 12}))/b", "(S())/b"),
        (f"a?sid={HEX}0", f"a?sid={HEX}0"),
        ("a?sid=12", "a?sid=12"),
        ("a?session_id=keynote", "a?session_id=keynote"),
        ("a?xphpsessid=1", "a?xphpsessid=1"),
        ("wiki/Foo_(bar)", "wiki/Foo_(bar)"),
    ],
)
def test_a_session_in_a_url_is_distinguished_from_other_words(url, shape):
    assert session_template(SITE + url) == SITE + shape


def test_a_run_ends_at_its_bound_and_others_continue():
    runs = TemplateCounter(3)
    assert [runs.overrun("a", f"a{n}") for n in (1, 2, 3, 4, 1, 5)] == [False, False, False, True, False, True]
    assert not runs.overrun("b", "b1")


def test_the_memory_of_a_run_is_bounded(monkeypatch):
    monkeypatch.setattr(traps, "MAX_REMEMBERED", 50)
    runs = TemplateCounter(2)
    for number in range(1000):
        assert not runs.overrun(f"once {number}", f"{number}")
        assert runs.overrun("often", f"often {number}") is (number > 1)
    assert len(runs._templates) <= 10


def test_a_bound_may_exceed_the_number_of_remembered_urls(monkeypatch):
    monkeypatch.setattr(traps, "MAX_REMEMBERED", 10)
    runs = TemplateCounter(100)
    assert [runs.overrun("a", f"{n}") for n in range(101)] == [False] * 100 + [True]


def test_the_bounds_are_those_that_the_manual_tells():
    bounds = (traps.MAX_SEGMENT_REPEATS, traps.MAX_PAIR_REPEATS, traps.MAX_SHORT_SEGMENT_REPEATS, traps.MAX_PARAMETERS)
    assert bounds == (3, 2, 8, 100)
