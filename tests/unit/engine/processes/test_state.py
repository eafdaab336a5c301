"""`StateVersions`: a callback is outdated if it has read what another page has changed meanwhile."""

from __future__ import annotations

import pytest

from crawler.engine.processes import wire
from crawler.engine.processes.state import StateVersions
from crawler.hooks.page_effects import MISSING
from crawler.hooks.state import State


def test_messages_have_values_as_json_and_the_number_of_changes() -> None:
    versions = StateVersions(State("tree", {"a": [1]}))
    whole = versions.whole()
    assert (whole.version, whole.changed) == (0, {"a": b"[1]"})
    change = versions.change({"a": b"[1,2]", "b": MISSING})
    assert (change.version, change.changed) == (1, {"a": b"[1,2]", "b": None})


@pytest.mark.parametrize(
    ("reads", "outdated"),
    [
        ({}, False),
        ({"a": 0}, True),
        ({"a": 1}, False),
        ({"b": 0}, False),
        ({"b": 0, "a": 0}, True),
        ({wire.ALL_KEYS: 1}, True),
        ({wire.ALL_KEYS: 2}, False),
    ],
)
def test_a_value_that_was_read_before_a_change_is_outdated(reads: dict[str, int], outdated: bool) -> None:
    versions = StateVersions(State("tree"))
    versions.change({"a": b"1"})
    versions.change({"c": b"1"})
    assert versions.is_outdated(reads) == outdated


def test_changes_of_a_callback_become_effects() -> None:
    versions = StateVersions(State("tree"))
    assert versions.effects({"a": b"[1]", "b": None}) == {"a": ([1], MISSING), "b": (MISSING, MISSING)}
