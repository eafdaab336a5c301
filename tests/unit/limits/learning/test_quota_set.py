"""`QuotaSet`: the quotas of one server by name."""

from __future__ import annotations

import json

import msgspec.structs
import pytest

from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import AttemptReport, Declared, Observation
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota
from crawler.limits.learning.quota_set import MAX_QUOTAS, QuotaSet
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.declared_quota import DeclaredQuota
from crawler.limits.quotas.window import Window

NOW = 1_800_000_000.0


def stated(policy: str, remaining: float, *, limit: float = 60.0, reset: float = 60.0) -> Observation:
    end = NOW + reset
    return Observation(policy=policy, limit=limit, remaining=remaining, reset=(end, end), window=60.0)


def report(at: float, *observations: Observation, refused: bool = False) -> AttemptReport:
    declared = Declared(observations=observations)
    return AttemptReport(sent=NOW + at, received=NOW + at + 0.1, status=200, refused=refused, declared=declared)


def observe(quotas: QuotaSet, at: float, *observations: Observation) -> list[QuotaEvent]:
    return quotas.observe(report(at, *observations), cost=1.0, requests=0, units=0.0)


def undeclared() -> UndeclaredQuota:
    quota = UndeclaredQuota(name="undeclared", limit=3.0, window=Window(60.0))
    quota.record_unreported(sent=NOW, received=NOW)
    return quota


def test_every_policy_of_a_response_gets_its_quota():
    quotas = QuotaSet()
    assert observe(quotas, 0.0, stated("minute", 59), stated("day", 999, limit=1000)) == []
    assert {quota.name: quota.remaining for quota in quotas} == {"minute": 59, "day": 999}


def test_a_changed_limit_is_an_event():
    quotas = QuotaSet()
    observe(quotas, 0.0, stated("p", 59))
    [event] = observe(quotas, 1.0, stated("p", 99, limit=120))
    assert (event.kind, event.policy, event.limit) == ("policy_changed", "p", 120)


@pytest.mark.parametrize(("limit", "kept"), [(60.0, False), (30.0, True), (240.0, True)])
def test_a_policy_that_only_says_how_fast_a_larger_bucket_is_refilled_is_no_limit(limit, kept):
    """The last one allows more than the bucket holds, so that it may be another limit."""
    quotas = QuotaSet()
    refill = Observation(policy="60s", limit=limit, window=60.0)
    bucket = Observation(policy="bucket", limit=120.0, remaining=119.0)
    observe(quotas, 0.0, bucket, refill)
    assert "60s" in quotas.by_name
    observe(quotas, 1.0, msgspec.structs.replace(bucket, remaining=90.0, rate=1.05 if limit < 240.0 else 4.0), refill)
    assert ("60s" in quotas.by_name) is kept


def test_a_server_that_invents_names_replaces_the_quota_that_was_updated_the_longest_ago():
    quotas = QuotaSet()
    for number in range(MAX_QUOTAS + 5):
        observe(quotas, float(number), stated(f"p{number}", 59))
    assert list(quotas.by_name) == [f"p{number}" for number in range(5, MAX_QUOTAS + 5)]


def test_a_request_is_counted_for_every_quota_that_its_response_does_not_mention():
    quotas = QuotaSet()
    observe(quotas, 0.0, stated("p", 59), stated("q", 59))
    assert quotas.record_unreported(report(1.0, stated("q", 58)), cost=1.0) == []
    assert {quota.name: quota.remaining for quota in quotas} == {"p": 58, "q": 59}


def test_a_quota_that_others_replaced_at_its_reset_is_removed():
    quotas = QuotaSet()
    observe(quotas, 0.0, stated("old", 59))
    observe(quotas, 70.0, stated("new", 59, reset=120.0))
    events = quotas.record_unreported(report(70.0, stated("new", 59, reset=120.0)), cost=1.0)
    assert [(event.kind, event.policy) for event in events] == [("policy_changed", "old")]
    assert list(quotas.by_name) == ["new"]


def test_a_refusal_is_explained_by_a_violated_policy_or_one_that_is_used_up():
    quotas = QuotaSet()
    observe(quotas, 0.0, stated("p", 30), stated("q", 0))
    assert quotas.explain_refusal(1.0, Declared(), NOW + 1).name == "q"
    assert quotas.explain_refusal(1.0, Declared(violated=("p",)), NOW + 1) is not None
    assert quotas.by_name["p"].remaining == 0.0


def test_a_refusal_with_quota_left_is_explained_only_by_an_undeclared_quota():
    quotas = QuotaSet()
    observe(quotas, 0.0, stated("p", 30))
    assert quotas.explain_refusal(1.0, Declared(), NOW + 1) is None
    quotas.add(undeclared())
    quotas.by_name["undeclared"].used = 3.0
    assert quotas.explain_refusal(1.0, Declared(), NOW + 1) is quotas.undeclared()


def test_the_kinds_of_quotas_in_a_set():
    quotas = QuotaSet()
    assert quotas.are_all_undeclared()
    quotas.add(undeclared())
    assert quotas.are_all_undeclared()
    assert not quotas.has_leaky_bucket()
    quotas.add(LeakyBucketQuota(name="undeclared"))
    assert quotas.has_leaky_bucket()
    quotas.add(DeclaredQuota(name="p"))
    assert not quotas.are_all_undeclared()
    quotas.clear()
    assert quotas.undeclared() is None


def test_a_low_quota_is_reported_once():
    quotas = QuotaSet()
    observe(quotas, 0.0, stated("p", 5))
    events = [
        event.kind
        for _ in range(3)
        for event in quotas.forecast(NOW + 0.1, cost=1.0, requests=0, units=0.0, backlog=0.0)
    ]
    assert events == ["low"]


def test_the_next_run_knows_every_quota_and_ignores_unreadable_ones():
    quotas, restored = QuotaSet(), QuotaSet()
    observe(quotas, 0.0, stated("p", 30), stated("q", 0))
    quotas.add(undeclared())
    restored.restore(json.loads(json.dumps(quotas.state())) | {"bad": 5})
    assert restored.state() == quotas.state()
    restored.restore([1, 2])
    assert restored.state() == quotas.state()
