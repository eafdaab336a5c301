"""`Checkpoint`: the rows of the table ``meta`` that job format 1 names, in both directions."""

from __future__ import annotations

import msgspec
import pytest

from crawler.store import Checkpoint

ROWS = {
    "note:stats": b'{"pages":1}',
    "note:networks": b'["192.168.0"]',
    "note:origins": b'["https://site.test"]',
    "note:exhausted": b"true",
    "note:clock": b"1800000000.5",
    "note:budgets": b'{"key:A":{"next_start":5.0}}',
}
"""As version 0.1 writes it."""
WHOLE = Checkpoint(
    stats=b'{"pages":1}',
    networks=b'["192.168.0"]',
    origins=b'["https://site.test"]',
    exhausted=True,
    clock=1_800_000_000.5,
    budgets={"key:A": {"next_start": 5.0}},
)


def test_a_checkpoint_is_written_as_job_format_1_says() -> None:
    assert WHOLE.to_rows() == ROWS


def test_written_values_are_read_back() -> None:
    assert Checkpoint.from_rows(ROWS) == WHOLE


def test_unchanged_values_are_not_written() -> None:
    assert Checkpoint().to_rows() == {}
    assert Checkpoint(clock=0.0, budgets={}).to_rows() == {"note:clock": b"0.0", "note:budgets": b"{}"}


def test_a_new_job_has_an_empty_checkpoint() -> None:
    assert Checkpoint.from_rows({"identity": b"{}", "live": 3, "spool": 12}) == Checkpoint()


def test_a_damaged_value_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError):
        Checkpoint.from_rows({"note:clock": b'"noon"'})
