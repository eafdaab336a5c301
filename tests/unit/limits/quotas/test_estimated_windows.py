"""`EstimatedWindows`: a sliding window that a server estimates from two fixed ones."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.quotas.estimated_windows import EstimatedWindows, length_between
from crawler.limits.quotas.sample import QuotaSample
from crawler.limits.quotas.time_interval import TimeInterval

LIMIT, LENGTH, END = 10.0, 60.0, 1_800_000_060.0


def windows(before: float, *, used: float = 0.0) -> EstimatedWindows:
    made = EstimatedWindows(TimeInterval(END, END), LENGTH, before)
    made.used = used
    return made


def sample(
    at: float, left: float, *, end: float | None = END, refused: bool = False, causal: bool = True
) -> QuotaSample:
    """A response to a request that was sent so many seconds after the present window began."""
    sent = END - LENGTH + at
    return QuotaSample(
        remaining=left,
        reset=None if end is None else TimeInterval(end, end),
        sent=sent,
        received=sent + 0.1,
        cost=1.0,
        inflight=0.0,
        causal=causal,
        refused=refused,
        disrupted=refused,
    )


def ready(made: EstimatedWindows, at: float, *, need: float = 1.0, inflight: float = 0.0) -> float:
    """Seconds from the beginning of the present window to the next request; `at`: now."""
    ready_at = made.ready_at(END - LENGTH + at, need=need, inflight=inflight, limit=LIMIT)
    return ready_at - END + LENGTH


@pytest.mark.parametrize(
    ("before", "used", "at"), [(10.0, 0.0, 6.0), (10.0, 1.0, 12.0), (5.0, 5.0, 12.0), (10.0, 9.0, 60.0)]
)
def test_units_return_as_fast_as_they_were_used_in_the_window_before(before, used, at):
    assert ready(windows(before, used=used), 0.0) == pytest.approx(at)


def test_a_window_after_an_unused_one_returns_nothing_before_the_next():
    assert ready(windows(0.0, used=9.0), 5.0) == -math.inf
    assert ready(windows(0.0, used=10.0), 5.0) == pytest.approx(66.0)


def test_units_in_flight_count_as_used():
    assert ready(windows(10.0), 0.0, inflight=2.0) == pytest.approx(18.0)


def test_a_request_that_costs_more_than_the_limit_waits_until_nothing_counts():
    assert ready(windows(10.0, used=2.0), 0.0, need=25.0) == pytest.approx(120.0)


@pytest.mark.parametrize(("at", "expected"), [(70.0, 66.0), (1000.0, -math.inf)])
def test_windows_pass_without_a_request(at, expected):
    """After one, what was used in it counts in proportion. After two, nothing does."""
    assert ready(windows(3.0, used=10.0), at) == pytest.approx(expected)


def test_a_request_counts_in_the_window_that_its_response_states():
    made = windows(10.0)
    made.record(sample(6.0, 0.0), LIMIT)
    made.record(sample(61.0, 8.0, end=END + LENGTH), LIMIT)
    assert (made.before, made.used, made.end.latest) == (1.0, 1.0, END + LENGTH)
    made.record(sample(59.9, 9.0, causal=False), LIMIT)
    assert made.before == 2.0
    made.record(sample(200.0, 9.0, end=END + 3 * LENGTH), LIMIT)
    assert (made.before, made.used) == (0.0, 1.0)


@pytest.mark.parametrize("idle", [70.0, 130.0, 1000.0])
def test_after_a_pause_no_more_requests_are_in_flight_than_the_limit_allows(idle):
    made = windows(0.0, used=1.0)
    assert ready(made, idle, inflight=8.0) <= idle
    assert ready(made, idle, inflight=10.0) > idle


def test_an_earlier_end_counts_unless_its_response_was_overtaken():
    """The clock of the server was set, or a wrong end was stated."""
    made = windows(10.0)
    made.record(sample(6.0, 0.0, end=END + 1e6), LIMIT)
    made.record(sample(12.0, 0.0), LIMIT)
    assert made.end.latest == END
    assert ready(made, 13.0) <= 2.0 * LENGTH


def test_a_response_that_states_no_end_counts_in_the_window_in_which_it_was_sent():
    made = windows(0.0, used=4.0)
    made.record(sample(61.0, 9.0, end=None), LIMIT)
    assert (made.before, made.used, made.end.latest) == (4.0, 1.0, END + LENGTH)


def test_what_is_missing_beyond_our_own_use_was_used_by_others():
    made = windows(0.0)
    made.record(sample(1.0, 3.0), LIMIT)
    assert made.used == 6.0  # seven are gone; the remainder is rounded down


def test_a_refusal_shows_that_ends_are_rounded_down_and_a_fourth_one_that_it_is_something_else():
    made = windows(10.0)
    for number in range(4):
        assert made.is_usable()
        made.record(sample(6.5 + number, 0.0, refused=True), LIMIT)
        assert made.end.latest == END + 1.0
        made.used = 0.0
    assert not made.is_usable()


def test_a_refusal_that_was_expected_shows_nothing():
    made = windows(10.0)
    made.record(sample(1.0, 0.0, refused=True), LIMIT)
    assert (made.wrong, made.end.latest) == (0, END)


@given(before=st.integers(0, 10), used=st.integers(0, 10), at=st.floats(0.0, 180.0))
def test_a_server_that_counts_like_this_serves_the_request(before, used, at):
    """The server: what is used counts, and what was used in the window before, by the share that is left of it."""
    sent = max(at, ready(windows(float(before), used=float(used)), at)) + 1e-6
    number = int(sent // LENGTH)
    counts = {0: (before, used), 1: (used, 0)}.get(number, (0, 0))
    assert counts[0] * (1.0 - sent / LENGTH + number) + counts[1] + 1.0 <= LIMIT + 1e-6


@pytest.mark.parametrize(
    ("last", "end", "sent", "assumed", "length"),
    [
        ((8.6, 8.6), (68.6, 68.6), 8.7, None, 60.0),
        ((8.0, 9.0), (68.0, 69.0), 9.0, 60.0, 60.0),
        ((8.0, 9.0), (68.0, 69.0), 9.0, 30.0, None),  # another length
        ((8.0, 9.0), (68.0, 69.0), 45.0, 60.0, None),  # a window may lie between the two
        ((8.0, 9.0), (10.0, 11.0), 9.0, 2.0, None),  # the end is known to the second, and windows last two
        ((8.6, 8.6), (9.6, 9.6), 8.7, 1.0, None),  # the next unit of a window that slides
    ],
)
def test_the_length_that_two_stated_ends_show(last, end, sent, assumed, length):
    assert length_between(TimeInterval(*last), TimeInterval(*end), sent=sent, assumed=assumed) == (
        length and pytest.approx(length)
    )
