"""`did_you_mean`: the closest known name as a question, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.suggest import MOST_LISTED, did_you_mean, did_you_mean_or_list, either


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("workesr", " (did you mean workers?)"),
        ("WORKERS", " (did you mean workers?)"),
        ("delaY", " (did you mean Delay?)"),
        ("x", ""),
        ("", ""),
    ],
)
def test_the_closest_name_is_suggested_in_its_own_spelling(name, hint):
    assert did_you_mean(name, ["workers", "Delay"]) == hint


def test_without_names_there_is_nothing_to_suggest():
    assert did_you_mean("x", []) == ""


def test_the_form_and_the_cutoff_can_be_set():
    assert did_you_mean("repot", ["report"], form="--{}") == " (did you mean --report?)"
    assert did_you_mean("repot", ["report"], cutoff=0.99) == ""


@given(st.text(), st.lists(st.text(max_size=5), max_size=5))
def test_only_known_names_are_suggested(name, known):
    hint = did_you_mean(name, known)
    assert hint in ("", *(f" (did you mean {one}?)" for one in known))


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("workesr", ["workers", "delay"], " (did you mean workers?)"),
        ("x", ["workers", "delay"], " (it has workers, delay)"),
        ("x", [], ""),
        ("x", [f"name{n}" for n in range(MOST_LISTED + 1)], ""),
    ],
)
def test_a_few_names_are_listed_if_none_is_close(name, known, hint):
    assert did_you_mean_or_list(name, known, "it has") == hint


@pytest.mark.parametrize(
    ("choices", "text"), [(["log"], "log"), (["log", "stop"], "log or stop"), (["a", "b", 3], "a, b or 3")]
)
def test_choices_are_listed_as_in_a_sentence(choices, text):
    assert either(choices) == text
