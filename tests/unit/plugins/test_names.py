"""Names of files from URLs and header fields."""

from __future__ import annotations

import time

import pytest
from crawler_plugins.files.names import extension, folders, host, media_type, name, safe_name
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import Response


@each(
    ("given", "safe"),
    [
        ("a.pdf", "a.pdf"), ("", "_"), (".", "_"), ("..", "_"), ("...", "_"), (".htaccess", "_htaccess"),
        ("a/b\\c", "a_b_c"), ('a:b*c?d"e<f>g|h', "a_b_c_d_e_f_g_h"), ("a\x00b\nc", "a_b_c"), (" a. ", "a"),
        ("CON", "_CON"), ("con.txt", "_con.txt"), ("COM1.a.b", "_COM1.a.b"), ("console", "console"),
        ("e\u0301.txt", "\u00e9.txt"), ("gpj.\u202eexe", "gpj._exe"), ("a\ud800", "a_"), ("日本.pdf", "日本.pdf"),
    ],
)  # fmt: skip
def test_a_name_is_made_safe(given, safe):
    assert safe_name(given) == safe


def test_a_long_name_is_cut_and_stays_unique():
    one, other = safe_name("ä" * 300 + "1.tar.gz"), safe_name("ä" * 300 + "2.tar.gz")
    assert len(one.encode()) <= 200
    assert one != other
    assert one.endswith(".gz")


@given(st.text(st.characters(categories=None), max_size=300))
def test_any_text_becomes_one_name_that_is_safe_already(text):
    safe = safe_name(text)
    assert safe_name(safe) == safe
    assert not {"/", "\\", "\0"} & set(safe)
    assert 0 < len(safe.encode()) <= 200
    assert not safe.startswith(".")


def response(url="https://site.test/", **fields):
    return Response(url, 200, {key.replace("_", "-"): value for key, value in fields.items()})


@pytest.mark.parametrize(
    ("url", "disposition", "expected"),
    [
        ("https://site.test/a/b%20c.pdf?x=/d", None, "b c.pdf"),
        ("https://site.test/", None, "index"),
        ("https://site.test/a", "attachment", "a"),
        ("https://site.test/a", 'attachment; filename="real.pdf"', "real.pdf"),
        ("https://site.test/a", "attachment; filename*=UTF-8''%e2%82%ac.pdf", "€.pdf"),
        ("https://site.test/a", 'attachment; filename=""', "a"),
        ("https://site.test/a", 'attachment; filename="x\r\n y', "x"),
        ("https://site.test/a", "filename*=bad'x", "a"),
    ],
)
def test_the_name_is_that_of_the_header_field_or_of_the_url(url, disposition, expected):
    fields = {} if disposition is None else {"content_disposition": disposition}
    found = name(response(url, **fields))
    assert isinstance(found, str)
    if expected != "x":
        assert found == expected


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_header_field_is_too_odd(text):
    assert name(response(content_disposition="attachment; " + text))
    assert "/" in media_type(response(content_type=text))


def test_a_long_header_field_is_not_parsed():
    began = time.process_time()
    field = 'attachment; a="' + ";" * 100_000
    assert name(response("https://site.test/a.pdf", content_disposition=field)) == "a.pdf"
    assert time.process_time() - began < 0.5


def test_host_and_folders_come_from_the_url():
    assert host("https://site.test:8080/a/b/c.pdf") == "site.test:8080"
    assert folders("https://site.test/a/%2e%2e/b//c%2fd/e.pdf") == ["a", "_", "b", "c_d"]
    assert folders("https://site.test/" + "x/" * 100) == ["x"] * 10


@pytest.mark.parametrize(
    ("file", "kind", "expected"),
    [
        ("a.jpeg", "image/jpeg", ".jpeg"), ("a.php", "image/png", ".png"), ("a", "application/pdf", ".pdf"),
        ("a.BIN", "application/octet-stream", ".bin"), ("a", "application/octet-stream", ""),
        ("a.xyz", "application/x-unknown", ".xyz"), ("a.p/d", "application/octet-stream", ""), ("a.", "text/x", ""),
        ("a.php", "image/webp", ".webp"),
    ],
)  # fmt: skip
def test_the_ending_fits_the_media_type(file, kind, expected):
    assert extension(file, kind) == expected


def test_the_media_type_has_no_parameters():
    assert media_type(response(content_type="Image/PNG; q=1")) == "image/png"
    assert media_type(response(content_type="nonsense")) == "application/octet-stream"
    assert media_type(response()) == "application/octet-stream"
