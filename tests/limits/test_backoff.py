"""Waiting before the next attempt: full jitter, and what a server says by ``Retry-After``."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.backoff import decorrelated_jitter, equal_jitter, full_jitter, parse_retry_after, stated_jitter

NOW = 784111777.0 - 100  # Sun, 06 Nov 1994 08:49:37 GMT is 784111777


class Most(random.Random):
    """Draws the upper end."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.fixture
def far_from_greenwich(monkeypatch):
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


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


@given(st.integers(1, 200), st.floats(0, 100), st.floats(0, 1000), st.integers())
def test_equal_jitter_waits_at_least_half(attempt, base, cap, seed):
    upper = full_jitter(attempt, base=base, cap=cap, random=Most())
    wait = equal_jitter(attempt, base=base, cap=cap, random=random.Random(seed))
    assert upper / 2 <= wait <= upper


@given(st.floats(0, 1000), st.floats(0, 10), st.floats(10, 1000), st.integers())
def test_decorrelated_jitter_lies_between_its_base_and_thrice_the_last_wait(previous, base, cap, seed):
    wait = decorrelated_jitter(previous, base=base, cap=cap, random=random.Random(seed))
    assert base <= wait <= min(cap, max(base, 3 * previous))


@given(st.floats(-10, 1e6), st.integers())
def test_what_is_added_to_a_stated_wait_is_never_negative_and_at_most_a_twentieth_or_a_second(wait, seed):
    assert 0 <= stated_jitter(wait, random=random.Random(seed)) <= min(1.0, max(0.0, wait) / 20)


@pytest.mark.parametrize(("value", "seconds"), [("120", 120.0), ("0", 0.0), (" 3600 ", 3600.0), ("007", 7.0)])
def test_seconds(value, seconds):
    assert parse_retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",  # RFC 9110 section 5.6.7: the three forms of a date
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_a_date_is_the_time_until_then_wherever_the_crawler_runs(value, far_from_greenwich):
    assert parse_retry_after(value, now=NOW) == 100.0


def test_a_date_that_has_passed_is_no_wait():
    assert parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now=NOW + 200) == 0.0


@pytest.mark.parametrize(
    "value",
    [None, "", " ", "-5", "+5", "1.5", "5s", "soon", "²", "٣", "5, 6", "Sun, 99 Nov 1994 08:49:37 GMT", "GMT",
     "Sun, 06 Nov 1994", "9" * 400, "\x00", "Sun, 06 Nov 99999999999 08:49:37 GMT"],
)  # fmt: skip
def test_what_is_neither_says_nothing(value):
    assert parse_retry_after(value, now=NOW) is None


@given(st.text())
def test_no_text_breaks_it(value):
    wait = parse_retry_after(value, now=NOW)
    assert wait is None or 0 <= wait < float("inf")
