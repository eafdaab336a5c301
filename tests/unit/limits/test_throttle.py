"""`Throttle`: when it lets a request start, and the events that it returns.

Refusals are in `test_throttle_refusals`, the state and invariants in `test_throttle_state`.
"""

from __future__ import annotations

import json
import math
import random
import sys
import tracemalloc

import msgspec
import pytest
from support.throttles import NOW, ask, kinds, limits, said, settle

from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared, Observation
from crawler.limits.pace import Pace
from crawler.limits.pacing import Gcra
from crawler.limits.throttle import Throttle
from crawler.settings import Settings

# ---- start times -----------------------------------------------------------------------------------------------------


def test_without_known_limits_requests_start_at_once():
    throttle = limits()
    assert throttle.ready_at(NOW) <= NOW
    assert throttle.blocked_by == ""


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
        sent=at,
        received=at + 0.1,
        first_byte=0.1,
        status=status,
        refused=refused,
        overloaded=status == 503,
        declared=declared,
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
        assert now < NOW + 601
    assert now >= NOW + 600
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
        assert tracemalloc.get_traced_memory()[0] / len(kept) < 1260
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
