"""`printable`: nothing that it returns can command a terminal, and nothing else is changed."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.printable import printable, printable_line, printable_message, printable_traceback


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b]0;owned\x07", "\\u001b]0;owned\\u0007"),
        ("\x9b31m", "\\u009b31m"),
        ("\x7f\r\b\0", "\\u007f\\u000d\\u0008\\u0000"),
        ("\u202egnp.exe\u2069", "\\u202egnp.exe\\u2069"),
        ("日本語 é 👍 \u200f", "日本語 é 👍 \u200f"),
    ],
)
def test_control_characters_are_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_a_message_of_a_log_is_one_line() -> None:
    assert printable_message("a\tb\nc\x1b") == "a\tb\\u000ac\\u001b"


TRACEBACK = """Traceback (most recent call last):
  File "a.py", line 1, in <module>
    fail()
ValueError: one
ERROR x: two

ERROR x: three

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 2, in <module>
KeyError: 'a'
a note"""


def test_only_the_first_line_of_a_message_in_a_traceback_is_not_indented() -> None:
    shown = printable_traceback(TRACEBACK).splitlines()
    assert shown == [f"    {line}" if line.startswith(("ERROR", "a note")) else line for line in TRACEBACK.splitlines()]
    assert printable_traceback("ValueError: a\x1b") == "ValueError: a\\u001b"


def test_a_line_stays_one_line() -> None:
    assert printable_line("a\tb\nc\x1b") == "a\\u0009b\\u000ac\\u001b"


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    left = {character for character in printable(text) if unicodedata.category(character) == "Cc"}
    assert left <= {"\t", "\n"}
    assert not any(unicodedata.category(character) == "Cc" for character in printable_line(text))
    assert unicodedata.bidirectional("\u202e") not in map(unicodedata.bidirectional, printable(text))


@given(st.recursive(st.text(), st.lists))
def test_values_of_json_stay_the_same(value: object) -> None:
    assert json.loads(printable(json.dumps(value, ensure_ascii=False))) == value
