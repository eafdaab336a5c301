"""`LimitLearner`: what holds back requests after refusals, and what is kept of it."""

from __future__ import annotations

import json
import math

import pytest
from support.learners import NOW, ask, learner
from support.throttles import kinds

from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared, Observation
from crawler.limits.in_flight import Grant


def test_a_stated_wait_is_kept_and_one_probe_follows():
    made = learner()
    assert kinds(ask(made, 0.0, 429, Declared(retry_after=30.0))) == ["refused"]
    gate = made.gate_at(NOW + 1)
    assert NOW + 30 <= gate <= NOW + 31.6
    probe = Grant(gate, 1.0, NOW)
    made.flight.begin(probe)
    assert made.gate_at(gate + 0.1) == math.inf
    made.flight.end(probe)
    assert kinds(ask(made, 32.0)) == ["recovered"]
    assert made.gate_at(NOW + 33) == -math.inf


def test_a_request_that_started_before_a_refusal_was_recorded_does_not_end_the_wait():
    made = learner()
    late = Grant(NOW + 0.2, 1.0, NOW)  # the refusal was received at 0.1, and its body is still being read
    made.flight.begin(late)
    ask(made, 0.0, 429, Declared(retry_after=30.0))
    made.flight.end(late)
    served = AttemptReport(sent=NOW + 0.21, received=NOW + 0.3, status=200, refused=False, declared=NOTHING)
    assert made.record_success(late, served) == []
    assert made.gate_at(NOW + 1) >= NOW + 30


def test_the_stated_wait_is_that_of_a_refusal_or_of_a_quota_that_is_used_up():
    made = learner()
    ask(made, 0.0, 429, Declared(retry_after=7200.0))
    assert made.stated_wait(NOW + 200) == pytest.approx(7000.0, abs=2.0)
    stated = Observation(policy="p", limit=60.0, remaining=0.0, reset=(NOW + 9000, NOW + 9001), window=86400.0)
    ask(made, 7300.0, 429, Declared(observations=(stated,)))
    assert made.stated_wait(NOW + 8000) >= 1001.0


@pytest.mark.parametrize("status", [403, 503])
def test_a_lone_refusal_without_a_stated_wait_may_be_that_of_a_page(status):
    made = learner(served=50.0)
    ask(made, 0.0, status)
    assert made.refusals is not None
    assert made.refusals.search is None
    assert made.gate_at(NOW + 0.2) <= NOW + 0.7


def test_a_limit_that_refusals_at_random_seemed_to_show_is_forgotten():
    made = learner(served=20.0)
    ask(made, 0.0, 429)
    ask(made, 1.2)
    assert made.quotas.undeclared() is not None
    made.forget_undeclared()
    assert made.quotas.undeclared() is None
    assert made.gate_at(NOW + 2) == -math.inf


def test_a_lost_request_is_spent():
    made = learner()
    stated = Observation(policy="p", limit=60.0, remaining=50.0, reset=(NOW + 60, NOW + 60), window=60.0)
    ask(made, 0.0, 200, Declared(observations=(stated,)))
    made.record_lost(3.0)
    assert made.quotas.by_name["p"].remaining == 47.0


def test_the_next_request_waits_for_the_strictest_quota():
    made = learner()
    observations = tuple(
        Observation(policy=name, limit=60.0, remaining=left, reset=(NOW + end, NOW + end), window=60.0)
        for name, left, end in (("p", 50.0, 30.0), ("q", 0.0, 45.0))
    )
    ask(made, 0.0, 200, Declared(observations=observations))
    at, reason = made.quota_at(NOW + 1, NOW, cost=1.0, backlog=10.0, mode="burst")
    assert NOW + 45 <= at <= NOW + 48
    assert reason == "quota"


def test_learned_limits_are_restored_and_unreadable_values_are_ignored():
    made, restored = learner(served=5.0), learner()
    ask(made, 0.2, 429, Declared(retry_after=9.9))
    state = json.loads(json.dumps(made.state()))
    restored.restore(state)
    assert restored.state() == state
    assert restored.gate_at(NOW + 1) == made.gate_at(NOW + 1)
    restored.restore({"refused": "soon", "quotas": 5})
    assert restored.state() == state
    assert learner().state() == {}


def test_after_an_interrupted_run_a_probe_finds_the_remaining_units():
    made = learner()
    stated = Observation(policy="p", limit=60.0, remaining=50.0, reset=(NOW + 60, NOW + 60), window=60.0)
    ask(made, 0.0, 200, Declared(observations=(stated,)))
    made.resume(NOW + 5)
    assert made.quotas.by_name["p"].remaining is None
