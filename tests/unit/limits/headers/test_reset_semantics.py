"""`ResetSemantics`: what the numbers of a reset field mean, from how they change."""

from __future__ import annotations

import math

import pytest
from support.cases import each

from crawler.limits.headers.reset_semantics import ResetReading, ResetSemantics


def reading(at, wait, *, left=None, limit=None, milliseconds=True):
    """The reading of a response requested at `at` that states a wait."""
    return ResetReading(
        sent=at,
        received=at + 0.1,
        reset=(at + max(0, wait - 1), at + 0.1 + wait),
        milliseconds=(at + max(0, wait - 1) / 1000, at + 0.1 + wait / 1000) if milliseconds else None,
        limit=limit,
        remaining=left,
    )


def verdict(*readings):
    semantics = ResetSemantics()
    for one in readings:
        semantics.observe("reset", "default", one)
    return semantics.verdict("reset")


def test_two_responses_within_a_fifth_of_a_second_prove_no_milliseconds():
    assert verdict(reading(0, 60000), reading(0.15, 59850)) == ""
    assert verdict(reading(0, 60000), reading(0.25, 59750)) == "milliseconds"


def test_a_long_wait_of_a_first_refusal_is_read_in_milliseconds_until_the_next_one_agrees_with_it():
    semantics = ResetSemantics()
    first, burst, probe = reading(0, 40000), reading(0.05, 40000), reading(40.2, 39960)
    assert semantics.verdict_when_empty("reset", "default", first, refused=True) == "milliseconds"
    semantics.observe("reset", "default", first)
    assert semantics.verdict_when_empty("reset", "default", burst, refused=True) == "milliseconds"
    assert semantics.verdict("reset") == ""
    assert semantics.verdict_when_empty("reset", "default", probe, refused=True) == "plain"
    assert semantics.verdict("reset") == "plain"


def test_a_long_wait_that_starts_anew_in_the_next_window_is_one_in_milliseconds():
    semantics = ResetSemantics()
    semantics.observe("reset", "default", reading(0, 59000))
    new = reading(61.0, 58000)
    assert semantics.verdict_when_empty("reset", "default", new, refused=True) == "milliseconds"
    assert semantics.verdict("reset") == "milliseconds"


def test_a_long_wait_that_is_first_stated_when_nothing_is_left_is_read_in_milliseconds():
    semantics = ResetSemantics()
    assert semantics.verdict_when_empty("reset", "default", reading(0, 90000), refused=False) == "milliseconds"
    semantics.observe("reset", "default", reading(0, 90000))
    assert semantics.verdict_when_empty("reset", "default", reading(0.1, 90000), refused=False) == ""
    assert semantics.verdict_when_empty("reset", "default", reading(1.0, 89999), refused=False) == "plain"


@each(("wait", "verdict"), [(4.0, "milliseconds"), (3221.0, "plain"), (60.0, "")])
def test_the_wait_of_the_same_refusal_shows_the_unit(wait, verdict):
    semantics = ResetSemantics()
    assert semantics.verdict_by_wait("reset", reading(0, 3221), wait) == verdict
    assert semantics.verdict("reset") == verdict


def test_windows_end_after_as_many_milliseconds_once_these_are_recognised():
    window = [reading(0, 1000, left=9, limit=10), reading(0.3, 700, left=8, limit=10)]
    assert verdict(*window, reading(1.1, 999, left=7, limit=10)) == "milliseconds"


def test_an_exact_date_leaves_open_when_in_the_round_trip_it_was_written():
    one = ResetReading(sent=0.0, received=0.1, reset=(1.19, 1.191), limit=100, remaining=10)
    assert one.seconds_per_unit() == pytest.approx((1.09 / 90, 1.191 / 89))
    assert reading(0, 90, left=10, limit=100).seconds_per_unit() == pytest.approx((89 / 90, 90 / 89))


def test_a_number_that_cannot_be_milliseconds_is_not():
    assert verdict(reading(0, 60000, milliseconds=False), reading(2.5, 57500, milliseconds=False)) == ""


@pytest.mark.parametrize(
    "second",
    [
        reading(3, 90, left=4, limit=10),  # another limit: perhaps another policy
        reading(3, 90, left=9, limit=20),  # more is left: a new window
        reading(3, 90, left=8, limit=20),  # nothing was spent
        reading(60, 60, left=4, limit=20),  # the first window is over
    ],
)
def test_readings_of_different_windows_prove_nothing(second):
    assert verdict(reading(0, 60, left=8, limit=20), second) == ""


def test_the_time_to_full_is_proportional_to_the_missing_units():
    full = [reading(i / 10, 3 * (20 - left), left=left, limit=20) for i, left in enumerate((10, 8, 6, 2))]
    assert verdict(*full) == "full"
    assert full[-1].rate_range()[0] == pytest.approx(17 / 54)  # a lower bound: the true rate is one in 3 s


def test_a_time_without_proportion_is_moving_and_stays_so():
    moving = [reading(2 * i, 60, left=left, limit=20) for i, left in enumerate((15, 14, 13))]
    assert verdict(*moving) == "moving"
    assert verdict(*moving, reading(5.2, 80, left=12, limit=20)) == "moving"


def test_a_time_that_moves_by_less_than_the_units_spent_is_no_time_to_full():
    later = reading(1, 43200 * 2, left=1, limit=3), reading(2, 43200 * 2 + 60, left=0, limit=3)
    assert verdict(*later) == "moving"


def test_without_a_limit_a_moving_time_is_the_time_to_full():
    assert verdict(reading(0, 10, left=8), reading(1, 20, left=6)) == "full"


def test_a_reset_that_is_constant_while_many_units_are_spent_is_plain():
    assert verdict(reading(0, 60, left=18, limit=20), reading(1, 59, left=4, limit=20)) == "plain"


def test_documented_fields_need_no_proof():
    semantics = ResetSemantics()
    assert (
        semantics.verdict("x-ratelimit-reset-tokens")
        == semantics.verdict("anthropic-ratelimit-requests-reset")
        == "full"
    )
    assert semantics.verdict("x-ratelimit-reset") == ""


def test_each_policy_of_a_field_is_compared_with_itself():
    semantics = ResetSemantics()
    semantics.observe("reset", "a", reading(0, 10, left=8, limit=10))
    semantics.observe("reset", "b", reading(1, 20, left=6, limit=10))
    assert semantics.verdict("reset") == ""
    semantics.observe("reset", "a", reading(1, 30, left=4, limit=10))
    assert semantics.verdict("reset") == "full"


def test_a_bucket_that_is_full_has_no_rate():
    assert reading(0, 0, left=10, limit=10).rate_range() == (0.0, math.inf)
    assert reading(0, 0, left=8, limit=10).rate_range()[0] == 0.0
    assert reading(0, 5, left=9, limit=10).rate_range()[0] == 0.0  # the missing unit may be partly restored
    assert reading(0, 5).rate_range() == (0.0, math.inf)


def test_the_rate_of_a_time_to_full_is_that_of_the_reading_with_the_most_units_missing():
    semantics = ResetSemantics()
    assert semantics.rate("r", "p", reading(0, 5, left=9, limit=10)) is None
    best = semantics.rate("r", "p", reading(0, 10, left=0, limit=10))
    assert best == pytest.approx(0.9)
    assert semantics.rate("r", "p", reading(5, 2, left=8, limit=10)) == best
    assert semantics.rate("r", "p", reading(5, 105, left=0, limit=10)) == pytest.approx(9 / 105)  # the rate has changed


# ---- windows that are over long before the stated end ----------------------------------------------------------------


def doubt(*readings):
    semantics = ResetSemantics()
    for one in readings:
        semantics.observe("reset", "default", one)
    return semantics.in_doubt("reset", "default")


EARLY = [reading(10 * i, wait, left=1, limit=2) for i, wait in enumerate((710, 220, 900, 580))]


def test_one_unit_that_takes_more_than_a_minute_proves_no_time_to_full():
    first, second = reading(0, 256, left=23, limit=24), reading(0.3, 950, left=22, limit=24)
    assert verdict(first, second) == ""
    assert verdict(first, reading(0.3, 512, left=22, limit=24), reading(0.6, 768, left=21, limit=24)) == "full"
