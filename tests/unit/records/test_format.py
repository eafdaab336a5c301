"""The format of a file: by its media type, else its name, else its content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each
from support.pauses import without_pauses

from crawler.records import (
    PAUSE,
    BrokenRecord,
    csv_records,
    detect_format,
    json_array_records,
    json_lines_records,
    xml_records,
)
from crawler.records.csv import MAX_COLUMNS, MAX_ROW
from crawler.records.json import MAX_RECORD

READERS: list[tuple[Callable[[str], Iterable[Any]], str, str]] = [
    (lambda text: csv_records([text]), "a\n1\n2,2\n3\n", "line 3: 2 instead of 1 fields"),
    (lambda text: json_lines_records([text]), '{"a": "1"}\n{\n{"a": "3"}', "line 2: "),
    (lambda text: json_array_records([text]), '[{"a": "1"}, {,}, {"a": "3"}]', "element 2: "),
    (lambda text: xml_records([text], "b"), "<r><b><a>1</a></b><b><</b><b><a>3</a></b></r>", "record 2: "),
]


def value(record: Any) -> Any:
    return record.findtext("a") if isinstance(record, Element) else record["a"]


@pytest.mark.parametrize(("read", "text", "reason"), READERS)
def test_a_broken_record_takes_its_place_and_reading_continues(read, text, reason):
    first, broken, last = without_pauses(read(text))
    assert (value(first), value(last)) == ("1", "3")
    assert isinstance(broken, BrokenRecord)
    assert broken.reason.startswith(reason)
    assert "\n" not in broken.reason


CHUNKS = 40
CHUNK = 6000


@pytest.mark.parametrize(
    ("read", "start", "unit"),
    [
        (lambda chunks: xml_records(chunks, "item"), "<r>", "<a/>"),
        (lambda chunks: xml_records(chunks, "item"), "<r>", " "),
        (lambda chunks: xml_records(chunks, "item"), "<r>", "&"),
        (csv_records, "", "\n"),
        (csv_records, "a,b\n", "\n"),
        (json_lines_records, "", "\n"),
        (json_lines_records, "", "1"),
    ],
)
def test_at_most_two_chunks_are_read_without_a_pause(
    read: Callable[[Iterator[str]], Iterator[object]], start: str, unit: str
) -> None:
    taken = longest = 0

    def chunks() -> Iterator[str]:
        nonlocal taken, longest
        for text in (start, *[unit * (CHUNK // len(unit))] * CHUNKS):
            taken += 1
            longest = max(longest, taken)
            yield text

    pauses = 0
    for record in read(chunks()):
        pauses += record is PAUSE
        taken = 0
    assert pauses >= CHUNKS - 1
    assert longest <= 2


def test_the_end_of_a_broken_element_is_looked_for_in_steps() -> None:
    found = list(json_array_records(["[" * 100_000]))
    assert found.count(PAUSE) == 9
    assert isinstance(found[-1], BrokenRecord)


def test_a_null_of_json_is_a_record() -> None:
    assert [record for record in json_lines_records(["null\n"]) if record is not PAUSE] == [None]


def test_a_row_of_millions_of_lines_is_broken_and_reading_continues() -> None:
    line = '","\n'
    broken, *found = csv_records(["a\n", '"', line * (MAX_ROW // len(line) + 1), "1\n"])
    assert isinstance(broken, BrokenRecord)
    assert broken.reason.endswith(f": a row of more than {MAX_ROW} characters")
    assert found[-1] == {"a": "1"}


def test_a_table_of_a_hundred_thousand_columns_is_refused() -> None:
    assert len([*csv_records([f"{',' * (MAX_COLUMNS - 1)}\n" * 2])]) == 1
    with pytest.raises(ValueError, match="the table has 100001 columns, more than 100000"):
        list(csv_records(["," * MAX_COLUMNS]))


def test_a_line_of_json_that_cannot_be_decoded_in_one_step_is_broken() -> None:
    found = [record for record in json_lines_records([" " * MAX_RECORD, " 1 1\n", "2\n"]) if record is not PAUSE]
    assert found[1:] == [2]
    long = [record for record in json_lines_records(["[", " " * MAX_RECORD, "]\n", "2\n"]) if record is not PAUSE]
    assert long == [BrokenRecord(f"line 1: more than {MAX_RECORD} characters"), 2]


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
