"""`LeakyBucketQuota`: the rate of a leaky bucket, from the units served between two refusals."""

from __future__ import annotations

import json
import math

import pytest

from crawler.limits.learning.leaky_bucket import LeakyBucketQuota, detect_leaky_bucket
from crawler.limits.learning.persistence import load_quota, save_quota

NOW = 1_800_000_000.0


def detect(served: float = 4.0, *, before: float = 20.0, after: float = 1.0) -> LeakyBucketQuota | None:
    return detect_leaky_bucket("undeclared", before=before, refused=NOW, served=served, refused_again=NOW + after)


def start(made: LeakyBucketQuota, last: float) -> float:
    """Seconds after `NOW` when the request after the last one starts."""
    at = max(
        made.ready_at(NOW + last, cost=1.0, inflight=0.0, in_flight_since=lambda since: False),
        made.start_at(NOW + last, cost=1.0, inflight=0.0, backlog=math.inf, mode="burst"),
    )
    return at - NOW


def test_units_served_between_two_refusals_have_leaked_in_that_time():
    made = detect()
    assert made.replenishment.rate == pytest.approx(0.97 * 4.5)
    assert start(made, 1.0) == pytest.approx(1.0 + 2 / made.replenishment.rate)  # first it leaks a little
    assert start(made, 9.0) == pytest.approx(9.0 + 1 / made.replenishment.rate, abs=1e-6)


def test_one_unit_between_two_refusals_shows_a_bucket_that_leaks_slowly():
    assert detect(1.0, before=15.0).replenishment.rate == pytest.approx(0.97 * 1.5)


@pytest.mark.parametrize(
    ("served", "before", "after"),
    [(20.0, 20.0, 5.1), (11.0, 20.0, 3.0), (0.0, 20.0, 1.0), (4.0, 20.0, 11.0), (4.0, 20.0, math.nan)],
)
def test_refusals_that_a_window_explains_are_not_a_leaky_bucket(served, before, after):
    assert detect(served, before=before, after=after) is None


def test_the_rate_becomes_more_exact_with_time():
    made = detect(5.0)
    now = 1.0
    level, at = 20.0, 1.0  # four leak per second
    for _ in range(400):
        now = start(made, now)
        level, at = max(0.0, level - 4.0 * (now - at)), now
        if level + 1.0 > 20.0:
            assert made.explain_refusal(NOW + now)
        else:
            level += 1.0
            made.record_unreported(sent=NOW + now, received=NOW + now)
    assert made.replenishment.rate == pytest.approx(4.0, rel=0.05)


def test_a_request_in_flight_at_the_refusal_counts():
    made = detect(2.0)
    rate = made.replenishment.rate
    for _ in range(2):
        made.record_unreported(sent=NOW + 0.9, received=NOW + 1.1)
    assert made.replenishment.rate == pytest.approx(rate * 4.5 / 2.5)


def test_a_pause_does_not_lower_the_rate_and_a_time_without_refusals_raises_it():
    made = detect()
    rate = made.replenishment.rate
    made.record_unreported(sent=NOW + 3600, received=NOW + 3600, cost=made.counted - 1.0)
    assert made.replenishment.rate == rate  # a slow crawl shows nothing either
    made.record_unreported(sent=NOW + 3600, received=NOW + 3600)
    assert made.replenishment.rate == pytest.approx((1 + 0.5 / 4) * rate)
    made.explain_refusal(NOW + 7200)
    assert made.replenishment.rate == pytest.approx(0.7 * (1 + 0.5 / 4) * rate)


def test_a_rate_that_is_uncertain_is_raised_soon():
    made, sure = (LeakyBucketQuota.fitted("undeclared", 1.0, NOW) for _ in range(2))
    made.assume_uncertainty(0.5)
    sure.assume_uncertainty(0.0)
    for quota in (made, sure):
        for second in range(1, 7):
            quota.record_unreported(sent=NOW + second, received=NOW + second)
    assert made.replenishment.rate == pytest.approx(1.5 * 0.97)
    assert sure.replenishment.rate == pytest.approx(0.97)


def test_a_rate_is_that_of_the_time_since_the_refusal_before_if_that_is_clearly_higher():
    """A window that slides returns nothing at first, and then two units in a second."""
    made = detect(after=10.0)
    for number in range(24):
        made.record_unreported(sent=NOW + 11.0 + number / 2, received=NOW + 11.1 + number / 2)
    assert made.explain_refusal(NOW + 23.0)
    assert made.replenishment.rate == pytest.approx(0.97 * 24.5 / 13.0)


def test_refusals_in_a_row_lower_the_rate_once_and_the_wait_doubles():
    made = detect()
    made.record_unreported(sent=NOW + 1.0, received=NOW + 1.0)
    made.explain_refusal(NOW + 2.0)
    rate, waits, at = made.replenishment.rate, [], 2.0
    for _ in range(3):
        waits.append(made.blocked_until - NOW - at)
        at = made.blocked_until - NOW
        made.explain_refusal(NOW + at)
    assert made.replenishment.rate == rate
    assert waits == pytest.approx([units / rate for units in (2.0, 4.0, 8.0)], rel=1e-4)
    made.record_unreported(sent=NOW + at + 1.0, received=NOW + at + 1.0)
    made.explain_refusal(NOW + 600.0)
    assert made.replenishment.rate < rate


def test_what_a_long_window_allowed_is_tried_once():
    made = detect()
    rate = made.replenishment.rate
    made.assume_served(100.0, 1.0, NOW + 1.0)  # it may have held a burst
    assert made.replenishment.rate == rate
    made.assume_served(100.0, 10.0, NOW + 1.0)
    assert made.replenishment.rate == 10.0
    made.explain_refusal(NOW + 1.5)
    assert 0.7 * rate <= made.replenishment.rate < rate  # of which that trial shows nothing


def test_many_refusals_prove_nothing_once_enough_units_were_served_after_the_last_one():
    made = detect()
    at = 1.0
    for units in (0.0, 0.0, 25.0):
        made.record_unreported(sent=NOW + at, received=NOW + at, cost=units)
        at = start(made, at)
        made.explain_refusal(NOW + at)
    assert made.refusals > 3
    assert not made.overestimated


def test_refusals_after_many_units_are_unexpected_until_the_rate_is_raised():
    made = LeakyBucketQuota.fitted("undeclared", 10.0, NOW)
    at = NOW
    for units, unexpected in ((24, 0), (25, 1), (3, 1), (30, 2)):
        for _ in range(units):
            at += 0.11
            made.record_unreported(sent=at, received=at)
        at += 0.5
        made.explain_refusal(at)
        assert made.unexpected == unexpected
    for _ in range(1000):
        at += 0.11
        made.record_unreported(sent=at, received=at)
    assert made.unexpected == 0


def test_many_refusals_for_few_units_prove_that_there_is_no_leaky_bucket():
    made = detect()
    at = 1.0
    for _ in range(3):
        at = start(made, at)
        made.explain_refusal(NOW + at)
    assert made.overestimated


def test_the_next_run_knows_the_rate_but_not_the_level():
    made = load_quota("undeclared", json.loads(json.dumps(save_quota(detect()))))
    assert isinstance(made, LeakyBucketQuota)
    assert made.replenishment.rate == pytest.approx(0.97 * 4.5)
    made.explain_refusal(NOW + 1000)
    assert made.replenishment.rate == pytest.approx(0.97 * 0.97 * 4.5)
    assert made.opened_at == NOW + 1000
