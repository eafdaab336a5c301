"""`IntervalQuota`: an undeclared rate without a burst, by the distances that were served and refused."""

from __future__ import annotations

import json
import math
import random

import pytest

from crawler.limits.learning.interval_quota import IntervalQuota
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota
from crawler.limits.learning.persistence import load_quota, save_quota

NOW = 1_800_000_000.0


def run(quota: IntervalQuota, interval: float, units: int, jitter: float = 0.0) -> tuple[float, int]:
    """Send requests as the quota says to a server that lets a unit pass after each interval.

    Return the seconds that the served ones took, and the refusals.
    """
    chance = random.Random(1)
    now = arrived = NOW
    refused, served = 0, 0
    while served < units:
        now = max(
            quota.ready_at(now, cost=1.0, inflight=0.0, in_flight_since=lambda since: False),
            quota.start_at(now, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto"),
        )
        arrives = now + chance.uniform(0.0, jitter)
        if arrives - arrived >= interval - 1e-9:
            arrived = arrives
            served += 1
            quota.record_unreported(sent=now, received=arrives)
        else:
            refused += 1
            assert quota.explain_refusal(now)
    return now - NOW, refused


@pytest.mark.parametrize("interval", [0.01, 0.04, 0.25, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_the_rate_is_found_with_few_refusals(interval, jitter):
    seconds, refused = run(IntervalQuota.of("undeclared", 1.0, NOW), interval, 300, jitter * interval)
    assert seconds < 1.25 * 300 * interval + 6.0  # the search begins at a unit per second
    assert refused <= 14


def test_requests_that_came_too_late_show_nothing():
    quota = IntervalQuota.of("undeclared", 1.0, NOW)
    rate = quota.replenishment.rate
    for number in range(1, 10):
        quota.record_unreported(sent=NOW + 10 * number, received=NOW + 10 * number + 0.1)
    assert quota.replenishment.rate == rate


@pytest.mark.parametrize("guess", [0.9, 1.0, 1.15])
def test_a_rate_that_a_few_refusals_suggest_is_found_with_fewer(guess):
    seconds, refused = run(IntervalQuota.fitted("undeclared", guess * 10.0, NOW), 0.1, 300)
    assert seconds < 1.1 * 30.0
    assert refused <= 4


@pytest.mark.parametrize("slow", [0.05, 0.075, 0.15])
def test_the_distance_counts_from_the_arrival_of_the_last_request(slow):
    quota = IntervalQuota.fitted("undeclared", 10.0, NOW)
    at = NOW
    for number in range(40):  # round trips of 50 ms, and a few of 150
        at += 0.2
        quota.record_unreported(sent=at, received=at + (0.15 if number % 8 == 7 else 0.05))
    at += 1.0
    quota.record_unreported(sent=at, received=at + slow)
    start = quota.start_at(at, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto")
    assert start + 0.025 == pytest.approx(at + slow / 2.0 + 0.1, abs=0.02)


@pytest.mark.parametrize("interval", [0.1, 0.25])
def test_a_distance_that_was_refused_is_not_tried_again_and_again(interval):
    quota = IntervalQuota.of("undeclared", 1.0, NOW, refusals=8)
    assert run(quota, interval, 3000, jitter=0.3 * interval)[1] <= 9


def test_a_higher_rate_is_tried_after_a_while_without_refusals():
    quota = IntervalQuota.of("undeclared", 1.0, NOW)
    run(quota, 0.25, 60)
    assert run(quota, 0.1, 600)[0] < 120.0  # the server allows 10 instead of 4 per second now


def test_refusals_in_a_row_are_waited_out():
    quota = IntervalQuota.of("undeclared", 1.0, NOW)
    waits = []
    at = NOW + 1.0
    for _ in range(5):
        quota.explain_refusal(at)
        quota.explain_refusal(at)  # one that was in flight
        waits.append(quota.blocked_until - at)
        at = quota.blocked_until
    assert waits == sorted(waits)
    assert waits[-1] > 8 * waits[0]


def test_a_server_that_allows_less_than_before_is_followed():
    quota = IntervalQuota.of("undeclared", 1.0, NOW)
    run(quota, 0.1, 100)
    assert quota.replenishment.rate == pytest.approx(10.0, rel=0.15)
    at = NOW + 1000.0
    for _ in range(40):
        quota.explain_refusal(at)
        at = quota.blocked_until
    assert (quota.replenishment.rate or 0.0) < 1.0


def test_a_later_run_continues_with_the_rate():
    quota = IntervalQuota.of("undeclared", 1.0, NOW)
    run(quota, 0.25, 100)
    loaded = load_quota("undeclared", json.loads(json.dumps(save_quota(quota))))
    assert isinstance(loaded, LeakyBucketQuota)
    assert loaded.replenishment.rate == pytest.approx(quota.replenishment.rate)


def test_a_refusal_that_comes_before_an_earlier_response_speaks_against_the_distance_of_the_two():
    late, soon = (IntervalQuota.of("undeclared", 10.0, NOW) for _ in range(2))
    for quota in late, soon:
        for number in range(1, 20):
            quota.record_unreported(sent=NOW + 0.2 * number, received=NOW + 0.2 * number + 0.18)
    soon.beside = NOW + 4.0
    for quota in late, soon:
        quota.explain_refusal(NOW + 4.06)
    assert (soon.replenishment.rate or 0.0) < 1.0 / 0.06 < (late.replenishment.rate or 0.0)


@pytest.mark.parametrize(("took", "longer"), [(0.02, 0.05), (math.inf, 0.2)])
def test_requests_travel_no_longer_than_refusals_take(took, longer):
    quota = IntervalQuota.fitted("undeclared", 10.0, NOW, took=took)
    at = NOW
    for number in range(40):
        at += 0.4
        quota.record_unreported(sent=at, received=at + (0.1 if number % 2 else 0.3))
    start = quota.start_at(at, cost=1.0, inflight=1.0, backlog=math.inf, mode="auto")
    assert start - at == pytest.approx(0.1 + longer, abs=0.02)
