"""Lengths that people choose, and brackets that answers narrow."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.quotas.time_interval import Bracket
from crawler.limits.quotas.window import COMMON, longest_common, next_common, shortest_common

TIMES = st.floats(-1e6, 1e6)


def bracket(one: float, other: float) -> Bracket:
    return Bracket(min(one, other), max(one, other))


@pytest.mark.parametrize(("low", "high", "length"), [(31, 63, 60), (60, 61, None), (0.2, 100, 1), (59.9, 60, 60)])
def test_the_shortest_usual_length_in_a_range(low, high, length):
    assert shortest_common(low, high) == length


@pytest.mark.parametrize(("low", "high", "length"), [(59, 60.2, 60), (0.9, 2.1, 2), (36, 38, None)])
def test_the_longest_usual_length_in_a_range(low, high, length):
    assert longest_common(low, high) == length


@given(st.floats(0, 1e7))
def test_the_next_usual_length_is_longer_and_as_near_as_can_be(seconds):
    length = next_common(seconds)
    assert length > seconds
    assert length in COMMON or length % 86400 == 0
    assert not any(seconds < common < length for common in COMMON)


@given(TIMES, TIMES, TIMES, TIMES)
def test_narrowing_keeps_an_order(one, other, third, fourth):
    made = bracket(one, other)
    made.narrow(bracket(third, fourth))
    assert made.lo <= made.hi


@given(TIMES, st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=10))
def test_what_is_true_of_all_words_stays_within(truth, words):
    made = Bracket()
    for before, after in words:
        made.narrow(Bracket(truth - before, truth + after))
    assert made.lo <= truth <= made.hi


def test_the_window_of_our_first_request_narrows_an_end_in_whole_seconds():
    made = Bracket(59.3, 60.3)
    made.snap(60.0, 60.05, late=0.0, careful=True)
    assert made.hi == 60.05
    assert not made.rounded


def test_words_a_second_before_the_window_of_our_first_request_are_rounded_down():
    made = Bracket(58.1, 59.1)
    made.snap(60.0, 60.05, late=0.0, careful=True)
    assert (made.hi, made.rounded) == (60.05, True)
    made.narrow(Bracket(58.2, 59.3))
    assert made.hi == 60.05


def test_who_came_late_learns_nothing_of_rounding():
    made = Bracket(58.1, 59.1)
    made.snap(60.0, 60.05, late=0.8, careful=False)
    assert (made.hi, made.rounded) == (59.1, False)


def test_an_end_of_which_nothing_is_known():
    assert not Bracket().is_known()
    assert Bracket().hi == math.inf
