"""`RequestLog`: a client that keeps to it is refused by no kind of limit."""

from __future__ import annotations

import math
import random

import pytest
from support.server_limits import AlignedWindow, FixedWindow, SlidingLog, TokenBucket

from crawler.limits.quotas.request_log import MARGIN, MAX_UNITS, TIMED, RequestLog

NOW = 1_800_000_000.0
LIMITS = {
    "fixed": lambda rng: FixedWindow(quota=7, window=5.0),
    "aligned": lambda rng: AlignedWindow(quota=7, window=5.0, phase=rng.uniform(0, 5)),
    "log": lambda rng: SlidingLog(quota=7, window=5.0),
    "bucket": lambda rng: TokenBucket(quota=7, window=5.0),
}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", LIMITS)
def test_a_client_that_keeps_to_it_is_never_refused_however_long_requests_travel(kind, seed):
    rng = random.Random(seed)
    limit, log, now = LIMITS[kind](rng), RequestLog(), NOW
    for _ in range(300):
        now = max(now + rng.choice([0.0, 0.1, 1.0]), log.ready_at(6, 5.0))
        received = now + rng.uniform(0.0, 0.3)
        assert limit.decide(rng.uniform(now, received)).allowed
        log.add(now, received, 7)
        now = received


def test_each_unit_returns_one_window_after_a_response():
    log = RequestLog()
    for second in range(3):
        log.add(NOW + second, NOW + second + 0.5, 3)
    assert log.ready_at(2, 10.0) - NOW == pytest.approx(10.5, abs=0.02)
    assert log.ready_at(1, 10.0) - NOW == pytest.approx(11.5, abs=0.02)
    assert log.ready_at(3, 10.0) == -math.inf
    assert log.ready_at(-1, 10.0) == math.inf


def test_a_unit_returns_earlier_by_the_shortest_of_many_round_trips_less_three_standard_errors():
    log = RequestLog()
    for second in range(TIMED - 1):
        log.add(NOW + second, NOW + second + 0.24, 3)
    assert log.round_trip == 0.0
    last = NOW + TIMED
    log.add(last - 0.2, last, 3)
    error = (0.24 - 0.2) * (TIMED - 1) / TIMED / TIMED
    assert log.ready_at(0, 10.0) - last == pytest.approx(10.0 + MARGIN - 0.2 + 3.0 * error)


def test_a_request_of_which_only_the_time_is_known_counts_and_shows_no_round_trip():
    log = RequestLog()
    log.assume(NOW, 30)
    for second in range(TIMED):
        log.add(NOW + second, NOW + second + 0.5, 30)
    assert len(log) == TIMED + 1
    assert log.round_trip == log.earlier == pytest.approx(0.5)
    log.counts_trips = False
    assert log.earlier == 0.0


def test_a_refused_request_that_relied_on_the_shortest_round_trip_is_the_last_one_to_rely_on_it():
    log = RequestLog()
    assert not log.explain_refusal(NOW, NOW + 0.2, 10.0)
    log = RequestLog()
    for second in range(TIMED):
        log.add(NOW + second, NOW + second + 0.2, 3)
    assert log.explain_refusal(NOW + 30.0, NOW + 30.2, 10.0)
    assert log.returned_at(NOW, 10.0) == pytest.approx(NOW + 10.0 + MARGIN, abs=0.001)
    assert log.explain_refusal(NOW + 30.1, NOW + 30.3, 10.0)  # it was in flight then
    assert not log.explain_refusal(NOW + 30.4, NOW + 30.6, 10.0)


def test_a_refused_request_may_count_and_may_not():
    log = RequestLog()
    log.add(NOW, NOW + 0.2, 3)
    log.add(NOW + 1, NOW + 1.2, 3, refused=True)
    assert log.count(NOW + 2, NOW + 2.2, 10.0) == (1, 2)


def test_requests_that_certainly_count_and_those_that_may():
    log = RequestLog()
    log.add(NOW, NOW + 1, 5)
    log.add(NOW + 2, NOW + 3, 5)
    assert log.count(NOW + 9, NOW + 9.5, 10.0) == (2, 2)
    assert log.count(NOW + 10.5, NOW + 10.6, 10.0) == (1, 2)
    assert log.count(NOW + 13.0, NOW + 13.1, 10.0) == (0, 0)


def test_a_log_is_complete_one_window_after_a_gap():
    log = RequestLog()
    log.distrust_until(NOW)
    assert not log.is_complete(NOW + 9, 10.0)
    assert log.is_complete(NOW + 10, 10.0)
    log.mark_gap()
    assert not log.is_complete(NOW + 100, 10.0)
    assert log.ready_at(5, 10.0) == math.inf
    log.add(NOW + 100, NOW + 101, 5)
    assert not log.is_complete(NOW + 110, 10.0)
    assert log.is_complete(NOW + 111, 10.0)


def test_a_log_keeps_one_window_of_requests_and_none_of_a_large_quota():
    log = RequestLog()
    for n in range(100):
        log.add(NOW + n, NOW + n, 5)
    assert len(log) == 6
    large = RequestLog()
    large.add(NOW, NOW, MAX_UNITS + 1)
    assert len(large) == 0
    assert not large.is_complete(NOW + 1, 10.0)
