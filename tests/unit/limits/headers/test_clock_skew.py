"""`ClockSkew`: the difference between a server's clock and ours."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.headers.clock_skew import ClockSkew


def test_one_date_bounds_the_skew_to_a_second_and_a_round_trip():
    skew = ClockSkew()
    assert skew.range is None
    skew.observe(100.0, sent=90.0, received=90.5)
    assert skew.range == (9.5, 11.0)


def test_several_dates_narrow_it():
    skew = ClockSkew()
    skew.observe(100.0, sent=90.0, received=90.1)
    skew.observe(101.0, sent=90.5, received=90.6)
    assert skew.range == (101 - 90.6, 101 - 90.0)


def test_a_contradicting_date_replaces_the_range():
    skew = ClockSkew()
    skew.observe(100.0, sent=90.0, received=90.1)
    skew.observe(300.0, sent=91.0, received=91.1)
    assert skew.range == (300 - 91.1, 301 - 91.0)


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0, 10), st.floats(0, 3), st.floats(0, 1)), min_size=1, max_size=30),
)
def test_the_true_skew_is_never_excluded(ahead, answers):
    skew, now = ClockSkew(), 1e6
    for gap, trip, share in answers:
        now += gap
        skew.observe(float(math.floor(now + trip * share + ahead)), sent=now, received=now + trip)
        assert skew.range[0] - 1e-6 <= ahead <= skew.range[1] + 1e-6
        now += trip


def test_an_implausible_date_is_ignored():
    skew = ClockSkew()
    skew.observe(-1e9, sent=90.0, received=90.1)
    skew.observe(1e9, sent=90.0, received=90.1)
    assert skew.range is None


def test_the_range_is_restored_and_unreadable_values_are_ignored():
    skew, again = ClockSkew(), ClockSkew()
    skew.observe(100.0, sent=90.0, received=90.5)
    again.restore(skew.state())
    assert again.range == skew.range
    for garbage in (None, [], [1], [2, 1], ["a", "b"], [math.nan, 1], [math.inf, math.inf], {"a": 1}, [1, 2, 3]):
        again.restore(garbage)
        assert again.range == skew.range
