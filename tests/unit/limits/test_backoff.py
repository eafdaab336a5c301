"""The wait before the next attempt: exponential backoff with jitter."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.backoff import backoff, decorrelated_jitter, equal_jitter, full_jitter, stated_jitter


class Most(random.Random):
    """Always draws the upper end of a range."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.mark.parametrize(("attempt", "upper"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (10, 30.0), (10_000, 30.0)])
def test_the_maximum_doubles_up_to_the_cap(attempt, upper):
    assert full_jitter(attempt, base=0.5, cap=30.0, random=Most()) == upper


@given(st.integers(1, 200), st.floats(0, 100), st.floats(0, 1000), st.integers())
def test_a_wait_is_between_zero_and_its_maximum(attempt, base, cap, seed):
    wait = full_jitter(attempt, base=base, cap=cap, random=random.Random(seed))
    assert 0 <= wait <= min(cap, base * 2.0 ** min(attempt - 1, 62))


def test_waits_are_spread_over_the_whole_range():
    chance = random.Random(1)
    waits = [full_jitter(3, base=1.0, cap=30.0, random=chance) for _ in range(2000)]
    for low in (0.0, 1.0, 2.0, 3.0):
        assert 400 < sum(low <= wait < low + 1 for wait in waits) < 600


@given(st.integers(1, 200), st.floats(0, 100), st.floats(0, 1000), st.integers())
def test_equal_jitter_waits_at_least_half(attempt, base, cap, seed):
    upper = full_jitter(attempt, base=base, cap=cap, random=Most())
    wait = equal_jitter(attempt, base=base, cap=cap, random=random.Random(seed))
    assert upper / 2 <= wait <= upper


@given(st.floats(0, 1000), st.floats(0, 10), st.floats(10, 1000), st.integers())
def test_decorrelated_jitter_is_between_its_base_and_three_times_the_last_wait(previous, base, cap, seed):
    wait = decorrelated_jitter(previous, base=base, cap=cap, random=random.Random(seed))
    assert base <= wait <= min(cap, max(base, 3 * previous))


@given(st.floats(-10, 1e6), st.integers())
def test_jitter_of_a_stated_wait_is_positive_and_at_most_a_twentieth_or_a_second(wait, seed):
    assert 0 <= stated_jitter(wait, random=random.Random(seed)) <= min(1.0, max(0.0, wait) / 20)


@pytest.mark.parametrize(("jitter", "least"), [("full", 0.0), ("equal", 2.0), ("decorrelated", 1.0)])
def test_the_three_kinds_of_jitter(jitter, least):
    chance = random.Random(1)
    waits = [backoff(3, jitter, base=1.0, cap=5.0, random=chance) for _ in range(2000)]
    assert least <= min(waits) < least + 0.2
    assert max(waits) <= 5.0
    assert len({round(wait, 3) for wait in waits if wait < 3.0}) > 100
