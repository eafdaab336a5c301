"""`LimitDetector`: which limit refusals show that do not state it."""

from __future__ import annotations

import math
import random

import pytest
from support.learners import NOW, ask, learner
from support.throttles import kinds

from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared, Observation
from crawler.limits.in_flight import Flight, Grant
from crawler.limits.learning.interval_quota import IntervalQuota
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota
from crawler.limits.learning.learner import LimitLearner
from crawler.limits.learning.limit_detector import LimitDetector
from crawler.limits.learning.quota_set import QuotaSet
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.declared_quota import DeclaredQuota


def test_the_limit_behind_refusals_is_learned_and_named():
    made = learner(served=5.0)
    ask(made, 0.2, 429, Declared(retry_after=9.9))
    assert kinds(ask(made, 11.5)) == ["recovered", "policy_changed"]
    [quota] = made.quotas
    assert (quota.name, quota.limit, quota.window.length) == ("undeclared", 5.0, 10.0)


def test_a_window_that_only_refusals_state_is_counted_from_the_next_one_on():
    made = learner(served=5.0)
    stated = Observation(policy="p", limit=5.0, remaining=0.0, reset=(NOW + 9.2, NOW + 10.2))
    ask(made, 0.3, 429, Declared(observations=(stated,)))
    ask(made, 11.0)
    [quota] = made.quotas
    assert (quota.name, quota.limit, quota.remaining, quota.window.length) == ("p", 5.0, 4.0, 10.0)


def test_a_limit_in_addition_to_declared_ones_is_called_hidden():
    made = learner(served=5.0)
    stated = Observation(policy="p", limit=60.0, remaining=50.0, reset=(NOW + 60, NOW + 60), window=60.0)
    ask(made, 0.2, 429, Declared(observations=(stated,), retry_after=9.9))
    ask(made, 11.5)
    assert sorted(made.quotas.by_name) == ["hidden", "p"]


def test_after_four_wrong_guesses_refusals_at_random_teach_no_limit():
    made, chance = learner(), random.Random(3)
    at, known = 0.0, []
    for _ in range(1000):
        ask(made, at, 429 if chance.random() < 0.1 else 200)
        known.append(made.quotas.undeclared() is not None)
        now = NOW + at + 0.1
        quota_at, _ = made.quota_at(now, NOW + at, cost=1.0, backlog=math.inf, mode="auto")
        at = max(now, made.gate_at(now), quota_at) - NOW
    assert any(known)
    assert not any(known[-500:])


def test_a_resumed_run_counts_from_its_first_request():
    made = LimitLearner(flight=Flight(), rng=random.Random(1), since=math.nan, served=0.0)
    made.detector.begin_run(NOW)
    for number in range(40):
        ask(made, 0.05 * number)
    for at in (2.0, 2.2, 3.2):
        ask(made, at, 429)
    for at in (13.5, 13.52, 13.54):
        ask(made, at)
    for at in (13.6, 13.8, 14.8, 25.0):
        ask(made, at, 429)
    ask(made, 46.0)
    undeclared = made.quotas.undeclared()
    assert undeclared is not None
    assert undeclared.too_short == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_refusals_at_random_lower_no_rate_for_ever(seed):
    made, chance = learner(), random.Random(seed)
    made.quotas.add(IntervalQuota.of("undeclared", 1.0, NOW))
    at = 1.0
    for _ in range(300):
        ask(made, at, 429 if chance.random() < 0.25 else 200)
        now = NOW + at + 0.1
        quota_at, _ = made.quota_at(now, NOW + at, cost=1.0, backlog=math.inf, mode="auto")
        at = max(now, made.gate_at(now), quota_at) - NOW
    assert at < 1100


def test_a_limit_of_one_that_a_single_refusal_showed_is_a_rate_as_well():
    made = learner(served=1.0)
    ask(made, 0.1, 429)
    ask(made, 1.3)
    assert isinstance(made.quotas.undeclared(), IntervalQuota)


def test_two_units_in_the_first_second_are_a_rate_as_well():
    made = learner(served=2.0)
    ask(made, 0.2, 429)
    ask(made, 1.3)
    assert isinstance(made.quotas.undeclared(), IntervalQuota)


def test_two_units_in_a_longer_time_are_a_window():
    made = learner(served=2.0)
    for at in (0.2, 1.3):
        ask(made, at, 429)
    ask(made, 11.0)
    known = made.quotas.undeclared()
    assert known is not None
    assert not isinstance(known, IntervalQuota)


def test_a_doubted_rate_that_is_refused_once_more_holds_requests_back_again():
    made = learner()
    made.quotas.add(IntervalQuota.of("undeclared", 1.0, NOW))
    bucket = made.quotas.leaky_bucket()
    assert bucket is not None
    ask(made, 0.0, 429, share=0.3)
    assert not bucket.is_proven
    for n in range(1, 5):
        ask(made, n / 5, 429)
    assert bucket.is_proven
    assert bucket.probe_at() > NOW + 1.0


def test_a_refusal_that_may_be_chance_is_followed_by_a_request_alone():
    made = learner(served=20.0)
    ask(made, 0.0, 429, share=0.05)
    assert made.gate_at(NOW + 0.1) <= NOW + 0.1
    assert [event.kind for event in ask(made, 0.1)] == ["concurrency", "recovered"]
    assert made.quotas.undeclared() is None
    assert not made.is_limit_proven()


def refused_after_four() -> LimitLearner:
    """Return the limits of a server that has served four units in the second between two refusals."""
    made = learner(served=20.0)
    ask(made, 0.0, 429)
    for number in range(4):
        ask(made, 0.5 + number / 10)
    ask(made, 1.0, 429)
    return made


def test_a_request_served_right_after_the_second_refusal_disproves_a_leaky_bucket():
    made = refused_after_four()
    assert made.quotas.has_leaky_bucket()
    assert made.gate_at(NOW + 1.1) <= NOW + 1.1
    assert made.quota_at(NOW + 1.1, NOW + 1.0, cost=1.0, backlog=9.0, mode="auto")[0] <= NOW + 1.1
    ask(made, 1.1)
    assert not made.quotas.has_leaky_bucket()


def test_a_leaky_bucket_is_found_by_two_refusals_that_state_when_the_next_unit_is_free():
    """Matrix states it to the millisecond: a window would return all of its units at that time."""
    made = learner(served=20.0)
    ask(made, 1.0, 429, Declared(retry_after=0.25))
    for number in range(4):
        ask(made, 1.4 + 0.25 * number)
    ask(made, 2.2, 429, Declared(retry_after=0.3))
    bucket = made.quotas.leaky_bucket()
    assert bucket is not None
    assert bucket.replenishment.rate == pytest.approx(4.0, rel=0.15)


def test_a_window_whose_end_is_stated_is_not_a_leaky_bucket():
    made = learner(served=20.0)
    ask(made, 1.0, 429, Declared(retry_after=4.0))
    for number in range(20):
        ask(made, 5.4 + 0.05 * number)
    ask(made, 6.5, 429, Declared(retry_after=4.0))
    assert not made.quotas.has_leaky_bucket()


def test_a_leaky_bucket_is_found_by_two_refusals():
    made = refused_after_four()
    assert made.quotas.has_leaky_bucket()


def test_a_request_that_is_refused_alone_is_no_sign_of_concurrency():
    """With itself counted twice, a limit of one request at once seemed to explain each of them."""
    flight = Flight()
    detector = LimitDetector(quotas=QuotaSet(flight), flight=flight, since=NOW, served=0.0)
    for number in range(40):  # a rate of two per second: each second request comes too early
        sent = NOW + 0.3 * number
        grant = Grant(sent, 1.0, -math.inf)
        flight.begin(grant)
        status = 429 if number % 2 else 200
        report = AttemptReport(sent=sent, received=sent + 0.05, status=status, refused=status == 429, declared=NOTHING)
        if report.refused:
            explained = detector.explains_chance(grant, report)
            flight.end(grant)
        else:
            flight.end(grant)
            detector.rates.record(sent, sent + 0.05, served=True, load=1)
    assert explained


@pytest.mark.parametrize(("refused_at", "survives"), [((0.5,), False), ((0.5, 0.9), True)])
def test_a_request_right_after_the_next_refusal_disproves_a_limit_that_a_single_refusal_showed(refused_at, survives):
    made = learner()
    for n in range(5):
        ask(made, n / 10)
    for at in refused_at:
        ask(made, at, status=429)
    ask(made, 1.4)  # as no shorter window is tried for
    found = made.quotas.undeclared()
    assert found is not None
    assert found.is_weak is not survives
    for at in (1.5, 1.55):  # too many for a bucket that leaks
        ask(made, at)
    ask(made, 1.7, status=429)
    ask(made, 1.85)
    assert (made.quotas.undeclared() is found) is survives


@pytest.mark.parametrize("kind", [UndeclaredQuota, LeakyBucketQuota, IntervalQuota])
def test_every_kind_of_limit_that_no_response_states_can_be_forgotten(kind):
    quotas, declared = QuotaSet(), DeclaredQuota(name="p")
    quotas.add(declared)
    quotas.add(kind(name="hidden"))
    LimitDetector(quotas=quotas, flight=quotas.flight, since=NOW, served=0.0).forget()
    assert list(quotas) == [declared]
