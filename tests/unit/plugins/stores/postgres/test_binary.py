"""Values in the binary format of PostgreSQL."""

from __future__ import annotations

import pytest
from crawler_plugins.stores.postgres import binary


@pytest.mark.parametrize("values", [[], [0], [1, -1, 2**62, -(2**63)]], ids=["empty", "one", "several"])
def test_arrays_of_integers_are_read_as_they_were_written(values: list[int]) -> None:
    assert binary.read_ints(binary.bigints(values)) == values


def test_integers_of_32_bits_are_read_too() -> None:
    assert binary.read_ints(binary.integers([1, -2])) == [1, -2]
    assert binary.read_int(binary.integer(-5)) == -5


def test_texts_are_read_as_they_were_written_and_surrogates_become_question_marks() -> None:
    assert binary.read_texts(binary.texts(["a", "é", b"json", "\ud800"])) == ["a", "é", "json", "?"]


def test_a_null_has_the_length_minus_one() -> None:
    assert binary.texts(["a", None]) == b"".join(
        part.to_bytes(4, "big", signed=True) if isinstance(part, int) else part
        for part in (1, 1, 25, 2, 1, 1, b"a", -1)
    )


def test_an_array_that_is_null_is_empty() -> None:
    assert binary.read_ints(None) == []
    assert binary.read_texts(None) == []


def test_other_values_are_read_as_they_were_written() -> None:
    assert binary.read_double(binary.double(float("-inf"))) == float("-inf")
    assert binary.read_boolean(binary.boolean(True))
    assert not binary.read_boolean(binary.boolean(False))
