"""`TimeInterval`: responses narrow it, and the true time stays inside."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.quotas.time_interval import TimeInterval

TIMES = st.floats(-1e6, 1e6)


def interval(one: float, other: float) -> TimeInterval:
    return TimeInterval(min(one, other), max(one, other))


@given(TIMES, TIMES, TIMES, TIMES)
def test_a_narrowed_interval_keeps_its_order(one, other, third, fourth):
    made = interval(one, other)
    made.narrow(interval(third, fourth))
    assert made.earliest <= made.latest


@given(TIMES, st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=10))
def test_a_time_within_every_statement_stays_within_the_interval(truth, statements):
    made = TimeInterval()
    for before, after in statements:
        made.narrow(TimeInterval(truth - before, truth + after))
    assert made.earliest <= truth <= made.latest


def test_a_contradicting_statement_replaces_the_interval():
    made = TimeInterval(10, 20)
    made.narrow(TimeInterval(30, 40))
    assert (made.earliest, made.latest) == (30, 40)


def test_a_final_interval_ignores_later_statements():
    made = TimeInterval(10, 20, is_final=True)
    made.narrow(TimeInterval(12, 13))
    assert (made.earliest, made.latest) == (10, 20)


def test_the_window_of_our_first_request_narrows_an_end_stated_in_whole_seconds():
    made = TimeInterval(59.3, 60.3)
    made.narrow_to_window(60.0, 60.05, late=0.0, careful=True)
    assert made.latest == 60.05
    assert not made.rounded_down


def test_ends_stated_up_to_a_second_before_that_window_are_rounded_down():
    made = TimeInterval(58.1, 59.1)
    made.narrow_to_window(60.0, 60.05, late=0.0, careful=True)
    assert (made.latest, made.rounded_down) == (60.05, True)
    made.narrow(TimeInterval(58.2, 59.3))
    assert made.latest == 60.05


def test_a_first_request_that_came_late_shows_nothing_about_rounding():
    made = TimeInterval(58.1, 59.1)
    made.narrow_to_window(60.0, 60.05, late=0.8, careful=False)
    assert (made.latest, made.rounded_down) == (59.1, False)
    made.narrow_to_window(60.0, 60.05, late=0.8, careful=True)
    assert (made.latest, made.is_final) == (60.05, True)


def test_an_end_far_from_that_window_is_not_changed():
    made = TimeInterval(100, 101)
    made.narrow_to_window(60.0, 60.05, late=0.0, careful=True)
    assert (made.earliest, made.latest) == (100, 101)


def test_an_interval_without_statements_is_unknown():
    assert not TimeInterval().is_known()
    assert not TimeInterval(5.0).is_known()
    assert TimeInterval(5.0, 6.0).is_known()
    assert TimeInterval().latest == math.inf


def test_a_shift_moves_both_ends():
    made = TimeInterval(5.0, 6.0)
    made.shift(1.5)
    assert (made.earliest, made.latest) == (6.5, 7.5)
