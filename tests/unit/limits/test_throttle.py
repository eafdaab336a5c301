"""`Throttle`: when it lets a request start, the events that it returns, the state that it keeps; nothing leaks."""

from __future__ import annotations

import json
import math
import random
import sys
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared, Observation
from crawler.limits.in_flight import Grant
from crawler.limits.pace import Pace
from crawler.limits.pacing import Gcra
from crawler.limits.throttle import Throttle
from crawler.settings import Settings

NOW = 1_800_000_000.0


def said(left: float, end: float, *, policy: str = "p", limit: float = 60.0, **values: Any) -> Declared:
    """Return one declared policy; `end` is the exact reset in seconds after `NOW`."""
    words = Observation(policy=policy, limit=limit, remaining=left, reset=(NOW + end, NOW + end), window=60.0)
    return Declared(observations=(words,), **values)


def limits(rng: random.Random | None = None, **pace: Any) -> Throttle:
    """Return the limits of a lane without a delay."""
    usual = Pace(concurrency=8, delay=0.0, jitter=0.0)
    return Throttle("https://a.test", Pace(**pace).over(usual), rng or random.Random(1))


def settle(
    throttle: Throttle, grant: Grant, received: float, declared: Declared = NOTHING, *, status: int = 200
) -> list[QuotaEvent]:
    refused = status in (429, 503)
    report = AttemptReport(sent=grant.at, received=received, status=status, refused=refused, declared=declared)
    return throttle.settle(grant, report, inflight=1)


def ask(throttle: Throttle, at: float, declared: Declared = NOTHING, *, status: int = 200) -> list[QuotaEvent]:
    """Make one request `at` seconds after `NOW` that takes 0.1 s."""
    return settle(throttle, throttle.take(NOW + at), NOW + at + 0.1, declared, status=status)


def kinds(events: list[QuotaEvent]) -> list[str]:
    return [event.kind for event in events]


# ---- start times -----------------------------------------------------------------------------------------------------


def test_without_known_limits_requests_start_at_once():
    throttle = limits()
    assert throttle.ready_at(NOW) <= NOW
    assert throttle.blocked_by == ""


@pytest.mark.parametrize("pace", [{"delay": 1.0}, {"rate": ("5/s",)}, {"bodies": True}, {"refusals": (403,)}])
def test_a_lane_with_a_wish_of_the_user_is_not_simple(pace: dict[str, Any]):
    assert limits().is_simple()
    assert not limits(**pace).is_simple()


def test_a_lane_is_simple_until_its_server_says_or_refuses_something():
    for answer in ({"declared": said(5, 10)}, {"status": 429}):
        throttle = limits()
        ask(throttle, 0)
        assert throttle.is_simple()
        ask(throttle, 1, **answer)
        assert not throttle.is_simple()
    throttle = limits()
    throttle.block(NOW + 30)
    assert not throttle.is_simple()


def test_a_block_is_kept_to_its_end():
    throttle = limits()
    throttle.block(NOW + 30)
    throttle.block(NOW + 20)
    assert throttle.ready_at(NOW) == NOW + 30
    assert throttle.blocked_by == "refusal"
    assert throttle.ready_at(NOW + 30) <= NOW + 30


def test_every_rate_of_the_user_is_kept():
    throttle = limits()
    throttle.pacing.rates = (Gcra(1.0, burst=5), Gcra(10.0, burst=2))
    starts, now = [], NOW
    for _ in range(5):
        now = max(now, throttle.ready_at(now))
        throttle.take(now)
        starts.append(now - NOW)
    assert starts == [0, 0, 10, 20, 30]
    assert throttle.ready_at(now) == NOW + 40
    assert throttle.blocked_by == "pace"


def test_all_policies_have_to_allow_a_start():
    throttle = limits(mode="burst")
    both = said(50, 60, policy="minute").observations + said(0, 5, policy="burst", limit=20).observations
    ask(throttle, 0.0, Declared(observations=both))
    assert 5 <= throttle.ready_at(NOW + 1) - NOW <= 8
    assert throttle.blocked_by == "quota"


def test_a_cost_of_several_units_needs_as_many():
    throttle = limits(mode="burst")
    ask(throttle, 0.0, said(5, 60))
    assert throttle.ready_at(NOW + 1, cost=5.0) <= NOW + 1
    assert throttle.ready_at(NOW + 1, cost=6.0) >= NOW + 60


def test_with_all_remaining_units_in_flight_nothing_starts_before_the_reset():
    throttle = limits(mode="burst")
    ask(throttle, 0.0, said(1, 60))
    throttle.take(NOW + 1)
    probe_at = throttle.ready_at(NOW + 2)
    assert probe_at >= NOW + 60
    throttle.take(probe_at)
    assert throttle.ready_at(probe_at) == math.inf


def test_ready_at_changes_nothing():
    throttle = limits(rate="1/s")
    ask(throttle, 0.0, said(30, 60))
    before = throttle.state()
    answers = {throttle.ready_at(NOW + 1, backlog=100) for _ in range(50)}
    assert len(answers) == 1
    assert throttle.state() == before


def test_ready_at_is_exact():
    throttle = limits()
    ask(throttle, 0.0, said(30, 60))
    at = throttle.ready_at(NOW + 0.2, backlog=100)
    assert at > NOW + 0.2
    assert throttle.ready_at(math.nextafter(at, 0.0), backlog=100) > math.nextafter(at, 0.0)
    assert throttle.ready_at(at, backlog=100) <= at


@pytest.mark.parametrize(("mode", "backlog", "waits"), [
    ("auto", 1000, True), ("auto", 30, False), ("smooth", 30, True), ("burst", 1000, False),
])  # fmt: skip
def test_modes_of_spreading(mode, backlog, waits):
    throttle = limits(mode=mode)
    ask(throttle, 0.0, said(30, 60))
    assert (throttle.ready_at(NOW + 0.2, backlog=backlog) > NOW + 0.2) == waits
    assert throttle.blocked_by == ("pace" if waits else "")


# ---- requests without a response -------------------------------------------------------------------------------------


def test_a_request_that_was_never_sent_is_returned_exactly():
    throttle = limits(rate="1/s")
    ask(throttle, 0.0, said(30, 60))
    before = max(NOW + 5, throttle.ready_at(NOW + 5, backlog=100)), throttle.state()["governor"]
    throttle.refund(throttle.take(NOW + 5))
    assert (max(NOW + 5, throttle.ready_at(NOW + 5, backlog=100)), throttle.state()["governor"]) == before


def test_a_probe_that_was_never_sent_leaves_room_for_another():
    throttle = limits()
    ask(throttle, 0.0, said(0, 60))
    at = throttle.ready_at(NOW + 1)
    probe = throttle.take(at)
    assert throttle.ready_at(at) == math.inf
    throttle.refund(probe)
    assert throttle.ready_at(at) <= at


def test_a_lost_request_counts_as_spent():
    throttle = limits(mode="burst")
    ask(throttle, 0.0, said(2, 60))
    for _ in range(2):
        throttle.settle_lost(throttle.take(NOW + 1))
    assert throttle.inflight == 0
    assert throttle.ready_at(NOW + 2) >= NOW + 60


def test_a_failure_without_a_response_counts_as_spent():
    throttle = limits(mode="burst")
    ask(throttle, 0.0, said(1, 60))
    assert ask(throttle, 1.0, status=0) == []
    assert throttle.ready_at(NOW + 2) >= NOW + 60


def test_settling_twice_changes_nothing():
    throttle = limits(mode="burst")
    ask(throttle, 0.0, said(10, 60))
    grant = throttle.take(NOW + 1)
    throttle.refund(grant)
    throttle.settle_lost(grant)
    throttle.refund(grant)
    settle(throttle, grant, NOW + 2, said(3, 60))
    assert throttle.policies()["p"]["remaining"] == 10
    assert throttle.inflight == 0


# ---- refusals --------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("earlier", "patience"), [(0, 900.0), (1, 90_000.0)])
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
    assert patience <= at - 10 <= 1.25 * patience
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
        assert throttle.ready_at(NOW + at - 0.01) == pytest.approx(NOW + at)


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


def test_rule_7_a_probe_in_flight_for_longer_than_refusals_take_counts_as_served():
    throttle, _ = crowd(served=4, out=0)
    throttle.take(NOW + 1.0)
    assert throttle.ready_at(NOW + 1.001) == pytest.approx(NOW + 1.0 + 0.05, abs=0.001)
    other = throttle.take(NOW + 1.06)
    assert throttle.ready_at(NOW + 1.06) <= NOW + 1.06
    events = settle(throttle, other, NOW + 1.07, status=503)  # another burst, not a longer one
    assert kinds(events) == ["refused"]
    assert throttle.ready_at(NOW + 1.08) <= NOW + 2.2


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


# ---- events ----------------------------------------------------------------------------------------------------------


def test_events_are_reported_once_per_window():
    throttle = limits(mode="burst")
    told = []
    for left in range(59, -1, -1):
        throttle.ready_at(NOW, backlog=1000)
        told += ask(throttle, (59 - left) * 0.2, said(left, 60))
    assert sorted(kinds(told)) == ["critical", "forecast", "low"]
    forecast = next(event for event in told if event.kind == "forecast")
    assert forecast.breach_at is not None
    assert NOW < forecast.breach_at < NOW + 60
    assert (forecast.limit, forecast.reset_at) == (60, NOW + 60)
    assert forecast.fits == forecast.remaining
    low = next(event for event in told if event.kind == "low")
    assert low.remaining == 11


def test_no_breach_is_forecast_if_the_backlog_fits():
    throttle = limits(mode="burst")
    told = []
    for left in range(59, 30, -1):
        throttle.ready_at(NOW, backlog=1)
        told += ask(throttle, (59 - left) * 0.2, said(left, 60))
    assert told == []


def test_a_changed_policy_is_reported():
    throttle = limits()
    assert ask(throttle, 0.0, said(30, 60)) == []
    events = ask(throttle, 1.0, said(80, 60, limit=120))
    assert [(event.kind, event.policy, event.limit) for event in events] == [("policy_changed", "p", 120)]


def test_a_policy_that_another_replaces_is_forgotten_when_it_ends():
    throttle = limits()
    ask(throttle, 0.0, said(30, 60))
    ask(throttle, 1.0, said(30, 60, policy="other"))
    assert set(throttle.policies()) == {"p", "other"}
    assert "policy_changed" in kinds(ask(throttle, 70.0, said(59, 130, policy="other")))
    assert set(throttle.policies()) == {"other"}


def test_a_server_that_invents_policies_does_not_fill_the_memory():
    throttle = limits()
    for number in range(100):
        ask(throttle, float(number), said(30, 1000, policy=str(number)))
    assert len(throttle.policies()) <= 16
    assert "99" in throttle.policies()


# ---- saved state -----------------------------------------------------------------------------------------------------


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


# ---- invariants ------------------------------------------------------------------------------------------------------

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


# ---- lanes of a crawl ------------------------------------------------------------------------------------------------


def lane(**fields: object) -> Throttle:
    """Return the limits of a lane as the default settings make them."""
    pace = Pace(**fields).over(Settings().pace("a.test"))  # type: ignore[arg-type]
    return Throttle("https://a.test", pace, random.Random(1))


def request(made: Throttle, now: float, *, status: int = 200, declared: Declared = NOTHING, cost: float = 1.0) -> float:
    """Start one request as early as possible after `now`. Return when it started."""
    at = max(now, made.ready_at(now, cost=cost))
    grant = made.take(at, cost=cost)
    refused = status in (429, 503)
    report = AttemptReport(
        sent=at, received=at + 0.1, first_byte=0.1, status=status, refused=refused, declared=declared
    )
    made.settle(grant, report, inflight=1)
    return at


def test_a_delay_separates_two_starts_and_a_rate_counts_costs() -> None:
    made = lane(delay=2.0)
    assert [request(made, NOW) - NOW for _ in range(3)] == [0, 2, 4]
    made = lane(rate="60/min")
    assert [request(made, NOW, cost=3.0) - NOW for _ in range(3)] == [0, 3, 6]
    assert made.blocked_by == "pace"


def test_a_delay_counts_from_the_moment_of_sending() -> None:
    made = lane(delay=2.0)
    first = made.take(NOW)
    made.pacing.mark_sent(first, NOW + 0.5)
    assert made.ready_at(NOW + 1.0) == NOW + 2.5
    made.take(NOW + 2.5)
    made.pacing.mark_sent(first, NOW + 9.0)  # sent again by the transport; the next start is already counted
    assert made.ready_at(NOW + 3.0) == NOW + 4.5


def test_a_request_that_was_never_sent_returns_its_delay() -> None:
    made = lane(delay=10.0, rate="6/min")
    made.refund(made.take(NOW))
    assert made.ready_at(NOW) <= NOW
    assert made.inflight == 0


def test_a_longer_crawl_delay_is_kept_and_limits_concurrency() -> None:
    made = lane(delay=1.0)
    made.set_robots_delay(0.5)
    assert made.pacing.draw_interval() == 1.0
    made.set_robots_delay(3.0)
    assert made.pacing.draw_interval() == 3.0
    assert made.concurrency.cap == 2
    assert made.is_paced()


def test_refused_requests_are_a_tenth_of_the_served_and_one_in_ten_seconds() -> None:
    made = lane()
    now, refused, asked = NOW, 0, 0
    chance = random.Random(5)
    while now < NOW + 20_000:
        status = 503 if chance.random() < 0.6 else 200
        now = request(made, now, status=status) + 0.1
        asked += 1
        refused += status == 503
    assert 10 < refused <= 20 + 0.1 * (asked - refused) + 20_000 / 10 + 1


def test_a_lane_that_refuses_everything_stalls_after_a_while_and_is_probed_later() -> None:
    made = lane()
    now = NOW
    while not made.is_stalled(now):
        now = request(made, now, status=503) + 0.1
        assert now < NOW + 1500
    assert now >= NOW + 900
    assert made.is_stalled(now + 899)
    assert not made.is_stalled(now + 901)
    request(made, now + 901)
    assert not made.is_stalled(now + 902)


def test_stated_waits_do_not_stall_a_lane() -> None:
    made = lane()
    now = NOW
    for _ in range(10):
        now = request(made, now, status=429, declared=Declared(retry_after=600.0)) + 0.1
    assert now > NOW + 5000
    assert not made.is_stalled(now)


def test_a_declared_concurrency_is_not_exceeded() -> None:
    made = lane(concurrency=8, slow_start=False)
    assert made.concurrency.limit == 8
    request(made, NOW, declared=Declared(concurrency=3))
    assert made.concurrency.limit == 3


def test_learned_limits_survive_json_and_an_interrupted_crawl() -> None:
    made = lane(delay=1.0, rate="60/min")
    word = Observation(policy="daily", limit=100, remaining=40, reset=(NOW + 500, NOW + 501), window=1000.0)
    request(made, NOW, declared=Declared(observations=(word,)))
    state = msgspec.json.decode(msgspec.json.encode(made.state()))
    assert len(msgspec.json.encode(state)) < 2000
    again = lane(delay=1.0, rate="60/min")
    again.restore(state)
    assert again.policies()["daily"]["remaining"] == 40
    assert NOW + 1 <= again.ready_at(NOW + 0.2) <= made.ready_at(NOW + 0.2)
    again.resume(NOW + 10)
    assert again.ready_at(NOW + 10) >= NOW + 11
    assert "remaining" not in again.policies()["daily"]


def test_a_lane_without_known_limits_has_no_state() -> None:
    assert lane().state() == {}


@pytest.mark.parametrize(
    "state",
    [
        {"next_start": "soon", "rates": 5, "governor": [], "concurrency": "x", "dialect": 7},
        {"next_start": math.nan, "rates": [None], "governor": {"quotas": {"a": 5}}, "dialect": {"verdicts": [1]}},
    ],
)
def test_a_state_that_cannot_be_read_is_ignored(state: dict[str, object]) -> None:
    made = lane(rate="1/s")
    made.restore(state)
    assert made.ready_at(NOW) <= NOW


def test_watchers_of_a_shared_throttle_are_called_when_it_is_blocked() -> None:
    made, told = lane(), []
    made.watchers = (lambda: told.append(1),)
    made.block(NOW + 5)
    assert told == [1]


# ---- cost ------------------------------------------------------------------------------------------------------------


def test_a_throttle_without_known_limits_calls_few_functions():
    throttle, report = limits(), AttemptReport(sent=NOW, received=NOW, status=200)
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        throttle.ready_at(NOW)
        throttle.settle(throttle.take(NOW), report, inflight=1)
    finally:
        sys.setprofile(before)
    assert calls <= 12


def test_an_idle_throttle_occupies_little_more_than_a_kilobyte():
    tracemalloc.start()
    try:
        rng = random.Random(1)
        kept = [limits(rng) for _ in range(200)]
        for throttle in kept:
            ask(throttle, 0.0)
        assert tracemalloc.get_traced_memory()[0] / len(kept) < 1250
    finally:
        tracemalloc.stop()


def test_a_restored_limit_does_not_prevent_further_learning():
    """At the first refusal of a run that restored a state, the counts include this run only."""
    earlier = limits()
    ask(earlier, 0.0, status=429)
    throttle = limits()
    throttle.restore(json.loads(json.dumps(earlier.state())))
    for n in range(20):
        ask(throttle, 100.0 + n, status=200)
    at = 120.0
    for _ in range(20):
        if throttle.policies():
            break
        ask(throttle, at, status=429)
        at = throttle.ready_at(NOW + at + 0.1) - NOW
        ask(throttle, at)
        at += 0.2
    [policy] = throttle.policies().values()
    assert policy["limit"] >= 1
    assert policy["window"] > 0
