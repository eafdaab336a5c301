"""The encoding that markup declares: in the first 1024 bytes, and by a meta element behind them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.content import detect_encoding, meta_charset
from crawler.content.labels import _LABELS


@each(
    ("head", "label"),
    [
        (b"<meta charset=koi8-r>", "koi8-r"),
        (b"<META\nCHARSET = 'KOI8-R'/>", "koi8-r"),
        (b"<meta/charset=koi8-r>", "koi8-r"),
        (b'<meta name=x charset=" koi8-r ">', "koi8-r"),
        (b"<meta charset=koi8-r charset=iso-8859-2>", "koi8-r"),
        (b"<html lang='<meta charset=iso-8859-2>'><meta charset=koi8-r>", "koi8-r"),
        (b"<!-- <meta charset=iso-8859-2> --><meta charset=koi8-r>", "koi8-r"),
        (b"<!--><meta charset=koi8-r>", "koi8-r"),
        (b"<!DOCTYPE html><title>a<b</title><meta charset=koi8-r>", "koi8-r"),
        (b"<meta charset=nonsense><meta charset=koi8-r>", "koi8-r"),
        (b"<meta http-equiv=Content-Type content='text/html; charset=koi8-r'>", "koi8-r"),
        (b"<meta content='text/html; charset=koi8-r' http-equiv=content-type>", "koi8-r"),
        (b"<meta http-equiv=content-type content='charset; charset = \"koi8-r\"'>", "koi8-r"),
        (b"<meta charset=utf-16be>", "utf-8"),
        (b"<meta charset=x-user-defined>", "windows-1252"),
        (b"<meta charset=iso-2022-kr>", "replacement"),
        (b"<?xml version='1.0' encoding='koi8-r'?><html>", "koi8-r"),
        (b'<?xml version="1.0" encoding="utf-16"?><html>', "utf-8"),
        (b"<?xml version='1.0' encoding='iso-8859-2'?><meta charset=koi8-r>", "koi8-r"),
        (b"<!-- " + b"x" * 980 + b" --><meta charset=koi8-r>", "koi8-r"),
    ],
)
def test_the_meta_element_comes_before_the_content(head, label):
    assert detect_encoding(head + "<p>é".encode(), None) == label


@each(
    "head",
    [
        b"<meta content='text/html; charset=koi8-r'>",
        b"<meta http-equiv=refresh content='text/html; charset=koi8-r'>",
        b"<metacharset=koi8-r>",
        b"</meta charset=koi8-r>",
        b"<!-- <meta charset=koi8-r>",
        b"<!DOCTYPE <meta charset=koi8-r>",
        b"<p title='<meta charset=koi8-r>'>",
        b"<meta charset=",
        b"<meta charset=''>",
        b"<meta charset=\"'koi8-r'\">",
        b" <?xml version='1.0' encoding='koi8-r'?>",
    ],
)
def test_text_that_looks_like_a_meta_element_does_not_count(head):
    assert detect_encoding(head + "<p>é".encode(), None) == "utf-8"


FAR = b"<!DOCTYPE html>" + b" " * 1024


@each(
    "markup",
    [
        b"<meta charset=koi8-r>",
        b"<META content='text/html; charset=koi8-r' http-equiv=Content-Type>",
        b"<meta charset=nonsense><meta charset=koi8-r><meta charset=iso-8859-2>",
        b"<title><meta charset=iso-8859-2></title><body><p><meta charset=koi8-r>",
        b"<script>'<meta charset=iso-8859-2></scripts>'</SCRIPT ><meta charset=koi8-r>",
        b"<style/><meta charset=iso-8859-2></style><meta charset=koi8-r>",
        b"<noscript><meta charset=iso-8859-2></noscript><meta charset=koi8-r>",
        b"</script><meta charset=koi8-r>",
        b"<scripts><meta charset=koi8-r>",
        b"<!-- <script> --><meta charset=koi8-r>",
        b"<a title='<script>'><meta charset=koi8-r>",
    ],
)
@each("content_type", ["text/html", None, "text/html; charset=klingon"])
def test_a_meta_element_after_the_first_1024_bytes_counts(markup, content_type):
    assert detect_encoding(FAR + markup + "<p>é".encode(), content_type) == "koi8-r"


@pytest.mark.parametrize(
    "markup",
    [
        b"<script>'<meta charset=koi8-r>'</script>",
        b"<textarea><meta charset=koi8-r>",
        b"<!-- <meta charset=koi8-r> -->",
        b"<p title='<meta charset=koi8-r>'>",
        b"<meta name=charset content=koi8-r>",
        b"<meta charset=koi8-r",
        b" " * 262_144 + b"<meta charset=koi8-r>",
    ],
)
def test_text_that_looks_like_a_meta_element_after_the_first_1024_bytes_does_not_count(markup):
    assert detect_encoding(FAR + markup + "<p>é".encode(), "text/html") == "utf-8"


def test_a_meta_element_across_the_border_counts():
    assert detect_encoding(b"<html>" + b" " * 1005 + b"<meta charset=koi8-r>", "text/html") == "koi8-r"


def test_the_first_1024_bytes_come_before_the_others_and_those_before_an_xml_declaration():
    declared = b"<?xml version='1.0' encoding='iso-8859-2'?>"
    assert detect_encoding(b"<meta charset=koi8-r>" + FAR + b"<meta charset=big5>", "text/html") == "koi8-r"
    assert detect_encoding(declared + FAR + b"<meta charset=koi8-r>", "text/html") == "koi8-r"
    assert detect_encoding(declared + FAR + b"<meta charset=koi8-r>", "application/xhtml+xml") == "iso-8859-2"


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "application/rss+xml", None])
def test_far_markup_counts_in_html_only(content_type):
    assert detect_encoding(b'["' + b" " * 1024 + b'<meta charset=koi8-r>"]', content_type) == "utf-8"


FRAGMENTS = [b"<meta ", b"charset", b"=", b"'", b'"', b"koi8-r", b">", b"<!--", b"-->", b"<a ", b"/", b" ", b"content=",
             b"http-equiv=content-type ", b"<?xml encoding='koi8-r'", b"\xc3", b"<", b"!"]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=200))
def test_any_broken_markup_gets_a_label(fragments):
    assert detect_encoding(b"".join(fragments), None) in _LABELS.values()


@given(st.lists(st.sampled_from([*FRAGMENTS, b"<META\n", b"<mEtA/", b"<script>", b"</script>", b"<p "]), max_size=60))
def test_the_look_that_spares_pages_the_search_changes_no_label(fragments):
    body = FAR + b"".join(fragments)
    label = detect_encoding(body, "text/html")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(meta_charset, "_may_declare", lambda _document: True)
        assert detect_encoding(body, "text/html") == label


def test_a_meta_element_counts_after_many_that_declare_nothing():
    assert detect_encoding(FAR + b"<meta name=a>" * 200 + b"<meta charset=koi8-r>", "text/html") == "koi8-r"


@each("start", [b"", FAR + b"charset"])
@each(
    "fragment",
    [
        *FRAGMENTS,
        b"a",
        b"<!-",
        b"<meta a",
        b"<a =",
        b"charset =",
        b"<meta charset='",
        b"\xe9",
        b"<script>",
        b"</script",
        b"<x ",
        b"<meta charset",
        b"<META a>",
    ],
)
def test_the_label_of_a_megabyte_of_anything_takes_no_time(fragment, start):
    body = start + fragment * (1_000_000 // len(fragment))
    began = time.process_time()
    detect_encoding(body, None)
    assert time.process_time() - began < 0.5
