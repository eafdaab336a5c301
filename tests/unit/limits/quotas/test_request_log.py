"""`OwnLog`: what keeps to it is refused by no kind of limit."""

from __future__ import annotations

import math
import random

import pytest
from support.simulator import Aligned, Bucket, Fixed, Log

from crawler.limits.quotas.request_log import MOST, OwnLog

NOW = 1_800_000_000.0
LIMITS = {
    "fixed": lambda chance: Fixed(q=7, w=5.0),
    "aligned": lambda chance: Aligned(q=7, w=5.0, phase=chance.uniform(0, 5)),
    "log": lambda chance: Log(q=7, w=5.0),
    "bucket": lambda chance: Bucket(q=7, w=5.0),
}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", LIMITS)
def test_whoever_keeps_to_it_is_never_refused_whatever_the_kind_and_however_long_requests_travel(kind, seed):
    chance = random.Random(seed)
    limit, log, now = LIMITS[kind](chance), OwnLog(), NOW
    for _ in range(300):
        now = max(now + chance.choice([0.0, 0.1, 1.0]), log.ready_at(6, 5.0))
        received = now + chance.uniform(0.0, 0.3)
        assert limit.decide(chance.uniform(now, received)).ok
        log.add(now, received, 7)
        now = received


def test_room_comes_one_window_after_an_answer_for_each_unit_that_is_asked_for():
    log = OwnLog()
    for second in range(3):
        log.add(NOW + second, NOW + second + 0.5, 3)
    assert log.ready_at(2, 10.0) - NOW == pytest.approx(10.5, abs=0.02)
    assert log.ready_at(1, 10.0) - NOW == pytest.approx(11.5, abs=0.02)
    assert log.ready_at(3, 10.0) == -math.inf
    assert log.ready_at(-1, 10.0) == math.inf


def test_what_counts_for_certain_and_what_may_count():
    log = OwnLog()
    log.add(NOW, NOW + 1, 5)
    log.add(NOW + 2, NOW + 3, 5)
    assert log.counted(NOW + 9, NOW + 9.5, 10.0) == (2, 2)
    assert log.counted(NOW + 10.5, NOW + 10.6, 10.0) == (1, 2)
    assert log.counted(NOW + 13.0, NOW + 13.1, 10.0) == (0, 0)


def test_what_it_does_not_know_it_waits_for():
    log = OwnLog()
    log.doubt(NOW)
    assert not log.speaks(NOW + 9, 10.0)
    assert log.speaks(NOW + 10, 10.0)
    log.lose()
    assert not log.speaks(NOW + 100, 10.0)
    assert log.ready_at(5, 10.0) == math.inf
    log.add(NOW + 100, NOW + 101, 5)
    assert not log.speaks(NOW + 110, 10.0)
    assert log.speaks(NOW + 111, 10.0)


def test_it_holds_no_more_than_one_window_and_nothing_of_a_large_quota():
    log = OwnLog()
    for n in range(100):
        log.add(NOW + n, NOW + n, 5)
    assert len(log) == 6
    large = OwnLog()
    large.add(NOW, NOW, MOST + 1)
    assert len(large) == 0
    assert not large.speaks(NOW + 1, 10.0)
