"""The format of a file: by its media type, else its name, else its content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.records import detect_format


@each(
    ("content_type", "path", "head", "form"),
    [
        ("application/rss+xml; charset=utf-8", "/x.csv", "a,b", "xml"),
        ("TEXT/CSV", "/x.xml", "<a>", "csv"),
        ("text/tab-separated-values", "/", "", "csv"),
        ("", "/items.jl.gz", "[1]\n[2]", "jsonl"),
        ("", "/items.ndjson", "[1]\n[2]", "jsonl"),
        ("application/x-ndjson", "/", '{"a":1}\n{"a":2}', "jsonl"),
        ("application/vnd.api+json", "/", '{"data": []}', "json"),
        ("application/octet-stream", "/a/x.TSV.gz", "a\tb", "csv"),
        ("", "/x.atom", "a,b", "xml"),
        ("", "/dir.csv/x", '[{"a": 1}]', "json"),
        ("", "/%78.csv", "<a>", "csv"),
        ("text/html", "/", "<a>", "xml"),
        ("", "/", "\ufeff\n <a>", "xml"),
        ("", "/", "a;b", "csv"),
        ("", "/", "", "csv"),
    ],
)
def test_media_type_then_name_then_content(content_type, path, head, form):
    assert detect_format(content_type, path, head) == form


@each("content_type", ["application/json", "application/x-ndjson", ""])
@each(
    ("head", "form"),
    [
        ('{"a":1}\n{"a":2}\n', "jsonl"),
        ('\x1e{"a":1}\n\x1e{"a":2}\n', "jsonl"),
        ("[1, 2]", "json"),
        ('[\n{"a":1},\n{"a":2}]', "json"),
    ],
)
def test_the_content_tells_json_from_json_lines_whatever_the_type_says(content_type, head, form):
    assert detect_format(content_type, "/", head) == form


@pytest.mark.parametrize(
    ("head", "forms"), [('{"a":1}', ("json", "jsonl", "jsonl")), ('{\n"a":1}', ("json", "jsonl", "json"))]
)
def test_one_object_is_read_as_its_type_says(head, forms):
    types = ("application/json", "application/jsonl", "")
    assert tuple(detect_format(content_type, "/", head) for content_type in types) == forms


@given(st.text(), st.text(), st.text())
def test_every_file_has_a_format(content_type, path, head):
    assert detect_format(content_type, path, head) in ("xml", "csv", "jsonl", "json")
