"""When the network is checked: in a silence of two seconds, one request at a time; times are arguments."""

from __future__ import annotations

import math

from crawler.limits.silence import SILENCE, Silence

REST = 5.0


def silence() -> Silence:
    made = Silence()
    made.hosts |= {"https://new.test": False, "https://known.test": True}
    made.since = 10.0
    return made


def test_a_check_is_planned_for_the_time_when_the_silence_is_long() -> None:
    made = silence()
    assert made.check_at == math.inf
    made.plan_check(REST)
    assert made.check_at == 10.0 + SILENCE
    assert not made.is_long(11.0)
    assert made.is_long(12.0)
    assert list(made.new_hosts()) == ["https://new.test"]


def test_one_check_is_in_flight_and_the_next_one_rests() -> None:
    made, request = silence(), object()
    made.start_check(12.0, request)
    made.plan_check(REST)
    assert made.check_at == math.inf
    assert not made.end_check(object())
    assert not made.is_checked
    assert made.end_check(request, 13.0)
    assert not made.end_check(request)
    assert made.is_checked
    made.plan_check(REST)
    assert made.check_at == 13.0 + REST


def test_if_no_host_may_be_asked_that_is_tried_again_later() -> None:
    made = silence()
    made.start_check(12.0, None)
    assert made.is_checked
    assert not made.end_check(None)
    made.plan_check(REST)
    assert made.check_at == 12.0 + REST


def test_a_response_ends_it() -> None:
    made = silence()
    made.start_check(12.0, None)
    made.plan_check(REST)
    made.end()
    assert (made.hosts, made.since, made.check_at, made.is_checked) == ({}, math.inf, math.inf, False)
