"""Entries of a form, and their encoding as a query, as multipart and as plain text."""

from __future__ import annotations

from email import message_from_bytes
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.html.forms import Control
from crawler.html.submission import (
    MULTIPART,
    PLAIN,
    URLENCODED,
    Upload,
    construct_entries,
    encode_entries,
    pick_encoding,
)


@pytest.mark.parametrize(
    ("accepted", "label", "encoding"),
    [
        (None, "windows-1252", "windows-1252"),
        (None, "utf-16le", "utf-8"),
        (None, "replacement", "utf-8"),
        ("", "windows-1252", "utf-8"),
        ("unknown", "windows-1252", "utf-8"),
        ("unknown latin1 utf-8", "utf-8", "windows-1252"),
        ("utf-16", "windows-1252", "utf-8"),
    ],
)
def test_the_encoding_of_a_submission(accepted, label, encoding):
    assert pick_encoding(accepted, label) == encoding


TEXT = Control(name="t", kind="text", values=("x",))
BOX = Control(name="c", kind="checkbox", values=(), value="on")
BUTTON = Control(name="b", kind="submit", values=(), value="go")
IMAGE = Control(name="i", kind="image", values=())
FILE = Control(name="f", kind="file", values=())
OFF = Control(name="o", kind="text", values=("x",), enabled=False)


@each(
    ("controls", "button", "filled", "entries"),
    [
        ([TEXT, BOX, OFF], None, {}, [("t", "x")]),
        ([TEXT, BUTTON, IMAGE], BUTTON, {}, [("t", "x"), ("b", "go")]),
        ([BUTTON, IMAGE], IMAGE, {}, [("i.x", "0"), ("i.y", "0")]),
        ([Control(name="", kind="image", values=())], None, {}, []),
        ([FILE], None, {}, [("f", Upload())]),
        ([TEXT, BOX], None, {"c": ["on"], "t": ["1", "2"]}, [("t", "1"), ("t", "2"), ("c", "on")]),
        ([TEXT], None, {"t": []}, []),
        ([TEXT, TEXT], None, {"t": ["1"]}, [("t", "1")]),
        ([TEXT], None, {"new": ["1"]}, [("t", "x"), ("new", "1")]),
        ([OFF], None, {"o": ["1"]}, [("o", "1")]),
        ([Control(name="_charset_", kind="hidden", values=("x",))], None, {}, [("_charset_", "windows-1252")]),
        ([Control(name="t", kind="text", values=("x",), dirname="d")], None, {}, [("t", "x"), ("d", "ltr")]),
    ],
)
def test_entries_of_controls(controls, button, filled, entries):
    assert construct_entries(controls, button, "windows-1252", filled) == entries


def test_a_query_in_the_encoding_of_the_form():
    entries = [("ä b", "x&y=~*"), ("日", "€"), ("f", Upload("a.txt"))]
    assert encode_entries(entries, URLENCODED, "windows-1252") == (
        b"%E4+b=x%26y%3D%7E*&%26%2326085%3B=%80&f=a.txt", URLENCODED
    )  # fmt: skip


def test_plain_text_has_a_line_for_each_entry():
    assert encode_entries([("a", "1\n2"), ("b", "")], PLAIN, "utf-8") == (b"a=1\r\n2\r\nb=\r\n", PLAIN)


def test_a_multipart_body_has_a_part_for_each_entry():
    entries = [("a", "1\r2"), ('q"\r\n', "x"), ("f", Upload('n"\n.bin', b"\0\n\xff", "image/png"))]
    body, kind = encode_entries(entries, MULTIPART, "utf-8")
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    first, second, third = message.get_payload()
    assert first.get_payload(decode=True) == b"1\r\n2"
    assert second["Content-Disposition"] == 'form-data; name="q%22%0D%0A"'
    assert third["Content-Disposition"] == 'form-data; name="f"; filename="n%22%0A.bin"'
    assert third.get_content_type() == "image/png"
    assert b"\r\n\r\n\0\n\xff\r\n--" in body


PAIRS = st.lists(st.tuples(st.text(max_size=5), st.text(max_size=8)), max_size=4)


@given(PAIRS.map(lambda pairs: [(name.replace("\r", "\n"), value.replace("\r", "\n")) for name, value in pairs]))
def test_a_query_that_was_encoded_is_parsed_to_the_same_entries(entries):
    body, _ = encode_entries(entries, URLENCODED, "utf-8")
    parsed = parse_qsl(body.decode(), keep_blank_values=True)
    assert [(name.replace("\r\n", "\n"), value.replace("\r\n", "\n")) for name, value in parsed] == entries


@given(PAIRS, st.sampled_from([URLENCODED, MULTIPART, PLAIN]), st.sampled_from(["utf-8", "windows-1252", "shift_jis"]))
def test_equal_entries_have_equal_bodies(entries, enctype, encoding):
    assert encode_entries(entries, enctype, encoding) == encode_entries(list(entries), enctype, encoding)
