"""Concurrency: it rises while a server keeps up, falls when requests queue or are refused, and remembers its limit."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.concurrency import Concurrency

NOW = 1_800_000_000.0


def rounds(made: Concurrency, first_bytes: list[float], now: float = NOW) -> float:
    """Receive a round of responses for each duration, as many as the level allows; return the time of the last one."""
    for first_byte in first_bytes:
        now += first_byte
        for left in range(made.limit, 0, -1):
            made.answered(now, first_byte, max(left, made.limit))
    return now


def test_the_level_starts_at_one_and_doubles_each_round_up_to_the_cap():
    made = Concurrency(10)
    levels, now = [made.limit], NOW
    for _ in range(5):
        now = rounds(made, [0.1], now)
        levels.append(made.limit)
    assert levels == [1, 2, 4, 8, 10, 10]


def test_the_initial_level_can_be_higher():
    assert Concurrency(10, start=4).limit == 4
    assert Concurrency(2, start=4).limit == 2


def test_an_unused_level_does_not_rise():
    made = Concurrency(100, start=8)
    for _ in range(50):
        made.answered(NOW, 0.1, 1)
    assert made.limit == 8


def test_a_queue_lowers_the_level_and_its_end_raises_it():
    made = Concurrency(20)
    now = rounds(made, [0.1] * 20)
    assert made.limit == 20
    now = rounds(made, [1.0] * 10, now)
    assert made.limit <= 8
    rounds(made, [0.1] * 10, now)
    assert made.limit == 20


@given(st.integers(0, 1000))
def test_a_fast_server_with_the_jitter_of_two_machines_keeps_its_cap(seed):
    """A nearby nginx responds in 0.3 to 5 ms; measured times are occasionally ten times as long."""
    chance, made, now = random.Random(seed), Concurrency(16), NOW
    for number in range(2000):
        first_byte = chance.uniform(0.0003, 0.005) * (10 if chance.random() < 0.1 else 1)
        now += first_byte / 16
        made.answered(now, first_byte, made.limit)
        if number > 50:
            assert made.limit == 16


@given(st.integers(0, 1000))
def test_ordinary_jitter_of_a_distant_server_costs_little(seed):
    chance, made, now = random.Random(seed), Concurrency(10), NOW
    levels = []
    for _ in range(1000):
        now += 0.01
        made.answered(now, chance.uniform(0.05, 0.15), made.limit)
        levels.append(made.limit)
    assert sum(levels[100:]) / len(levels[100:]) >= 9.5


def test_a_refusal_lowers_the_level_by_three_tenths_once_per_round_trip():
    made = Concurrency(10)
    now = rounds(made, [0.1] * 10)
    for left in range(10, 0, -1):
        made.overloaded(now + 0.01, left)
    assert made.limit == 7
    made.overloaded(now + 1, 7)
    assert made.limit == 4


def test_the_level_never_falls_below_one():
    made = Concurrency(10)
    for second in range(100):
        made.overloaded(NOW + second, 1)
        assert made.limit >= 1


def serve(made: Concurrency, slots: int, seconds: float) -> tuple[int, int]:
    """Simulate a server with a number of workers that take 0.1 s each; return the requests served and refused."""
    now, served, refused = NOW, 0, 0
    while now < NOW + seconds:
        now += 0.1
        level = made.limit
        for place in range(level):
            if place < slots:
                made.answered(now, 0.1, level - place)
                served += 1
            else:
                made.overloaded(now, level)
                refused += 1
    return served, refused


def test_the_concurrency_of_a_server_is_found_and_rarely_probed_again():
    made = Concurrency(50)
    serve(made, 5, 3.0)
    served, refused = serve(made, 5, 300.0)
    assert made.limit == 5
    assert refused <= 0.01 * served


def test_requests_still_in_flight_at_a_refusal_are_the_concurrency_of_a_server():
    made = Concurrency(50, start=5)
    made.refused_for_concurrency(NOW, 5)
    assert made.limit == 4


@pytest.mark.parametrize(("most", "level"), [(5, 5), (3, 3), (0, 2)])
def test_a_refused_round_lowers_the_level_to_the_served_requests_or_a_quarter(most, level):
    """If all requests are refused, the reason need not be concurrency."""
    made = Concurrency(50, start=8)
    for inflight in range(8, most, -1):
        made.refused_for_concurrency(NOW, inflight)
    assert made.limit == level
    assert made._broken == level + 1


def test_a_server_that_fails_without_a_refusal_gets_a_lower_level():
    made = Concurrency(50, start=10)
    made.overloaded(NOW, 10)
    assert made.limit == 7


def test_a_server_that_accepts_more_gets_a_higher_level():
    made = Concurrency(10)
    serve(made, 5, 10.0)
    serve(made, 20, 60.0)
    assert made.limit == 10


def test_a_declared_concurrency_is_used():
    made = Concurrency(10)
    rounds(made, [0.1] * 10)
    made.declare(3)
    assert made.limit == 3
    made.declare(None)
    assert made.limit == 3
    made.declare(20)
    rounds(made, [0.1] * 10)
    assert made.limit == 10


def test_a_proven_level_explains_refusals_of_as_many_requests():
    made = Concurrency(10, start=10)
    made.overloaded(NOW, 6, refused=True)
    assert not made.explains(9)  # it may have been another limit
    made.refused_for_concurrency(NOW + 10, 5)
    assert made.explains(5)
    assert not made.explains(1)
    made.forget_broken_level()
    assert not made.explains(9)


def test_what_ended_before_a_refusal_may_have_been_in_flight_when_the_server_decided():
    made = Concurrency(10, start=10)
    made.refused_for_concurrency(NOW, 4, load=5)
    assert made.limit == 3
    made.answered(NOW + 1.1, 0.1, 3)  # four may be served: they are tried as soon as any level below one that broke
    assert made.limit == 4
    made.answered(NOW + 2.2, 0.1, 4)
    assert made.limit == 4  # five broke


def test_a_concurrency_is_untried_until_several_requests_were_served_at_it():
    made = Concurrency(10, start=10)
    for _ in range(5):
        assert made.is_untried(4)
        made.answered(NOW, 0.1, 4)
    assert not made.is_untried(4)
    assert made.is_untried(5)


def test_the_learned_level_can_be_restored():
    made = Concurrency(50)
    serve(made, 5, 30.0)
    other = Concurrency(50)
    other.restore(json.loads(json.dumps(made.state())))
    assert other.limit == made.limit
    assert serve(other, 5, 10.0)[1] <= 5
    assert Concurrency(5).state() == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=5,
)


@given(JSON | st.dictionaries(st.sampled_from(["level", "broke", "first_byte", "retry"]), JSON))
def test_an_unreadable_state_is_ignored(state):
    made = Concurrency(10)
    made.restore(state)
    assert 1 <= made.limit <= 10


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["answered", "overloaded", "refused", "declare"]),
            st.floats(0, 100),
            st.floats(0, 100),
            st.integers(0, 100),
        )
    ),
    st.integers(1, 50),
)
def test_the_level_always_stays_between_one_and_the_cap(steps, cap):
    made, now = Concurrency(cap), NOW
    for what, passed, first_byte, inflight in steps:
        now += passed
        match what:
            case "answered":
                made.answered(now, first_byte, inflight)
            case "overloaded":
                made.overloaded(now, inflight)
            case "refused":
                made.refused_for_concurrency(now, inflight)
            case _:
                made.declare(inflight)
        assert 1 <= made.limit <= cap
        assert not math.isnan(made._level)
        json.dumps(made.state(), allow_nan=False)


def test_a_server_that_declares_plenty_needs_no_slow_start():
    level = Concurrency(8)
    level.skip_slow_start(31.0)
    assert level.limit == 1
    level.skip_slow_start(32.0)
    assert level.limit == 8
    level.overloaded(NOW, 8)
    broken = level.limit
    level.skip_slow_start(100.0)
    assert level.limit == broken < 8


def test_a_level_that_is_refused_when_it_is_tried_again_is_proven():
    level = Concurrency(8, start=8)
    level.overloaded(NOW, 6, refused=True)
    assert not level.explains(6)
    at = NOW
    while level.limit < 6:
        at += 1.0
        level.answered(at, 0.1, level.limit)
    assert level.explains(6)
    level.overloaded(at, 6, refused=True)
    assert level.explains(6)
    assert not level.explains(5)
    assert level.limit == 5


def test_a_second_request_where_two_were_refused_is_sent_apart_from_the_first():
    level = Concurrency(8)
    assert level.apart(1) == 0.0
    level.answered(NOW, 0.4, 1)
    level.refused_for_concurrency(NOW + 1.0, 2)
    at = NOW + 1.0
    while level.limit < 2:
        assert level.apart(1) == 0.0
        at += 0.4
        level.answered(at, 0.4, 1)
    assert at <= NOW + 3.0
    assert level.apart(1) == pytest.approx(0.3)
    assert level.apart(0) == 0.0
    while level.apart(1):
        assert not level.serves_apart
        at += 0.2
        level.answered(at, 0.4, 2)
    assert level.serves_apart == pytest.approx(0.3)
    assert not level.explains(2)
