"""`UndeclaredQuota`: limits that no response states."""

from __future__ import annotations

import math

import pytest

from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.window import Window

NOW = 1_800_000_000.0


def learned(limit: float = 3.0) -> UndeclaredQuota:
    """So many per minute, of which one was used at `NOW`."""
    made = UndeclaredQuota(name="undeclared", limit=limit, window=Window(60.0))
    made.record_unreported(sent=NOW, received=NOW + 0.1)
    return made


def ready(made: UndeclaredQuota, now: float) -> float:
    """Seconds after `NOW` when the next request may start."""
    return made.ready_at(NOW + now, cost=1.0, inflight=0.0, in_flight_since=lambda since: False) - NOW


def start(made: UndeclaredQuota, mode: str = "auto") -> float:
    """Seconds between the last start and the next one."""
    return made.start_at(0.0, cost=1.0, inflight=0.0, backlog=math.inf, mode=mode)  # type: ignore[arg-type]


def test_a_request_that_costs_more_than_the_limit_waits_for_an_unused_window() -> None:
    made = learned()

    def wait(now: float, inflight: float) -> float:
        return made.ready_at(NOW + now, cost=5.0, inflight=inflight, in_flight_since=lambda since: False) - NOW

    assert wait(100.0, 1.0) == math.inf  # until the one in flight has ended
    assert 60.0 < wait(100.0, 0.0) < 65.0


def test_a_window_is_counted_from_its_first_request():
    made = learned()
    for second in (1, 2):
        assert ready(made, second) < second
        made.record_unreported(sent=NOW + second, received=NOW + second + 0.1)
    assert 60.1 <= ready(made, 3) <= 64


def test_a_request_that_costs_more_than_the_learned_limit_starts_after_a_whole_window():
    made = learned()
    at = made.ready_at(NOW + 1, cost=5.0, inflight=0.0, in_flight_since=lambda since: False)
    assert 60.1 <= at - NOW <= 64
    assert made.ready_at(NOW + 1, cost=5.0, inflight=1.0, in_flight_since=lambda since: False) == math.inf


def test_a_limit_of_two_units_is_doubted_until_three_trials_of_one_more_are_refused():
    made = learned(2.0)
    now, trials = 1.0, []
    for _ in range(12):
        now = max(now, ready(made, now))
        if made.used == 2 and now < made.probe_at() - NOW:
            trials.append(made.window_count)
            assert made.explain_refusal(NOW + now)
        else:
            assert made.record_unreported(sent=NOW + now, received=NOW + now + 0.1)
    assert trials == [1, 2, 3]
    doubted = learned(2.0)
    assert [doubted.record_unreported(sent=NOW + at, received=NOW + at + 0.1) for at in (1, 2)] == [True, False]


def test_one_more_unit_is_tried_after_eight_clean_windows_and_then_more_rarely():
    made = learned()
    now, trials = 1.0, []
    for _ in range(200):
        now = max(now, ready(made, now))
        if made.used == 3 and now < made.probe_at() - NOW:  # a fourth request, but the server allows three
            trials.append(made.window_count)
            assert made.explain_refusal(NOW + now)
        else:
            made.record_unreported(sent=NOW + now, received=NOW + now)
    assert trials == [9, 25, 57]
    assert made.limit == 3


def test_a_limit_that_is_too_low_rises_with_the_units_served():
    made = UndeclaredQuota(name="undeclared", limit=3.0, window=Window(60.0), certain=False)
    now = 0.0
    while now < 50:
        assert ready(made, now) <= now
        made.record_unreported(sent=NOW + now, received=NOW + now)
        now += 1.0
    assert made.limit == 50


def test_a_refused_trial_that_states_the_end_of_the_window_proves_a_limit_that_was_in_doubt():
    made = UndeclaredQuota(name="undeclared", limit=2.0, window=Window(60.0), certain=False)
    for now in (0.0, 1.0):
        made.record_unreported(sent=NOW + now, received=NOW + now)
    made.proven_at = made.opened_at
    assert made.explain_refusal(NOW + 2.0, retry_after=58.0)
    assert made.certain
    assert made.limit == 2.0


def test_a_refusal_with_units_left_is_not_that_of_a_trial():
    """The first refusal was a 503, so the next window tries one unit more; but units return one by one."""
    made = UndeclaredQuota(name="undeclared", limit=20.0, window=Window(60.0), certain=False)
    for number in range(5):
        made.record_unreported(sent=NOW + number, received=NOW + number + 0.1)
    assert made.explain_refusal(NOW + 5.0)
    assert (made.certain, made.refusals, made.limit) == (True, 0, 20.0)
    early = ready(made, 6.0)
    assert 5.0 + 60.0 / 19.0 < early < 12.0  # whether a unit has returned
    made.record_unreported(sent=NOW + early, received=NOW + early + 0.1)
    assert made.is_continuous


def test_what_is_in_flight_may_have_used_up_the_window_before_a_refused_trial():
    made = UndeclaredQuota(name="undeclared", limit=20.0, window=Window(60.0), certain=False)
    for number in range(17):
        made.record_unreported(sent=NOW + number / 10, received=NOW + number / 10 + 0.05)
    assert made.explain_refusal(NOW + 2.0, in_flight=3)
    assert made.refusals == 1
    assert ready(made, 3.0) > 60.0


def test_a_refusal_uses_the_window_up_and_a_second_one_lowers_the_limit():
    made = learned()
    made.total = 100.0  # many windows have ended as expected
    assert made.explain_refusal(NOW + 1)
    assert (made.limit, made.remaining) == (3.0, 0.0)
    early = ready(made, 2)
    assert 1.0 + 60.0 / 2 <= early < 40.0  # a rate would have restored a unit
    assert made.explain_refusal(NOW + early)
    at = ready(made, early)
    assert at > 60.0
    made.record_unreported(sent=NOW + at, received=NOW + at)
    assert made.explain_refusal(NOW + at + 1)
    assert made.limit == 1.0
    assert made.overestimated


def test_a_unit_that_returns_before_the_window_ends_shows_that_units_return_one_by_one():
    made = learned(7.0)
    assert made.explain_refusal(NOW + 1)
    early = ready(made, 2)
    assert 1.0 + 60.0 / 6 <= early < 20.0
    made.record_unreported(sent=NOW + 5.0, received=NOW + 5.0)  # it reached the server before the refused one
    assert not made.is_continuous
    made.record_unreported(sent=NOW + early, received=NOW + early + 0.1)
    assert made.is_continuous


def test_a_second_refusal_in_a_row_lowers_no_limit_while_a_unit_may_return_before_the_window_ends():
    made = learned(20.0)
    made.total = 100.0
    made.explain_refusal(NOW + 1, in_flight=19)  # those in flight explain it
    made.record_unreported(sent=NOW + 70, received=NOW + 70.1)
    assert made.explain_refusal(NOW + 71)
    assert (made.limit, made.overestimated) == (20.0, False)


def test_units_of_a_window_that_seemed_to_be_shorter_may_return_one_by_one():
    """Of nine units in ten seconds, four more were served after half of that time, and no fifth one."""
    made = UndeclaredQuota(name="undeclared", limit=9.0, window=Window(10.0), too_short=0.0)
    for at in (0.0, *(1.0 + number / 10 for number in range(8)), 5.3, 5.4, 5.5, 5.6):
        made.record_unreported(sent=NOW + at, received=NOW + at + 0.01)
    assert (made.window.length, made.believed_length) == (2.0, 5.0)
    assert made.explain_refusal(NOW + 5.7)
    early = ready(made, 5.8)
    assert 5.7 + 10.0 / 8.0 <= early < 8.0
    made.record_unreported(sent=NOW + early, received=NOW + early + 0.01)
    assert (made.is_continuous, made.believed_length, made.rate_uncertainty) == (True, 10.0, 0.5)


@pytest.mark.parametrize(
    ("limit", "length", "in_flight", "retry_after"),
    [(7.0, 60.0, 5, None), (7.0, 60.0, 0, 50.0), (2.0, 60.0, 0, None), (7.0, 5.0, 0, None)],
    ids=["used-up-by-what-is-in-flight", "stated-wait", "small", "short"],
)
def test_no_unit_is_tried_before_the_end_of_a_window(limit, length, in_flight, retry_after):
    made = UndeclaredQuota(name="undeclared", limit=limit, window=Window(length))
    made.record_unreported(sent=NOW, received=NOW + 0.1)
    made.explain_refusal(NOW + 0.5, retry_after, in_flight=in_flight)
    assert ready(made, 1) >= length


def confirmed(limit: int = 20) -> UndeclaredQuota:
    """So many per minute, all but one used from 40 s on; the second window began at 64 s."""
    made = learned(limit)
    for second in (*range(40, 39 + limit), 64):
        made.record_unreported(sent=NOW + second, received=NOW + second + 0.1)
    return made


def test_a_confirmed_long_window_is_followed_by_the_next_one_without_a_delay():
    made = confirmed()
    for second in range(65, 84):
        made.record_unreported(sent=NOW + second, received=NOW + second + 0.1)
    assert 124.0 < made.probe_at() - NOW <= 124.5
    made.slides = True  # its first unit has returned by then
    assert 124.0 < made.probe_at() - NOW <= 124.5


def short(units: int) -> UndeclaredQuota:
    """Return a window of a second that was used up and ended as expected."""
    made = UndeclaredQuota(name="undeclared", limit=units, window=Window(1.0), too_short=0.9)
    for number in range(2 * units + 1):
        at = NOW + 1.2 * (number // units) + 0.01 * (number % units)
        made.record_unreported(sent=at, received=at + 0.1)
    assert made.is_confirmed()
    return made


def test_of_a_short_window_with_few_units_the_first_one_has_time_to_return():
    assert 3.4 < short(25).probe_at() - NOW < 3.43
    assert short(10).probe_at() - NOW > 3.46


def test_a_refusal_with_units_left_shows_that_windows_slide():
    made = confirmed()
    assert ready(made, 65.0) < 65.0
    assert made.may_slide(NOW + 65.0, 0)
    assert made.explain_refusal(NOW + 65.0)
    assert made.limit == 20.0
    assert 100.0 < ready(made, 66.0) < 101.0  # one length after the one at 40 s


def test_requests_in_flight_may_have_used_a_window_that_slides_up():
    made = confirmed()
    assert not made.may_slide(NOW + 100.5, 0)
    assert made.may_slide(NOW + 100.5, 1)


def test_so_few_units_that_refusals_at_random_may_precede_show_no_sliding_window():
    made = confirmed(15)
    assert not made.may_slide(NOW + 65.0, 0)
    made.explain_refusal(NOW + 65.0)
    assert not made.slides


def test_a_refusal_where_a_window_should_have_begun_is_not_explained():
    made = learned()
    assert not made.explain_refusal(made.probe_at() + 1)


def test_a_refusal_that_states_a_longer_window_is_not_explained():
    made = learned()
    made.record_unreported(sent=NOW + 1, received=NOW + 1.1)
    assert not made.explain_refusal(NOW + 2, retry_after=300.0)
    assert made.explain_refusal(NOW + 2, retry_after=59.0)


def test_a_refusal_whose_stated_wait_ends_with_the_window_lowers_the_limit_at_once():
    """What seemed to be twenty in four seconds were two windows of ten; a shorter one may be tried from then on."""
    made = UndeclaredQuota(name="undeclared", limit=20.0, window=Window(4.0))
    for number in range(10):
        made.record_unreported(sent=NOW + number / 10, received=NOW + number / 10 + 0.05)
    assert made.explain_refusal(NOW + 2.0, retry_after=2.0)
    assert (made.limit, made.remaining, made.overestimated, made.too_short) == (10.0, 0.0, True, 2.0)


def test_a_stated_wait_that_confirms_a_limit_of_two_units_lets_no_shorter_window_be_tried():
    made = UndeclaredQuota(name="undeclared", limit=2.0, window=Window(600.0), certain=False, block_tried=True)
    for now in (0.0, 1.0):
        made.record_unreported(sent=NOW + now, received=NOW + now + 0.05)
    assert made.explain_refusal(NOW + 2.0, retry_after=598.0)
    assert made.record_unreported(sent=NOW + 640.0, received=NOW + 640.1)
    assert made.window.length == 600.0


def blocked(length=600.0):
    """A window of five units that was used up, and the five units of the next one."""
    made = UndeclaredQuota(name="undeclared", limit=5.0, window=Window(length), too_short=length / 2)
    for now in (*range(5), *(length + 31.0 + number for number in range(5))):
        assert made.record_unreported(sent=NOW + now, received=NOW + now + 0.05)
    return made


def test_a_window_of_minutes_may_be_a_block_so_that_one_request_tries_a_tenth_of_it():
    made = blocked()
    assert (made.window.length, made.believed_length) == (60.0, 600.0)
    assert made.record_unreported(sent=NOW + 695.0, received=NOW + 695.1)
    assert made.believed_length == 60.0, "it was served"
    assert not blocked(100.0).block_tried, "a shorter block costs little"


def test_a_window_that_is_no_block_is_known_after_one_refusal():
    made = blocked()
    assert made.explain_refusal(NOW + 695.0)
    assert (made.window.length, ready(made, 695.1)) == (600.0, pytest.approx(1231.0, abs=40.0))
    for now in (1262.0, 1263.0, 1264.0, 1265.0, 1266.0, 1894.0):
        made.record_unreported(sent=NOW + now, received=NOW + now + 0.05)
        assert made.window.length == 600.0


def test_a_wait_in_whole_seconds_says_nothing_of_the_end_of_a_shorter_window():
    made = UndeclaredQuota(name="undeclared", limit=20.0, window=Window(2.0))
    for number in range(10):
        made.record_unreported(sent=NOW + number / 10, received=NOW + number / 10 + 0.05)
    made.explain_refusal(NOW + 1.0, retry_after=1.0)
    assert made.limit == 20.0


def test_after_an_interrupted_run_the_window_counts_as_used_up():
    made = learned()
    made.resume(NOW + 10)
    assert ready(made, 10) >= 60


def test_a_window_is_spent_at_a_brisk_pace_and_more_slowly_until_the_limit_is_confirmed():
    made = learned()
    made.usage.round_trip = 10.0
    assert start(made) == pytest.approx(0.25 * 20.0)
    made.total = 100.0
    assert start(made) == 1.0
    assert start(made, "burst") == -math.inf


def test_a_new_search_starts_from_the_certain_length():
    made = learned()
    made.record_unreported(sent=NOW + 1, received=NOW + 1.1)
    assert made.evidence() == (NOW, 2.0)
    made.total, made.opened_at = 100.0, NOW + 600
    assert made.evidence() == (NOW + 600, 2.0)


def test_nothing_is_counted_without_a_limit():
    assert not UndeclaredQuota(name="undeclared").record_unreported(sent=NOW, received=NOW)


def test_a_refusal_within_a_window_that_is_tried_shorter_shows_that_the_longer_one_is_right():
    made = UndeclaredQuota(name="undeclared", limit=6.0, window=Window(0.5), too_short=0.0)
    for number in range(9):
        assert (made.window.length, made.believed_length) == (0.5 if number < 7 else 0.25, 0.5)
        at = NOW + number / 1000 + 0.6 * (number >= 6)
        made.record_unreported(sent=at, received=at + 0.001)
    assert made.explain_refusal(NOW + 0.7)
    assert (made.limit, made.window.length, made.believed_length) == (6.0, 0.5, 0.5)
    assert 1.1 <= ready(made, 0.7) <= 1.15
