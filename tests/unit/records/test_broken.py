"""Each reader puts a `BrokenRecord` in the place of a record that cannot be read, and continues."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from support.pauses import without_pauses

from crawler.records import BrokenRecord, csv_records, json_array_records, json_lines_records, xml_records

READERS: list[tuple[Callable[[str], Iterable[Any]], str, str]] = [
    (lambda text: csv_records([text]), "a\n1\n2,2\n3\n", "line 3: 2 instead of 1 fields"),
    (lambda text: json_lines_records([text]), '{"a": "1"}\n{\n{"a": "3"}', "line 2: "),
    (json_array_records, '[{"a": "1"}, {,}, {"a": "3"}]', "element 2: "),
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
