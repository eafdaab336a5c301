"""The settings `include` and `exclude`: URLs that a pattern matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import ConfigError, urls
from crawler.scope.patterns import SETS, FileTypes, Patterns

SITE = "https://example.com"


@each(
    ("pattern", "url", "meant"),
    [
        ("/blog/*", "/blog/", True),
        ("/blog/*", "/blog/2026/a?b=c", True),
        ("/blog/*", "/blog", False),
        ("/blog/*", "/a/blog/b", False),
        ("/blog/*", "/Blog/b", False),
        ("/blog/*", "https://other.test:81/blog/b", True),
        ("/blog", "/blog", True),
        ("/blog", "/blog?page=2", False),
        ("/a?b=*", "/a?b=c", True),
        ("/a?b=*", "/aXb=c", False),
        ("/a[1]*", "/a[1]", True),
        ("/a[1]*", "/a1", False),
        ("/a.html", "/a.html", True),
        ("/a.html", "/abhtml", False),
        ("/*/edit", "/a/b/edit", True),
        ("/*/edit", "/a/b/edit/c", False),
        ("/*a*b*c", "/a/c/b/c", True),
        ("/*a*b*c", "/a/c/b", False),
        ("/*aa*a", "/aa", False),
        ("/*aa*a", "/aaa", True),
        ("/bücher/*", "/b%C3%BCcher/a", True),
        ("/a b*", "/a%20b", True),
        ("/a%20b*", "/a%20b", True),
        ("*.pdf", "/a.pdf", True),
        ("*.pdf", "/a.pdf?b", False),
        ("*/print/*", "/print/", True),
        ("*", "/", True),
        ("https://example.com/*", "/a", True),
        ("https://example.com/*", "https://example.com:8443/a", False),
        ("https://EXAMPLE.com:443/A*", "/A", True),
        ("https://bücher.example/*", "https://xn--bcher-kva.example/", True),
        ("http*://example.com/*", "http://example.com/a", True),
        ("https://*.example.com/*", "https://a.b.example.com/c", True),
        ("https://*.example.com/*", "/a", False),
        ("https://example.com", "/", False),
        ("re:/[0-9]{4}/", "/blog/2026/a", True),
        ("re:/[0-9]{4}/", "/blog/26/a", False),
        ("re:^https://example", "/", True),
        ("re:(?i)/BLOG", "/blog", True),
        ("re:a,b", "/a,b", True),
    ],
)
def test_a_pattern_means_a_url(pattern, url, meant):
    url = urls.normalize(SITE + url if url.startswith("/") else url)
    assert Patterns("include", [pattern]).match(url) is meant


def test_one_of_several_patterns_is_enough():
    patterns = Patterns("include", ["/a/*", "*.html", "/b", "re:c+d", "https://x.test/*", "re:^$"])
    found = [patterns.match(f"{SITE}{path}") for path in ("/a/1", "/1.html", "/b", "/ccd", "/", "/b/c")]
    assert found == [True, True, True, True, False, False]
    assert patterns.match("https://x.test/q")


@pytest.mark.parametrize("pattern", ["blog", "example.com/*", ".pdf", "ftp://example.com/*", " /a"])
def test_an_invalid_pattern_is_refused_with_a_suggestion(pattern):
    with pytest.raises(ConfigError) as caught:
        Patterns("exclude", [pattern])
    assert str(caught.value) == (
        f"setting exclude: not a pattern: {pattern!r} (write /path/*, *{pattern}* or re:{pattern})"
    )


def test_an_invalid_regular_expression_is_refused():
    with pytest.raises(ConfigError, match=r"^setting include: not a regular expression: 're:\(': missing \)"):
        Patterns("include", ["re:("])


@given(st.text("ab*/", max_size=12), st.text("ab/", max_size=12))
def test_a_star_is_any_run_of_characters(rest, path):
    url = f"{SITE}/{path}"
    plain = re.compile(".*".join(map(re.escape, f"/{rest}".split("*"))))
    assert Patterns("include", [f"/{rest}"]).match(url) is (plain.fullmatch(f"/{path}") is not None)


def test_many_stars_do_not_take_long():
    patterns = Patterns("include", ["/" + "*a" * 30 + "*b"])
    assert not patterns.match(f"{SITE}/" + "a" * 4000)  # to try every way to split it would take years


@each(
    ("path", "found"),
    [
        ("", False),
        ("a.pdf", True),
        ("A.PDF", True),
        ("a.tar.gz", True),
        ("a.gz.tar", False),
        ("a.pdf/c", False),
        ("a.pdf/", False),
        ("a.pdf?b=c.png", True),
        ("a?b=c.pdf", False),
        ("a.", False),
        ("pdf", False),
        (".pdf", True),
        ("a.pdf.html", False),
        ("v1.2.long-words-that-are-no-ending-at-all-pdf", False),
    ],
)
def test_the_ending_of_a_path_counts(path, found):
    assert FileTypes(["pdf", ".GZ"]).match(f"https://example.com/{path}") is found


def test_a_host_has_no_file_type():
    assert not FileTypes(["com"]).match("https://example.com/")


def test_words_and_endings():
    assert FileTypes(["pdf", ".DOC", "media"]).endings == {"pdf", "doc"} | SETS["media"]
    assert {"jpg", "mp4", "woff2"} <= SETS["media"]
    assert {"zip", "gz", "deb"} <= SETS["archives"]
    assert not {"html", "htm", "php", "xml", "txt", "pdf", "ts", "js"} & (SETS["media"] | SETS["archives"])


@pytest.mark.parametrize("word", ["*.pdf", "a b", ".", "a/b", "pdf,doc"])
def test_an_invalid_file_ending_is_refused(word):
    with pytest.raises(ConfigError) as caught:
        FileTypes([word])
    assert str(caught.value) == (f"setting skip_extensions: not a file extension: {word!r} (write pdf, or media)")
