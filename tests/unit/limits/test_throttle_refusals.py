"""`Throttle`: what refusals show, and how long they hold requests back."""

from __future__ import annotations

import math

import pytest
from support.throttles import NOW, ask, kinds, limits, said, settle

from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared
from crawler.limits.in_flight import Grant
from crawler.limits.throttle import Throttle


def test_a_stated_wait_is_kept_and_one_probe_goes_first():
    throttle = limits()
    events = ask(throttle, 0.0, Declared(retry_after=30.0), status=429)
    assert kinds(events) == ["refused"]
    at = throttle.ready_at(NOW + 1)
    assert 30.1 <= at - NOW <= 31.2
    assert throttle.blocked_by == "refusal"
    probe = throttle.take(at)
    assert throttle.ready_at(at) == math.inf
    assert kinds(settle(throttle, probe, at + 0.1)) == ["recovered"]
    assert throttle.ready_at(at + 0.2) <= at + 0.2


def test_a_refusal_that_names_a_concurrency_limit_lowers_the_level_and_nothing_waits():
    throttle = limits(slow_start=False)
    grants = [throttle.take(NOW) for _ in range(6)]
    reason = Declared(violated=("global-concurrency",))
    for inflight in (6, 5):
        report = AttemptReport(sent=NOW, received=NOW + 0.1, status=429, refused=True, declared=reason)
        events = throttle.settle(grants.pop(), report, inflight=inflight)
        assert kinds(events) == ["refused"]
    assert throttle.concurrency.limit == 4
    assert throttle.ready_at(NOW + 0.1) <= NOW + 0.1
    assert throttle.policies() == {}


def test_a_burst_that_is_refused_is_one_refusal():
    throttle = limits()
    grants = [throttle.take(NOW) for _ in range(5)]
    first = settle(throttle, grants[0], NOW + 0.1, Declared(retry_after=30.0), status=429)
    until = throttle.ready_at(NOW + 0.2)
    rest = [settle(throttle, grant, NOW + 0.3, Declared(retry_after=30.0), status=429) for grant in grants[1:]]
    assert (kinds(first), rest) == (["refused"], [[]] * 4)
    assert throttle.ready_at(NOW + 1) == until


def test_stated_waits_are_kept_however_long_and_are_not_a_stall():
    month = 30 * 86400.0
    throttle = limits()
    ask(throttle, 0.0)
    ask(throttle, 1.0, Declared(retry_after=month), status=429)
    assert month + 1 <= throttle.ready_at(NOW + 2) - NOW <= month + 3
    ask(throttle, month + 4)
    ask(throttle, month + 5, said(0, 2 * month), status=429)
    assert throttle.ready_at(NOW + month + 6) - NOW >= 2 * month
    ask(throttle, 2 * month + 1, said(0, 3 * month), status=429)
    assert not throttle.is_stalled(NOW + 2 * month + 2)


@pytest.mark.parametrize(("earlier", "patience"), [(0, 600.0), (1, 90_000.0)])
def test_refusals_that_state_nothing_are_a_stall_in_the_end(earlier, patience):
    """A server that has served requests may have a quota per day."""
    throttle = limits()
    for number in range(earlier):
        ask(throttle, float(number))
    at, asked = 10.0, 1
    ask(throttle, at, status=429)
    while not throttle.is_stalled(NOW + at + 0.1):
        at = max(at + 0.2, throttle.ready_at(NOW + at + 0.2) - NOW)
        ask(throttle, at, status=429)
        asked += 1
    assert patience <= at - 10 <= patience + 1.0
    assert asked <= 25


def test_a_stated_wait_that_was_too_short_is_a_second_longer_from_then_on():
    throttle = limits()
    ask(throttle, 0.0, Declared(retry_after=10.0), status=429)
    at = throttle.ready_at(NOW + 1) - NOW
    ask(throttle, at, Declared(retry_after=0.0), status=429)
    assert throttle.ready_at(NOW + at + 0.2) - NOW >= at + 1.0
    assert throttle.state()["governor"]["refused"][1] == 1.0


def test_a_server_that_keeps_refusing_with_a_wait_of_zero_is_probed_ever_more_rarely():
    throttle = limits()
    at, waits = 0.0, []
    for _ in range(12):
        ask(throttle, at, Declared(retry_after=0.0), status=429)
        following = max(at + 0.1, throttle.ready_at(NOW + at + 0.1) - NOW)
        waits.append(following - at)
        at = following
    assert waits == sorted(waits)
    assert waits[-1] > 60


def test_a_server_that_refuses_after_its_own_reset_is_probed_ever_more_rarely():
    throttle = limits()
    ask(throttle, 0.0, said(0, 60))
    at = throttle.ready_at(NOW + 1) - NOW
    for wait in (1, 2, 4, 8, 16, 32, 60, 60):
        assert throttle.ready_at(NOW + at) <= NOW + at
        ask(throttle, at, status=429)
        at += 0.1 + wait
        assert throttle.ready_at(NOW + at - 0.01) == pytest.approx(NOW + at, abs=0.001)


def test_a_retry_after_of_a_served_response_is_ignored():
    throttle = limits()
    ask(throttle, 0.0, Declared(retry_after=60.0))
    assert throttle.ready_at(NOW + 1) <= NOW + 1


def test_a_refusal_of_a_violated_policy_uses_it_up():
    throttle = limits()
    ask(throttle, 0.0, said(30, 60))
    ask(throttle, 1.0, Declared(violated=("p",)), status=429)
    assert throttle.ready_at(NOW + 2) >= NOW + 60


def test_rule_7_a_refusal_with_quota_left_reveals_a_hidden_policy():
    throttle = limits(mode="burst")
    for second in range(10):
        ask(throttle, float(second), said(50, 60 + second))
    ask(throttle, 10.0, said(50, 70, retry_after=50.0), status=429)
    at = throttle.ready_at(NOW + 11) - NOW
    assert at >= 60
    events = ask(throttle, at, said(59, 130))
    assert kinds(events) == ["recovered", "policy_changed"]
    hidden = throttle.policies()["hidden"]
    assert (hidden["limit"], hidden["window"], hidden["remaining"]) == (10, 60, 9)


def test_rule_7_a_refusal_while_others_are_served_is_attributed_to_concurrency():
    throttle = limits()
    grants = [throttle.take(NOW) for _ in range(6)]
    settle(throttle, grants[5], NOW + 0.1, status=429)
    for grant in grants[:5]:
        settle(throttle, grant, NOW + 0.2)
    alone = throttle.take(max(NOW + 0.3, throttle.ready_at(NOW + 0.3)))
    assert alone.at == NOW + 0.3
    assert kinds(settle(throttle, alone, NOW + 0.4)) == ["concurrency", "recovered"]
    assert throttle.policies() == {}
    assert throttle.ready_at(NOW + 0.5) <= NOW + 0.5


def test_rule_7_a_burst_of_refusals_leaves_as_many_requests_at_once_as_were_served_beside_them():
    throttle = limits()
    throttle.concurrency.skip_slow_start(100.0)
    grants = [throttle.take(NOW) for _ in range(8)]
    statuses = [429, 200, 200, 200, 200, 429, 200, 200]  # the second refusal comes when three are in flight
    for number, (grant, status) in enumerate(zip(grants, statuses, strict=True)):
        received = NOW + 0.1 + 0.01 * number
        report = AttemptReport(sent=grant.at, received=received, status=status, refused=status == 429)
        throttle.settle(grant, report, inflight=8 - number)
    alone = throttle.take(throttle.ready_at(NOW + 0.2))
    assert "concurrency" in kinds(settle(throttle, alone, alone.at + 0.1))
    assert throttle.concurrency.limit == 6


def test_rule_7_a_request_that_is_to_be_alone_waits_for_a_place():
    throttle = limits()
    grants = [throttle.take(NOW) for _ in range(7)]
    settle(throttle, grants.pop(), NOW + 0.01, status=429)
    settle(throttle, grants.pop(), NOW + 0.05)
    probe = throttle.take(throttle.ready_at(NOW + 0.06))
    assert probe.at <= NOW + 0.07
    assert throttle.ready_at(NOW + 0.2) == NOW + 0.51  # it has the place; at last it counts as served


def crowd(*, served: int, out: int) -> tuple[Throttle, list[Grant]]:
    """One request was refused after 10 ms, some were served after a second, and some later ones are still in flight."""
    throttle = limits()
    grants = [throttle.take(NOW) for _ in range(served + 1)]
    settle(throttle, grants.pop(), NOW + 0.01, status=503)
    late = [throttle.take(NOW + 0.005) for _ in range(out)]
    for grant in grants:
        settle(throttle, grant, NOW + 1.0)
    return throttle, late


def test_rule_7_requests_in_flight_for_longer_than_refusals_take_are_not_awaited():
    throttle, _ = crowd(served=1, out=3)
    assert throttle.ready_at(NOW + 1.0) <= NOW + 1.0


def test_rule_7_more_refusals_than_successes_are_not_attributed_to_concurrency():
    throttle = limits()
    grants = [throttle.take(NOW) for _ in range(4)]
    settle(throttle, grants[0], NOW + 0.1, status=429)
    settle(throttle, grants[1], NOW + 0.11)
    assert throttle.ready_at(NOW + 0.12) <= NOW + 0.6
    settle(throttle, grants[2], NOW + 0.13, status=429)
    assert throttle.ready_at(NOW + 0.14) >= NOW + 1.0


def test_a_lone_503_teaches_nothing_but_a_second_one_does():
    throttle = limits()
    for n in range(50):
        ask(throttle, n / 10, status=503 if n % 10 == 5 else 200)
        assert throttle.ready_at(NOW + n / 10 + 0.1) <= NOW + n / 10 + 0.7
    assert throttle.policies() == {}
    assert throttle.inflight == 0
    ask(throttle, 6.0, status=503)
    at = throttle.ready_at(NOW + 6.2) - NOW
    ask(throttle, max(at, 6.2), status=503)
    assert throttle.ready_at(NOW + 6.4) >= NOW + 7.0


def test_rule_8_probes_search_for_an_undeclared_window():
    throttle = limits()
    for _ in range(5):
        ask(throttle, 0.0)
    at, probes = 0.2, []
    while at < 10.2:
        ask(throttle, at, status=429)
        at = throttle.ready_at(NOW + at + 0.1) - NOW
        probes.append(round(at, 1))
    assert probes == [1.3, 10.3]
    ask(throttle, at)
    learned = throttle.policies()["undeclared"]
    assert (learned["limit"], learned["window"]) == (5, 5)  # from the next window on, a shorter one is tried


def test_a_server_that_failed_for_a_moment_has_no_limit():
    throttle = limits()
    for second in range(500):
        ask(throttle, float(second))
    ask(throttle, 500.0, status=429)
    at = throttle.ready_at(NOW + 500.2) - NOW
    ask(throttle, at)
    assert throttle.policies() == {}


def test_rule_9_a_response_that_declares_nothing_changes_nothing():
    throttle = limits()
    assert ask(throttle, 0.0, NOTHING) == []
    assert ask(throttle, 0.2, Declared()) == []
    assert throttle.state() == {}
