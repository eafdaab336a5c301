"""The breaker of one host: it opens, waits twice as long after each failed probe, and closes."""

from __future__ import annotations

import math
import random

from crawler.errors import ConnectFailed
from crawler.outages.breaker import MAX_REST, Breaker

REFUSED = ConnectFailed("refused")


def test_a_closed_breaker_delays_nothing() -> None:
    assert Breaker(100.0).ready_at(100.0) == -math.inf


def test_an_open_breaker_lets_one_request_through_after_its_rest() -> None:
    breaker = Breaker(100.0)
    breaker.open(100.0, rest=4.0)
    assert breaker.ready_at(101.0) == 104.0
    breaker.probe = object()
    assert breaker.ready_at(105.0) == math.inf
    breaker.close()
    assert breaker.ready_at(105.0) == -math.inf


def test_the_rest_doubles_up_to_half_a_minute() -> None:
    breaker, rng = Breaker(0.0), random.Random(1)
    for number in range(10):
        longest = min(MAX_REST, 2.0**number)
        assert longest / 2 <= breaker.rest(rng) <= longest
        breaker.open(0.0, rest=0.0)


def test_downtime_is_proved_by_failures_and_excludes_the_sleep_of_a_machine() -> None:
    breaker = Breaker(100.0)
    for at in (100.0, 110.0, 130.0):
        breaker.note(at, REFUSED)
    assert breaker.down_for == 30.0
    breaker.note(10_000.0, REFUSED)
    assert breaker.down_for == 90.0
    breaker.note(9_000.0, REFUSED)  # the clock went back
    assert breaker.down_for == 90.0


def test_a_host_that_was_given_up_delays_nothing() -> None:
    breaker = Breaker(100.0)
    breaker.open(100.0, rest=4.0)
    breaker.give_up(400.0)
    assert breaker.ready_at(101.0) == -math.inf
    assert breaker.given_up_until == 400.0
