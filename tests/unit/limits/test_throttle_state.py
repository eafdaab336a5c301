"""`Throttle`: the state that it keeps between runs, and what holds after any sequence of calls."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.throttles import NOW, ask, limits, said, settle

from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared, Observation
from crawler.limits.in_flight import Grant


def test_without_learned_limits_the_state_is_empty():
    throttle = limits()
    for second in range(10):
        ask(throttle, float(second))
    assert throttle.state() == {}


def test_another_throttle_continues_from_a_saved_state():
    throttle = limits()
    ask(throttle, 0.0, said(0, 60))
    ask(throttle, 1.0, Declared(retry_after=30.0), status=429)
    state = json.loads(json.dumps(throttle.state()))
    other = limits()
    other.restore(state)
    assert other.ready_at(NOW + 2) == pytest.approx(throttle.ready_at(NOW + 2), abs=0.01)
    assert other.policies() == throttle.policies()
    assert other.state() == state


def test_a_restored_quota_lets_the_first_request_start_although_none_came_before_and_many_wait():
    quota = {"limit": 254.0, "window": 60.0, "left": 95.0, "lo": NOW + 40.0, "hi": NOW + 40.8, "heard": NOW}
    throttle = limits()
    throttle.restore({"governor": {"quotas": {"sustained": quota | {"fixed": 1, "declared": [True, True, True]}}}})
    for second in (1.0, 100.0, 1e4):
        assert throttle.ready_at(NOW + second, backlog=400) <= NOW + second


def test_the_share_of_requests_that_fail_is_kept_between_runs():
    throttle = limits()
    for second in range(40):
        at, breaks_off = NOW + second, second % 5 == 4
        report = AttemptReport(sent=at, received=at + 0.1, status=0 if breaks_off else 200, overloaded=breaks_off)
        throttle.settle(throttle.take(at), report, inflight=1)
    state = json.loads(json.dumps(throttle.state()))
    other = limits()
    other.restore(state)
    assert other.failed_share == pytest.approx(throttle.failed_share, abs=0.01) == pytest.approx(0.2, abs=0.05)
    assert other.state() == state
    for wrong in (None, [], {"share": "much"}, {"share": 2.0}):
        other.restore({"failures": wrong})
        assert other.failed_share == 0.0


def test_a_learned_limit_is_restored_in_the_middle_of_its_window():
    throttle = limits()
    for _ in range(5):
        ask(throttle, 0.0)
    ask(throttle, 0.2, Declared(retry_after=60.0), status=429)
    at = throttle.ready_at(NOW + 1)
    for _ in range(2):
        ask(throttle, at - NOW)
    other = limits()
    other.restore(json.loads(json.dumps(throttle.state())))
    assert other.policies()["undeclared"]["remaining"] == 3
    other.resume(at + 1)
    assert other.ready_at(at + 1) >= at + 59
    ask(other, at - NOW + 2, status=429)  # an immediate refusal breaks nothing
    assert at + 2 < other.ready_at(at + 3) < at + 70


def test_a_state_is_small():
    throttle = limits()
    words = tuple(said(30, 60, policy=f"policy-{number}").observations[0] for number in range(5))
    ask(throttle, 0.0, Declared(observations=words))
    assert len(json.dumps(throttle.state())) < 2048


def test_after_an_interrupted_run_a_probe_finds_the_remaining_units():
    throttle = limits(mode="burst")
    ask(throttle, 0.0, said(30, 60))
    throttle.resume(NOW + 10)
    at = max(NOW + 10, throttle.ready_at(NOW + 10))
    assert at <= NOW + 14
    probe = throttle.take(at)
    assert throttle.ready_at(at) == math.inf
    settle(throttle, probe, at + 0.1, said(12, 60))
    assert throttle.policies()["p"]["remaining"] == 12
    assert throttle.policies()["p"]["kind"] == "unknown"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=6) | st.dictionaries(st.text(max_size=8), values, max_size=6),
    max_leaves=20,
)


FIELDS = ["unit", "limit", "window", "rate", "left", "lo", "hi", "heard", "pad", "others", "price", "fixed",
          "continuous", "flows", "declared", "learned"]  # fmt: skip


STATES = st.fixed_dictionaries(
    {},
    optional={
        "gate": JSON,
        "refused": JSON | st.tuples(st.floats(), st.floats()).map(list),
        "quotas": JSON | st.dictionaries(st.text(max_size=3), st.dictionaries(st.sampled_from(FIELDS), JSON)),
    },
)


@given(STATES | JSON)
def test_unreadable_values_of_a_state_are_ignored(state):
    throttle = limits()
    throttle.restore({"governor": state})
    at = throttle.ready_at(NOW)
    assert not math.isnan(at)
    ask(throttle, 1.0, said(30, 60))
    json.dumps(throttle.state(), allow_nan=False)


MOMENTS = st.sampled_from([0.0, 0.01, 0.3, 1.0, 7.0, 61.0, 4000.0])


NUMBERS = st.sampled_from([0.0, 0.5, 1.0, 20.0, 60.0, 1e6])


ENDS = st.none() | st.tuples(st.floats(-100, 1e5), st.floats(0, 100)).map(lambda pair: (NOW + pair[0], NOW + sum(pair)))


WORDS = st.builds(
    Observation,
    policy=st.sampled_from(["a", "b", "hidden", "undeclared"]),
    limit=st.none() | NUMBERS,
    remaining=st.none() | NUMBERS,
    reset=ENDS,
    window=st.none() | NUMBERS,
    rate=st.none() | NUMBERS,
    unit=st.sampled_from(["requests", "tokens"]),
)


DECLARED = st.just(NOTHING) | st.builds(
    Declared,
    observations=st.lists(WORDS, max_size=3).map(tuple),
    retry_after=st.none() | NUMBERS,
    violated=st.sampled_from([(), ("a",), ("nobody",)]),
)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "refund", "settle_lost", "settle", "refuse", "fail", "save", "resume"]),
        MOMENTS,
        st.integers(0, 100),
        DECLARED,
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from(["auto", "smooth", "burst"]))
def test_no_sequence_of_calls_raises_or_leaks(steps, mode):
    throttle = limits(rate="10/s", burst=3, mode=mode)
    now, flying = NOW, []
    for what, passed, which, declared in steps:
        now += passed
        assert not math.isnan(throttle.ready_at(now, backlog=float(which)))
        if what == "take":
            flying.append(throttle.take(now, cost=1.0 + which % 3))
        elif what == "save":
            state = json.loads(json.dumps(throttle.state(), allow_nan=False))
            limits().restore(state)
        elif what == "resume":
            throttle.resume(now)
        elif flying:
            grant = flying.pop(which % len(flying))
            if what in {"refund", "settle_lost"}:
                getattr(throttle, what)(grant)
            else:
                status = {"settle": 200, "refuse": 429, "fail": 0}[what]
                report = AttemptReport(
                    sent=grant.at, received=now, status=status, refused=status == 429, declared=declared
                )
                throttle.settle(grant, report, inflight=1)
        assert throttle.inflight == len(flying)
        json.dumps(throttle.policies(), allow_nan=False)
    for grant in flying:
        throttle.settle_lost(grant)
    assert throttle.inflight == 0
    assert throttle.flight.units == 0.0
    assert throttle.ready_at(now + 1e6) < math.inf


@given(st.lists(st.tuples(MOMENTS, st.integers(1, 5)), max_size=40), st.integers(1, 60), st.sampled_from([1.0, 3.0]))
def test_a_declared_quota_is_never_exceeded(steps, limit, cost):
    """A server with exactly declared windows of a minute and no other clients never has to refuse a request."""
    throttle = limits(mode="burst")
    now, opened, used = NOW, -math.inf, 0.0
    for passed, count in steps:
        now += passed
        known = throttle.policies() != {}
        asked = count if known else 1
        flying = [throttle.take(now, cost=cost) for _ in range(asked) if throttle.ready_at(now, cost=cost) <= now]
        for grant in flying:
            if now >= opened + 60:
                opened, used = now, 0.0
            used += cost
            assert used <= max(limit, cost)
            end = opened + 60
            left = max(0.0, limit - used)
            words = Observation(policy="p", limit=limit, remaining=left, reset=(end, end), window=60.0)
            report = AttemptReport(sent=now, received=now, status=200, declared=Declared(observations=(words,)))
            throttle.settle(grant, report, inflight=1)


def test_a_thousand_steps_in_any_order_leave_nothing_in_flight():
    chance = random.Random(7)
    throttle = limits(chance, rate="100/s")
    ask(throttle, 0.0, said(1000, 60, limit=1000))
    flying: list[Grant] = []
    for step in range(1000):
        if len(flying) < 20 and chance.random() < 0.5:
            flying.append(throttle.take(NOW + step * 0.01))
        elif flying:
            grant = flying.pop(chance.randrange(len(flying)))
            chance.choice([throttle.refund, throttle.settle_lost, lambda grant: settle(throttle, grant, NOW + 60)])(
                grant
            )
    for grant in flying:
        throttle.refund(grant)
    assert throttle.inflight == 0
    assert throttle.flight.units == 0.0
