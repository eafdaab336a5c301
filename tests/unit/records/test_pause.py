"""A file without records is read in steps: each is followed by a `PAUSE`, at which other tasks may run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from crawler.records import PAUSE, BrokenRecord, csv_records, json_array_records, json_lines_records, xml_records
from crawler.records.csv import MAX_COLUMNS, MAX_ROW
from crawler.records.json import MAX_LINE

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
    found = list(json_array_records("[" * 100_000))
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
    found = [record for record in json_lines_records([" " * MAX_LINE, " 1 1\n", "2\n"]) if record is not PAUSE]
    assert found[1:] == [2]
    long = [record for record in json_lines_records(["[", " " * MAX_LINE, "]\n", "2\n"]) if record is not PAUSE]
    assert long == [BrokenRecord(f"line 1: more than {MAX_LINE} characters"), 2]
