"""Numbers from JSON documents."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.limits.json_numbers import json_count, json_number


@each("value", [None, True, False, "5", [5], {}, math.nan, math.inf, -math.inf, 10**400, 1e16])
def test_other_values_and_numbers_out_of_range_are_rejected(value):
    assert json_number(value) is None


def test_the_bounds_belong_to_the_range():
    assert json_number(0, 0.0, 5.0) == 0.0
    assert json_number(5, 0.0, 5.0) == 5.0
    assert json_number(-0.1, 0.0, 5.0) is None
    assert json_number(5.1, 0.0, 5.0) is None


@pytest.mark.parametrize(("value", "count"), [(0, 0.0), (1e17, 1e17), (-1, None), (10**18, None), (True, None)])
def test_counts_are_not_negative_and_may_be_large(value, count):
    assert json_count(value) == count


@given(st.integers() | st.floats() | st.none() | st.text())
def test_the_result_is_a_finite_float_or_none(value):
    for number in (json_number(value), json_count(value)):
        assert number is None or (isinstance(number, float) and math.isfinite(number))
