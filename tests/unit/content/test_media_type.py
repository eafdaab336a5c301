"""The media type of a body, by the Fetch and MIME Sniffing Standards: header fields, first bytes, binary data."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import Response
from crawler.content import is_binary, is_html, is_xhtml
from crawler.content.media_type import MimeType, mime_type

URL = "https://site.test/"


def page(body: bytes, content_type: str | None = "text/html") -> Response:
    return Response(URL, 200, {} if content_type is None else {"Content-Type": content_type}, body)


@each(
    ("content_type", "found"),
    [
        ("Text/HTML;Charset=UTF-8", MimeType("text/html", "UTF-8")),
        (" text/html ; x=y", MimeType("text/html", "")),
        ("text/html charset=utf-8", MimeType("text/html", "utf-8")),
        ("text/html, application/json", MimeType("application/json", "")),
        ("text/html, nonsense", MimeType("text/html", "")),
        ('text/html;x=",text/plain"', MimeType("text/html", "")),
        ("html", MimeType("", "")),
        ("text/", MimeType("", "")),
        ("/", MimeType("", "")),
        ("text/html<script>", MimeType("", "")),
        ("unknown/unknown", MimeType("", "")),
        ("charset=utf-8", MimeType("", "utf-8")),
        ("", MimeType("", "")),
    ],
)
def test_the_mime_type_of_a_header_field(content_type: str, found: MimeType) -> None:
    assert mime_type(content_type) == found


@each("content_type", [None, "", "html", "*/*", "unknown/unknown", "application/unknown"])
@each(
    ("body", "found"),
    [
        (b"<!DOCTYPE HTML>", True),
        (b"\t\n\f\r <hTmL lang=de>", True),
        (b"<head>", True), (b"<script >", True), (b"<iframe >", True), (b"<h1>", True), (b"<div >", True),
        (b"<font >", True), (b"<table>", True), (b"<a href=x>", True), (b"<style>", True), (b"<title>", True),
        (b"<b>", True), (b"<body >", True), (b"<br>", True), (b"<p>", True), (b"<!-- x -->", True),
        (b"\xef\xbb\xbf<html>", True),
        (b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC ''>", True),
        (b"<?xml version='1.0'?><html>", True),
        (b"<?xml version='1.0'?><a >", False),
        (b"<html", False),
        (b"<htmlx>", False),
        (b"<pre>", False),
        (b"<rss>", False),
        (b"text <html>", False),
        (b'{"a": 1}', False),
        (b"%PDF-1.7", False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"", False),
    ],
)  # fmt: skip
def test_without_a_type_the_first_bytes_tell_html(content_type: str | None, body: bytes, found: bool) -> None:
    assert page(body, content_type).is_html is found


@each(
    ("content_type", "found"),
    [
        ("text/html", True), ("application/xhtml+xml", True), ("text/plain", False), ("text/xml", False),
        ("application/xml", False), ("image/svg+xml", False), ("application/json", False), ("image/png", False),
        ("application/pdf", False), ("application/octet-stream", False), ("text/html, text/html", True),
    ],
)  # fmt: skip
def test_a_type_that_was_given_is_believed(content_type: str, found: bool) -> None:
    assert page(b"<html>", content_type).is_html is found


@pytest.mark.parametrize(
    ("body", "binary"),
    [(b"text\t\n\r\f\x1b[0m", False), (b"a\0", True), (b"a\x0b", True), (b"\xff\xfea\0", False),
     (b"\xfe\xff\0a", False),
     (b"\xef\xbb\xbf\0", False), (b"a" * 1445 + b"\0", False), (b"caf\xe9", False), (b"", False)],
)  # fmt: skip
def test_bytes_that_no_text_has_tell_binary_data(body: bytes, binary: bool) -> None:
    assert is_binary(body) is binary


@pytest.mark.parametrize(
    ("content_type", "html", "xml"),
    [
        ("text/html", True, False), ("application/xhtml+xml", True, True), ("application/xml", False, True),
        ("text/xml", False, True), ("image/svg+xml", False, True), ("application/json", False, False),
        ("", False, False),
    ],
)  # fmt: skip
def test_types_of_html_and_xml(content_type: str, html: bool, xml: bool) -> None:
    kind = mime_type(content_type)
    assert (kind.is_html, kind.is_xml) == (html, xml)


@pytest.mark.parametrize(
    ("content_type", "found"),
    [
        ("application/xhtml+xml", True), ("Application/XHTML+XML; charset=utf-8", True), ("text/html", False),
        ("text/html; x=xhtml", False), ("", False),
    ],
)  # fmt: skip
def test_xhtml_is_recognised_by_its_type_only(content_type: str, found: bool) -> None:
    assert is_xhtml(content_type) is found


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("text/html; charset='utf-8'", "utf-8"),
        ('text/html; charset = "utf-8 "', "utf-8"),
        ("text/html; charset=a, text/html", "a"),
        ("text/html; charset=a, text/plain", ""),
        ("text/html; charset=a, nonsense; charset=b", "b"),
        ("text/html; xcharset=a", ""),
    ],
)
def test_the_charset_parameter_of_a_media_type(content_type: str, charset: str) -> None:
    assert mime_type(content_type).charset == charset


@pytest.mark.parametrize("part", ["<?xml ", " ", "<", '"', ",", "a/", ";charset="])
def test_no_field_and_no_body_takes_longer_than_its_length_allows(part: str) -> None:
    start = time.process_time()
    is_html(part * 100_000, (part * 100_000).encode())
    is_html("", (part * 100_000).encode())
    assert time.process_time() - start < 0.5


@given(st.text(max_size=80), st.binary(max_size=60))
def test_any_field_and_any_bytes_have_a_kind(content_type: str, body: bytes) -> None:
    essence = mime_type(content_type).essence
    assert essence == essence.lower()
    assert is_html(content_type, body) is (mime_type(content_type).is_html if essence else is_html("", body))
