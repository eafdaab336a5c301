"""`Window`: the length of windows, and the error in stated resets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.quotas.time_interval import TimeInterval
from crawler.limits.quotas.window import (
    COMMON_LENGTHS,
    Window,
    longest_common,
    next_common,
    next_end,
    possible_lengths,
)  # fmt: skip

UNKNOWN = TimeInterval()


def begin(window: Window, at: float, reset: TimeInterval, last: TimeInterval = UNKNOWN, *, first: bool = True) -> None:
    """Begin a window with a request that takes a tenth of a second."""
    window.begin(reset, last=last, sent=at, received=at + 0.1, first=first)


@pytest.mark.parametrize(
    ("began", "after", "until", "lengths"),
    [
        (0.0, 31.0, 63.0, [60.0]),
        (0.0, 60.1, 61.0, []),
        (0.0, 0.5, 16.0, [1.0, 2.0, 5.0, 10.0, 15.0]),
        (3614.0, 3644.0, 3660.4, [60.0]),  # a minute of the clock ends
        (3614.0, 3644.0, 3659.9, []),
        (3658.0, 3659.5, 3660.1, [2.0, 60.0]),
        (3690.0, 3719.0, 3720.2, [30.0, 60.0, 120.0]),
        (3660.1, 3719.0, 3720.2, [60.0]),  # by both, and others by the clock alone
    ],
)
def test_the_lengths_that_a_window_can_have(began, after, until, lengths):
    assert possible_lengths((began, began), after, until) == lengths


@pytest.mark.parametrize(("low", "high", "length"), [(59, 60.2, 60), (0.9, 2.1, 2), (36, 38, None)])
def test_the_longest_common_length_in_a_range(low, high, length):
    assert longest_common(low, high) == length


@given(st.floats(0, 1e7))
def test_the_next_common_length_is_the_nearest_longer_one(seconds):
    length = next_common(seconds)
    assert length > seconds
    assert length in COMMON_LENGTHS or length % 86400 == 0
    assert not any(seconds < common < length for common in COMMON_LENGTHS)


def test_a_window_may_end_after_a_common_length_or_with_the_clock():
    since, now, ends = 3600.0 * 7 + 3400.0, 3600.0 * 7 + 3400.0, []
    for _ in range(14):
        now = next_end(since, now)
        ends.append(round(now - since, 2))
    assert ends[:7] == [1.05, 2.1, 5.25, 10.3, 15.3, 20.3, 30.3]  # 20 s later a minute begins
    assert ends[7:] == [60.3, 80.3, 120.3, 200.3, 300.3, 600.3, 900.3]  # 80 s later two minutes end, then an hour
    assert next_end(since, since + 1e9) == math.inf


def test_a_window_that_is_used_up_shows_its_length_by_its_first_request_and_its_end():
    window = Window()
    window.learn_from_empty(TimeInterval(11.04, 11.05), 10.0, 10.1)
    assert (window.length, window.is_certain()) == (1.0, False)
    window.learn_from_empty(TimeInterval(12.1, 12.11), 11.06, 11.16)
    assert (window.length, window.is_certain()) == (1.0, True)


def test_an_end_that_is_known_to_the_second_shows_no_length_of_a_window_that_is_used_up():
    window = Window()
    window.learn_from_empty(TimeInterval(10.5, 11.5), 10.0, 10.1)
    assert window.length is None


def test_the_last_units_are_kept_while_it_is_unknown_when_the_window_ends():
    window = Window()
    assert window.kept_until(9, 10, UNKNOWN, since=0.0, last=0.0) is None
    assert window.kept_until(8, 10, UNKNOWN, since=0.0, last=0.0) == pytest.approx(1.05)
    assert window.kept_until(7, 10, UNKNOWN, since=0.0, last=10.3) == pytest.approx(15.3)
    assert window.kept_until(17, 100, UNKNOWN, since=0.0, last=0.0) is None
    window.learn_from_probes((0.0, 0.1), 10.2, 16.0, since=-math.inf, empty=False)
    assert window.length == 15.0
    assert window.kept_until(5, 10, TimeInterval(14.9, 15.1), since=0.0, last=0.2) is None  # fewer, after a guess
    assert window.kept_until(4, 10, TimeInterval(14.9, 15.1), since=0.0, last=0.2) == pytest.approx(15.3, abs=0.4)
    window.learn_from_probes((0.0, 0.1), 14.0, 16.0, since=-math.inf, empty=True)
    assert window.kept_until(4, 10, TimeInterval(14.9, 15.1), since=0.0, last=0.2) is None


def test_no_unit_is_kept_for_ever():
    window = Window()
    assert window.kept_until(8, 10, UNKNOWN, since=0.0, last=1e6) is None
    assert window.kept_until(8, 10, UNKNOWN, since=math.nan, last=0.0) is None


def test_between_two_distant_requests_several_windows_may_have_ended():
    window = Window()
    window.learn_from_probes((0.0, 0.1), 0.5, 16.0, since=-math.inf, empty=False)
    assert window.length is None


def test_no_window_lasts_longer_than_from_the_last_response_before_it_to_the_first_one_after_it():
    window = Window()
    window.learn_from_probes((4.0, 4.1), 8.5, 13.0, since=2.0, empty=False)
    assert window.length == 5.0
    window.learn_from_probes((58.0, 58.1), 59.0, 62.0, since=54.0, empty=False)  # that a minute ended means nothing
    assert window.length == 5.0


def test_a_length_that_is_no_common_one_is_at_most_the_longest_that_all_windows_allow():
    window = Window()
    window.learn_from_probes((15.3, 15.4), 30.0, 37.9, since=10.3, empty=False)
    assert window.length == 15.0
    window.forget_length(16.0)
    window.learn_from_probes((37.9, 38.0), 55.0, 60.0, since=30.0, empty=False)
    assert (window.length, window.is_certain()) == (pytest.approx(27.6), True)


def test_each_window_that_shows_no_length_leaves_fewer_units_to_find_it():
    window = Window()
    assert window.kept_until(8, 10, UNKNOWN, since=0.0, last=0.0, windows=2) == pytest.approx(1.05)
    assert window.kept_until(5, 10, UNKNOWN, since=0.0, last=0.0, windows=3) is None
    assert window.kept_until(4, 10, UNKNOWN, since=0.0, last=0.0, windows=3) == pytest.approx(1.05)


def test_one_unit_is_kept_for_the_beginning_of_a_stated_minute():
    window, reset = Window(), TimeInterval(60.0, 120.0)
    window.declare(None, (60.0, 120.0))
    assert window.kept_until(2, 10, reset, since=0.0, last=3.0) is None
    assert window.kept_until(1, 10, reset, since=0.0, last=3.0) == pytest.approx(60.3)
    assert window.kept_until(1, 10, reset, since=0.0, last=60.3) is None


def test_a_declared_length_is_certain_and_a_stated_reset_is_corrected():
    window = Window(correction=1.0)
    assert window.declare(60.0, None) is None
    assert (window.length, window.is_certain(), window.reset_stated) == (60.0, True, False)
    assert window.declare(None, (10.0, 11.0)) == TimeInterval(11.0, 12.0)
    assert window.reset_stated


def test_a_length_that_is_not_positive_is_ignored():
    window = Window()
    window.declare(0.0, None)
    assert (window.length, window.declared) == (None, False)


def test_a_learned_length_is_certain_once_it_is_confirmed():
    window = Window()
    assert not window.is_guess()
    begin(window, 0.0, TimeInterval(59.1, 60.1))
    assert (window.length, window.is_certain(), window.is_guess()) == (60, False, True)
    begin(window, 100.0, TimeInterval(159.1, 160.1))
    assert window.is_certain()
    assert not window.is_guess()


def test_a_window_that_follows_the_last_one_shows_its_length_too():
    window = Window()
    begin(window, 60.5, TimeInterval(119.0, 120.0), TimeInterval(59.0, 60.0), first=False)
    assert window.length == 60


def test_resets_are_corrected_once_two_windows_seem_to_be_rounded_down():
    window = Window(5.0)
    rounded = TimeInterval(rounded_down=True)
    window.end(rounded)
    assert window.correction == 0
    window.end(rounded)
    assert window.correction == 1


def test_in_a_long_window_one_is_enough():
    window = Window(60.0)
    window.end(TimeInterval(rounded_down=True))
    assert window.correction == 1


def test_a_window_that_ended_early_shows_how_late_resets_are_until_that_proves_wrong():
    window = Window()
    window.shorten(4.7, 5.3, opened=0.1, end=6.1)
    assert (window.length, window.correction) == (5.0, pytest.approx(-1.0))
    assert window.revert_shortening() == pytest.approx(1.0)
    assert (window.length, window.correction) == (None, 0.0)
    window.shorten(4.7, 5.3, opened=0.1, end=6.1)
    assert (window.length, window.correction) == (None, 0.0)


def test_a_window_that_ended_long_before_its_reset_shows_no_length():
    window = Window()
    window.shorten(4.7, 5.3, opened=0.1, end=60.0)
    assert (window.length, window.correction) == (None, 0.0)


def test_a_window_whose_beginning_is_unknown_shows_no_length():
    window = Window()
    for began in (math.nan, 0.0):
        window.learn_from_probes((began, began), 31.0, 61.0, since=-1.0, empty=True)
    assert window.length == 60.0
    window = Window(60.0)
    window.forget_length(math.nan)
    window.learn_from_probes((100.0, 100.1), 131.0, 161.0, since=None, empty=True)
    assert window.length == 60.0
