"""Tables as dicts: separators, quotes, names of columns, line ends, however the text is cut."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pauses import without_pauses

from crawler.records import BrokenRecord, csv_records


def rows(text: str, size: int = 0, **options) -> list:
    size = size or len(text) or 1
    return without_pauses(csv_records([text[start : start + size] for start in range(0, len(text), size)], **options))


@pytest.mark.parametrize("size", [0, 1, 2])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_in_any_way(end, size):
    text = 'a,b\n1,"x\ny"\n\n2,z'.replace("\n", end)
    assert rows(text, size) == [{"a": "1", "b": f"x{end}y"}, {"a": "2", "b": "z"}]


@pytest.mark.parametrize(
    ("text", "separator"),
    [("a,b", ","), ("a;b", ";"), ("a\tb", "\t"), ("a|b", "|"), ('"a,b,c";d', ";"), ("a", ","), ("a;b,c", ",")],
)
def test_the_separator_of_the_first_line(text, separator):
    [row] = rows(f"{text}\n{separator.join('1' * (text.replace('a,b,c', '').count(separator) + 1))}\n")
    assert list(row) == next(csv.reader([text], delimiter=separator))


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({"headers": ["x", "x", ""]}, "1,2,3", [{"x": "1", "x_2": "2", "column_3": "3"}]),
        ({"delimiter": " "}, "a b\n1 2", [{"a": "1", "b": "2"}]),
        ({"quotechar": "'"}, "a,b\n'1,2',3", [{"a": "1,2", "b": "3"}]),
        ({"quotechar": ""}, 'a,b\n"1,2"', [{"a": '"1', "b": '2"'}]),
        ({"headers": []}, "1", [BrokenRecord("line 1: 1 instead of 0 fields")]),
    ],
)
def test_options(options, text, expected):
    assert rows(text, **options) == expected


def test_names_of_columns_are_unique_even_where_one_looks_like_another():
    assert rows("a,a,a_2,a,\n1,2,3,4,5")[0] == {"a": "1", "a_2": "2", "a_2_2": "3", "a_3": "4", "column_5": "5"}


@pytest.mark.parametrize("text", ["", "\n", " \n\r\n", "a,b", "a,b\n\n"])
def test_a_table_without_rows_has_no_records(text):
    assert rows(text) == []


def test_a_quotation_mark_that_is_never_closed_breaks_its_row():
    assert rows('a,b\n1,"2\n3,4\n') == [BrokenRecord("line 2: a quotation mark is never closed")]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\udfff"), max_size=5)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1), st.integers(1, 9))
def test_a_file_of_pythons_writer_is_read_back(table, size):
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *table])
    assert [list(row.values()) for row in rows(written.getvalue(), size)] == table


@given(st.text(st.sampled_from([*'ab,;\t|"\n\r', " ", "\ud800"])), st.integers(1, 9))
def test_no_text_raises_and_the_cuts_make_no_difference(text, size):
    assert rows(text, size) == rows(text)
