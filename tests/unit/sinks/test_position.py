"""How a job recognizes its files, and what may stand behind its position in them."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.sinks.position import Position, difference

PARTS = [b"first\n", b"second\n", b"third\n"]
WHOLE = b"".join(PARTS)


def differs(content: bytes, ignored: bytes = b"\0") -> bool:
    return difference(io.BytesIO(content), iter(PARTS), ignored)


def test_a_position_survives_json_and_recognizes_its_tail() -> None:
    position = Position.at(7, b"tail", "../items.jsonl")
    assert Position.of(position.to_json()) == position
    assert position.ends_with(b"tail")
    assert not position.ends_with(b"tale")


def test_the_position_of_version_0_1_is_a_number() -> None:
    assert Position.of(7) == Position(end=7)


@given(st.integers(0, len(WHOLE)))
def test_any_prefix_of_the_written_data_is_not_a_difference(end: int) -> None:
    assert not differs(WHOLE[:end])


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_other_byte_is_a_difference(at: int, change: int) -> None:
    assert differs(WHOLE[:at] + bytes([WHOLE[at] ^ change or 1]) + WHOLE[at + 1 :])


@given(st.sets(st.integers(0, len(WHOLE) - 1)), st.integers(0, 9))
def test_zeros_in_place_of_unwritten_blocks_are_not_a_difference(holes: set[int], more: int) -> None:
    assert not differs(bytes(0 if at in holes else byte for at, byte in enumerate(WHOLE)) + bytes(more))


@pytest.mark.parametrize("more", [b"x", b"fourth\n", b"\n", b" " * 5000 + b"x"])
def test_more_data_than_was_written_is_a_difference(more: bytes) -> None:
    assert differs(WHOLE + more)
    assert not differs(WHOLE + more, ignored=more)
