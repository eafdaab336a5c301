"""Waiting before the next attempt: full jitter."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.backoff import full_jitter


class Most(random.Random):
    """Draws the upper end."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.mark.parametrize(("attempt", "upper"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (10, 30.0), (10_000, 30.0)])
def test_the_upper_end_doubles_up_to_the_cap(attempt, upper):
    assert full_jitter(attempt, base=0.5, cap=30.0, random=Most()) == upper


@given(st.integers(1, 200), st.floats(0, 100), st.floats(0, 1000), st.integers())
def test_a_wait_lies_between_nothing_and_its_upper_end(attempt, base, cap, seed):
    wait = full_jitter(attempt, base=base, cap=cap, random=random.Random(seed))
    assert 0 <= wait <= min(cap, base * 2.0 ** min(attempt - 1, 62))


def test_waits_are_spread_over_the_whole_range():
    chance = random.Random(1)
    waits = [full_jitter(3, base=1.0, cap=30.0, random=chance) for _ in range(2000)]
    for low in (0.0, 1.0, 2.0, 3.0):
        assert 400 < sum(low <= wait < low + 1 for wait in waits) < 600
