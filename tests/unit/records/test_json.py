"""JSON Lines and JSON arrays: a broken value affects no other, and an array is found by its path."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pauses import without_pauses

from crawler.records import PAUSE, BrokenRecord, json_array_records, json_lines_records

JSON = st.recursive(st.none() | st.integers() | st.text(max_size=4) | st.just([]), lambda inner: st.lists(inner) | (
    st.dictionaries(st.text(max_size=3), inner)), max_leaves=8)  # fmt: skip


DAMAGE = st.sampled_from(["", "", "", ",", "}", "]", "{", "[", '"', "x", " 1", ":", "\\"])


@given(st.lists(st.tuples(JSON, DAMAGE)), st.integers(1, 9))
def test_an_array_reads_alike_in_parts_of_any_size(elements, size):
    text = "[" + ",".join(json.dumps(value) + damage for value, damage in elements) + "]"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crawler.records.json.MIN_PART", 1)
        in_parts = without_pauses(json_array_records(text[at : at + size] for at in range(0, len(text), size)))
    whole = without_pauses(json_array_records([text]))
    assert [one for one in in_parts if not isinstance(one, BrokenRecord)] == [
        one for one in whole if not isinstance(one, BrokenRecord)
    ]
    assert len(in_parts) == len(whole)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}\n\r\n [2] \n"x"', [{"a": 1}, [2], "x"]),
        ('\x1e{"a": 1}\n\x1e{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ("", []),
        ("\n\n", []),
        ("null\n", [None]),
    ],
)
def test_lines(text, expected):
    for size in (1, 3, 100):
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        assert without_pauses(json_lines_records(chunks)) == expected


@given(st.lists(JSON), st.integers(1, 9))
def test_lines_that_were_written_come_back(values, size):
    text = "\n".join(map(json.dumps, values))
    assert without_pauses(json_lines_records([text[at : at + size] for at in range(0, len(text), size)])) == values


@given(st.lists(JSON), st.sampled_from([(), ("a",), ("a", "b.c")]))
def test_an_array_that_was_written_comes_back(values, path):
    document = values
    for key in reversed(path):
        document = {"x": {key: 1}, key: document}
    assert without_pauses(json_array_records([json.dumps(document, indent=1)], path)) == values


def test_elements_come_before_the_rest_is_decoded():
    records = json_array_records(['[{"a": 1}, {"a": ' + "[" * 1000])
    assert next(record for record in records if record is not PAUSE) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (
            "{}",
            (),
            "expected an array at the top of the document, found an object; name the path to its records (items)",
        ),
        ("5", (), "expected an array at the top of the document, found another value"),
        ("", (), "expected an array at the top of the document, found nothing"),
        ('{"a": {"b": 1}}', ("a", "b"), "expected an array at a.b, found another value"),
        ('{"a": 1}', ("b",), "the document has no 'b' on the path to its records"),
        ('{"a" 1}', ("a",), "the document has no 'a' on the path to its records"),
        ('{"b": 1e}', ("a",), "the document has no 'a' on the path to its records"),
        ("[1]", ("a",), "the document has no 'a' on the path to its records"),
    ],
)
def test_a_document_without_the_array_is_refused(text, path, message):
    with pytest.raises(ValueError, match="^the document|^expected") as caught:
        without_pauses(json_array_records([text], path))
    assert str(caught.value).startswith(message)


def test_an_array_that_ends_early_says_so():
    assert without_pauses(json_array_records(["[1, 2"])) == [
        1,
        2,
        BrokenRecord("the array is truncated after element 2", is_cut=True),
    ]
    assert without_pauses(json_array_records(["[]"])) == without_pauses(json_array_records([" [ ] "])) == []


def test_many_errors_take_linear_time():
    text = "[" + "{,},\n" * 20_000 + "1]"
    start = time.process_time()
    *broken, last = without_pauses(json_array_records([text]))
    assert (len(broken), last) == (20_000, 1)
    assert time.process_time() - start < 5.0


def test_other_tasks_run_while_the_members_before_the_array_are_skipped():
    text = "{" + "".join(f'"k{n}":{n},' for n in range(30_000)) + '"items":[1]}'
    found = list(json_array_records([text], ("items",)))
    assert found == [PAUSE, PAUSE, PAUSE, 1]


@pytest.mark.parametrize("text", ['["' + "x" * 99, "[" * 99, '{"a": "' + "x" * 99, "[1" + "1" * 99, '{"a' + "a" * 99])
def test_a_value_without_end_is_not_collected(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crawler.records.json.MAX_RECORD", 40)
        patch.setattr("crawler.records.json.MIN_PART", 8)
        chunks = iter([*text])
        if text.startswith("["):
            [broken] = without_pauses(json_array_records(chunks))
            assert broken == BrokenRecord("the array is not read beyond element 1: a value of more than 40 characters")
        else:
            with pytest.raises(ValueError, match="the document has a value of more than 40 characters before its rec"):
                without_pauses(json_array_records(chunks, ("items",)))
        assert len([*chunks]) > 10
