"""The governor from outside: when it lets a request start, what it tells, what it keeps, and that nothing leaks."""

from __future__ import annotations

import json
import math
import random
import timeit
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.events import QuotaEvent
from crawler.limits.gcra import Gcra
from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared, Observation
from crawler.limits.in_flight import Grant
from crawler.limits.pacing import Governor

NOW = 1_800_000_000.0


def said(left: float, end: float, *, policy: str = "p", limit: float = 60.0, **values: Any) -> Declared:
    """One policy; `end`: seconds after `NOW`, exact."""
    words = Observation(policy=policy, limit=limit, remaining=left, reset=(NOW + end, NOW + end), window=60.0)
    return Declared(observations=(words,), **values)


def settle(
    governor: Governor, grant: Grant, received: float, declared: Declared = NOTHING, *, status: int = 200
) -> list[QuotaEvent]:
    exchange = AttemptReport(
        sent=grant.at, received=received, first_byte=0.1, status=status, refused=status in (429, 503), declared=declared
    )  # fmt: skip
    return governor.settle(grant, exchange)


def ask(governor: Governor, at: float, declared: Declared = NOTHING, *, status: int = 200) -> list[QuotaEvent]:
    """One request, a tenth of a second long, `at` seconds after `NOW`."""
    return settle(governor, governor.take(NOW + at), NOW + at + 0.1, declared, status=status)


def kinds(events: list[QuotaEvent]) -> list[str]:
    return [event.kind for event in events]


# ---- when ------------------------------------------------------------------------------------------------------------


def test_who_knows_nothing_starts_at_once():
    governor = Governor()
    assert governor.ready_at(NOW) <= NOW
    assert governor.blocked_by == ""


def test_a_block_is_waited_for_to_its_end():
    governor = Governor()
    governor.block(NOW + 30)
    governor.block(NOW + 20)
    assert governor.ready_at(NOW) == NOW + 30
    assert governor.blocked_by == "refusal"
    assert governor.ready_at(NOW + 30) <= NOW + 30


def test_every_rate_of_the_user_is_kept():
    governor = Governor(rates=[Gcra(1.0, burst=5), Gcra(10.0, burst=2)])
    starts, now = [], NOW
    for _ in range(5):
        now = max(now, governor.ready_at(now))
        governor.take(now)
        starts.append(now - NOW)
    assert starts == [0, 0, 10, 20, 30]
    assert governor.ready_at(now) == NOW + 40
    assert governor.blocked_by == "pace"


def test_all_policies_have_to_allow_a_start():
    governor = Governor(mode="burst")
    both = said(50, 60, policy="minute").observations + said(0, 5, policy="burst", limit=20).observations
    ask(governor, 0.0, Declared(observations=both))
    assert 5 <= governor.ready_at(NOW + 1) - NOW <= 8
    assert governor.blocked_by == "quota"


def test_a_cost_of_more_than_one_needs_as_much():
    governor = Governor(mode="burst")
    ask(governor, 0.0, said(5, 60))
    assert governor.ready_at(NOW + 1, cost=5.0) <= NOW + 1
    assert governor.ready_at(NOW + 1, cost=6.0) >= NOW + 60


def test_with_all_that_is_left_on_its_way_time_alone_changes_nothing_before_the_end():
    governor = Governor(mode="burst")
    ask(governor, 0.0, said(1, 60))
    governor.take(NOW + 1)
    probe_at = governor.ready_at(NOW + 2)
    assert probe_at >= NOW + 60
    governor.take(probe_at)
    assert governor.ready_at(probe_at) == math.inf


def test_asking_changes_nothing():
    governor = Governor(rates=[Gcra(1.0)])
    ask(governor, 0.0, said(30, 60))
    before = governor.state()
    answers = {governor.ready_at(NOW + 1, backlog=100) for _ in range(50)}
    assert len(answers) == 1
    assert governor.state() == before


def test_what_it_says_is_exact():
    governor = Governor()
    ask(governor, 0.0, said(30, 60))
    at = governor.ready_at(NOW + 0.2, backlog=100)
    assert at > NOW + 0.2
    assert governor.ready_at(math.nextafter(at, 0.0), backlog=100) > math.nextafter(at, 0.0)
    assert governor.ready_at(at, backlog=100) <= at


@pytest.mark.parametrize(("mode", "backlog", "waits"), [
    ("auto", 1000, True), ("auto", 30, False), ("smooth", 30, True), ("burst", 1000, False),
])  # fmt: skip
def test_the_modes(mode, backlog, waits):
    governor = Governor(mode=mode)
    ask(governor, 0.0, said(30, 60))
    assert (governor.ready_at(NOW + 0.2, backlog=backlog) > NOW + 0.2) == waits
    assert governor.blocked_by == ("pace" if waits else "")


# ---- giving back, losing ---------------------------------------------------------------------------------------------


def test_what_was_never_sent_is_given_back_to_the_last_bit():
    governor = Governor(rates=[Gcra(1.0)])
    ask(governor, 0.0, said(30, 60))
    before = max(NOW + 5, governor.ready_at(NOW + 5, backlog=100)), governor.state()
    governor.give_back(governor.take(NOW + 5))
    assert (max(NOW + 5, governor.ready_at(NOW + 5, backlog=100)), governor.state()) == before


def test_a_probe_that_was_never_sent_leaves_room_for_another():
    governor = Governor()
    ask(governor, 0.0, said(0, 60))
    at = governor.ready_at(NOW + 1)
    probe = governor.take(at)
    assert governor.ready_at(at) == math.inf
    governor.give_back(probe)
    assert governor.ready_at(at) <= at


def test_a_lost_request_counts_as_spent():
    governor = Governor(mode="burst")
    ask(governor, 0.0, said(2, 60))
    for _ in range(2):
        governor.lost(governor.take(NOW + 1))
    assert governor.inflight == 0
    assert governor.ready_at(NOW + 2) >= NOW + 60


def test_a_failure_without_an_answer_counts_as_spent():
    governor = Governor(mode="burst")
    ask(governor, 0.0, said(1, 60))
    assert ask(governor, 1.0, status=0) == []
    assert governor.ready_at(NOW + 2) >= NOW + 60


def test_who_settles_twice_changes_nothing():
    governor = Governor(mode="burst")
    ask(governor, 0.0, said(10, 60))
    grant = governor.take(NOW + 1)
    governor.give_back(grant)
    governor.lost(grant)
    governor.give_back(grant)
    settle(governor, grant, NOW + 2, said(3, 60))
    assert governor.policies()["p"]["remaining"] == 10
    assert governor.inflight == 0


# ---- refusals --------------------------------------------------------------------------------------------------------


def test_a_stated_wait_is_kept_and_one_probe_goes_first():
    governor = Governor(chance=random.Random(1))
    events = ask(governor, 0.0, Declared(retry_after=30.0), status=429)
    assert kinds(events) == ["refused"]
    at = governor.ready_at(NOW + 1)
    assert 30.1 <= at - NOW <= 31.2
    assert governor.blocked_by == "refusal"
    probe = governor.take(at)
    assert governor.ready_at(at) == math.inf
    assert kinds(settle(governor, probe, at + 0.1)) == ["recovered"]
    assert governor.ready_at(at + 0.2) <= at + 0.2


def test_a_burst_that_is_refused_is_one_refusal():
    governor = Governor(chance=random.Random(1))
    grants = [governor.take(NOW) for _ in range(5)]
    first = settle(governor, grants[0], NOW + 0.1, Declared(retry_after=30.0), status=429)
    until = governor.ready_at(NOW + 0.2)
    rest = [settle(governor, grant, NOW + 0.3, Declared(retry_after=30.0), status=429) for grant in grants[1:]]
    assert (kinds(first), rest) == (["refused"], [[]] * 4)
    assert governor.ready_at(NOW + 1) == until


def test_the_word_of_a_server_is_capped():
    governor = Governor(longest=60.0)
    ask(governor, 0.0, Declared(retry_after=1e9), status=429)
    assert 60 <= governor.ready_at(NOW + 1) - NOW <= 62
    ask(governor, 100.0, said(0, 1e9))
    assert governor.ready_at(NOW + 101) - NOW <= 100.1 + 60


def test_a_wait_that_was_kept_and_yet_too_short_is_a_second_longer_from_then_on():
    governor = Governor(chance=random.Random(1))
    ask(governor, 0.0, Declared(retry_after=10.0), status=429)
    at = governor.ready_at(NOW + 1) - NOW
    ask(governor, at, Declared(retry_after=0.0), status=429)
    assert governor.ready_at(NOW + at + 0.2) - NOW >= at + 1.0
    assert governor.state()["refused"][1] == 1.0


def test_a_server_that_keeps_refusing_after_no_wait_is_asked_ever_more_rarely():
    governor = Governor(chance=random.Random(1))
    at, waits = 0.0, []
    for _ in range(12):
        ask(governor, at, Declared(retry_after=0.0), status=429)
        following = max(at + 0.1, governor.ready_at(NOW + at + 0.1) - NOW)
        waits.append(following - at)
        at = following
    assert waits == sorted(waits)
    assert waits[-1] > 60


def test_a_server_that_refuses_without_a_word_after_its_own_reset_is_asked_ever_more_rarely():
    governor = Governor()
    ask(governor, 0.0, said(0, 60))
    at = governor.ready_at(NOW + 1) - NOW
    for wait in (1, 2, 4, 8, 16, 32, 60, 60):
        assert governor.ready_at(NOW + at) <= NOW + at
        ask(governor, at, status=429)
        at += 0.1 + wait
        assert governor.ready_at(NOW + at - 0.01) == pytest.approx(NOW + at)


def test_a_wait_on_an_answer_that_was_served_is_none():
    governor = Governor()
    ask(governor, 0.0, Declared(retry_after=60.0))
    assert governor.ready_at(NOW + 1) <= NOW + 1


def test_a_refusal_of_a_violated_policy_uses_it_up():
    governor = Governor()
    ask(governor, 0.0, said(30, 60))
    ask(governor, 1.0, Declared(violated=("p",)), status=429)
    assert governor.ready_at(NOW + 2) >= NOW + 60


def test_rule_7_a_refusal_with_quota_left_reveals_a_hidden_policy():
    governor = Governor(mode="burst")
    for second in range(10):
        ask(governor, float(second), said(50, 60 + second))
    ask(governor, 10.0, said(50, 70, retry_after=50.0), status=429)
    at = governor.ready_at(NOW + 11) - NOW
    assert at >= 60
    events = ask(governor, at, said(59, 130))
    assert kinds(events) == ["recovered", "policy_changed"]
    hidden = governor.policies()["hidden"]
    assert (hidden["limit"], hidden["window"], hidden["remaining"]) == (10, 60, 9)


def test_rule_7_a_refusal_beside_which_others_were_served_is_one_of_too_many_at_once():
    governor = Governor()
    grants = [governor.take(NOW) for _ in range(6)]
    settle(governor, grants[5], NOW + 0.1, status=429)
    for grant in grants[:5]:
        settle(governor, grant, NOW + 0.2)
    alone = governor.take(max(NOW + 0.3, governor.ready_at(NOW + 0.3)))
    assert alone.at == NOW + 0.3
    assert kinds(settle(governor, alone, NOW + 0.4)) == ["concurrency", "recovered"]
    assert governor.policies() == {}
    assert governor.ready_at(NOW + 0.5) <= NOW + 0.5


def crowd(*, served: int, out: int) -> tuple[Governor, list[Grant]]:
    """One was refused after 10 ms, some were served after a second, and some that started later are still out."""
    governor = Governor()
    grants = [governor.take(NOW) for _ in range(served + 1)]
    settle(governor, grants.pop(), NOW + 0.01, status=503)
    late = [governor.take(NOW + 0.005) for _ in range(out)]
    for grant in grants:
        settle(governor, grant, NOW + 1.0)
    return governor, late


def test_rule_7_what_is_out_for_longer_than_refusals_take_is_not_waited_for():
    governor, _ = crowd(served=1, out=3)
    assert governor.ready_at(NOW + 1.0) <= NOW + 1.0


def test_rule_7_a_probe_that_is_out_for_longer_than_refusals_take_got_through():
    governor, _ = crowd(served=4, out=0)
    governor.take(NOW + 1.0)
    assert governor.ready_at(NOW + 1.001) == pytest.approx(NOW + 1.0 + 0.05, abs=0.001)
    other = governor.take(NOW + 1.06)
    assert governor.ready_at(NOW + 1.06) <= NOW + 1.06
    events = settle(governor, other, NOW + 1.07, status=503)  # another burst, not a longer one
    assert kinds(events) == ["refused"]
    assert governor.ready_at(NOW + 1.08) <= NOW + 2.2


def test_rule_7_more_refusals_than_successes_are_no_crowd():
    governor = Governor()
    grants = [governor.take(NOW) for _ in range(4)]
    settle(governor, grants[0], NOW + 0.1, status=429)
    settle(governor, grants[1], NOW + 0.11)
    assert governor.ready_at(NOW + 0.12) <= NOW + 0.6
    settle(governor, grants[2], NOW + 0.13, status=429)
    assert governor.ready_at(NOW + 0.14) >= NOW + 1.0


def test_a_lone_503_without_a_word_teaches_nothing_a_second_one_does():
    governor = Governor()
    for n in range(50):
        ask(governor, n / 10, status=503 if n % 10 == 5 else 200)
        assert governor.ready_at(NOW + n / 10 + 0.1) <= NOW + n / 10 + 0.7
    assert governor.policies() == {}
    assert governor.inflight == 0
    ask(governor, 6.0, status=503)
    at = governor.ready_at(NOW + 6.2) - NOW
    ask(governor, max(at, 6.2), status=503)
    assert governor.ready_at(NOW + 6.4) >= NOW + 7.0


def test_rule_8_where_nothing_is_said_probes_search_for_the_window():
    governor = Governor()
    for _ in range(5):
        ask(governor, 0.0)
    at, probes = 0.2, []
    while at < 10.2:
        ask(governor, at, status=429)
        at = governor.ready_at(NOW + at + 0.1) - NOW
        probes.append(round(at, 1))
    assert probes == [1.3, 2.3, 5.3, 10.3]
    ask(governor, at)
    learned = governor.policies()["undeclared"]
    assert (learned["limit"], learned["window"]) == (5, 10)


def test_a_server_that_was_ill_for_a_moment_has_no_limit():
    governor = Governor()
    for second in range(500):
        ask(governor, float(second))
    ask(governor, 500.0, status=429)
    at = governor.ready_at(NOW + 500.2) - NOW
    ask(governor, at)
    assert governor.policies() == {}


def test_rule_9_what_says_nothing_changes_nothing():
    governor = Governor()
    assert ask(governor, 0.0, NOTHING) == []
    assert ask(governor, 0.2, Declared()) == []
    assert governor.state() == {}


# ---- events ----------------------------------------------------------------------------------------------------------


def test_events_are_told_once_a_window():
    governor = Governor(mode="burst")
    told = []
    for left in range(59, -1, -1):
        governor.ready_at(NOW, backlog=1000)
        told += ask(governor, (59 - left) * 0.2, said(left, 60))
    assert sorted(kinds(told)) == ["critical", "forecast", "low"]
    forecast = next(event for event in told if event.kind == "forecast")
    assert forecast.breach_at is not None
    assert NOW < forecast.breach_at < NOW + 60
    assert (forecast.limit, forecast.reset_at) == (60, NOW + 60)
    assert forecast.fits == forecast.remaining
    low = next(event for event in told if event.kind == "low")
    assert low.remaining == 11


def test_no_breach_is_foretold_where_the_backlog_fits():
    governor = Governor(mode="burst")
    told = []
    for left in range(59, 30, -1):
        governor.ready_at(NOW, backlog=1)
        told += ask(governor, (59 - left) * 0.2, said(left, 60))
    assert told == []


def test_a_policy_that_changes_is_told():
    governor = Governor()
    assert ask(governor, 0.0, said(30, 60)) == []
    events = ask(governor, 1.0, said(80, 60, limit=120))
    assert [(event.kind, event.policy, event.limit) for event in events] == [("policy_changed", "p", 120)]


def test_a_policy_that_another_replaces_is_forgotten_when_it_ends():
    governor = Governor()
    ask(governor, 0.0, said(30, 60))
    ask(governor, 1.0, said(30, 60, policy="other"))
    assert set(governor.policies()) == {"p", "other"}
    assert "policy_changed" in kinds(ask(governor, 70.0, said(59, 130, policy="other")))
    assert set(governor.policies()) == {"other"}


def test_a_server_that_invents_policies_does_not_fill_the_memory():
    governor = Governor()
    for number in range(100):
        ask(governor, float(number), said(30, 1000, policy=str(number)))
    assert len(governor.policies()) <= 16
    assert "99" in governor.policies()


# ---- what outlives it ------------------------------------------------------------------------------------------------


def test_nothing_learned_is_nothing_kept():
    governor = Governor()
    for second in range(10):
        ask(governor, float(second))
    assert governor.state() == {}


def test_another_governor_takes_up_where_one_left_off():
    governor = Governor(chance=random.Random(1))
    ask(governor, 0.0, said(0, 60))
    ask(governor, 1.0, Declared(retry_after=30.0), status=429)
    state = json.loads(json.dumps(governor.state()))
    other = Governor()
    other.restore(state)
    assert other.ready_at(NOW + 2) == pytest.approx(governor.ready_at(NOW + 2), abs=0.01)
    assert other.policies() == governor.policies()
    assert other.state() == state


def test_a_learned_limit_is_taken_up_in_the_middle_of_its_window():
    governor = Governor()
    for _ in range(5):
        ask(governor, 0.0)
    ask(governor, 0.2, Declared(retry_after=60.0), status=429)
    at = governor.ready_at(NOW + 1)
    for _ in range(2):
        ask(governor, at - NOW)
    other = Governor()
    other.restore(json.loads(json.dumps(governor.state())))
    assert other.policies()["undeclared"]["remaining"] == 3
    other.resume(at + 1)
    assert other.ready_at(at + 1) >= at + 59
    ask(other, at - NOW + 2, status=429)  # and a refusal at once breaks nothing
    assert at + 2 < other.ready_at(at + 3) < at + 70


def test_a_state_is_small():
    governor = Governor()
    words = tuple(said(30, 60, policy=f"policy-{number}").observations[0] for number in range(5))
    ask(governor, 0.0, Declared(observations=words))
    assert len(json.dumps(governor.state())) < 2048


def test_after_a_run_that_broke_off_a_probe_tells_what_is_left():
    governor = Governor(mode="burst")
    ask(governor, 0.0, said(30, 60))
    governor.resume(NOW + 10)
    at = max(NOW + 10, governor.ready_at(NOW + 10))
    assert at <= NOW + 14
    probe = governor.take(at)
    assert governor.ready_at(at) == math.inf
    settle(governor, probe, at + 0.1, said(12, 60))
    assert governor.policies()["p"]["remaining"] == 12
    assert governor.policies()["p"]["kind"] == "unknown"


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
def test_garbage_is_ignored(state):
    governor = Governor()
    governor.restore(state)
    at = governor.ready_at(NOW)
    assert not math.isnan(at)
    ask(governor, 1.0, said(30, 60))
    json.dumps(governor.state(), allow_nan=False)


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
        st.sampled_from(["take", "take", "give_back", "lost", "settle", "refuse", "fail", "save", "resume"]),
        MOMENTS,
        st.integers(0, 100),
        DECLARED,
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from(["auto", "smooth", "burst"]))
def test_whatever_happens_nothing_raises_and_nothing_leaks(steps, mode):
    governor = Governor(rates=[Gcra(0.1, burst=3)], mode=mode, chance=random.Random(1))
    now, flying = NOW, []
    for what, passed, which, declared in steps:
        now += passed
        assert not math.isnan(governor.ready_at(now, backlog=float(which)))
        if what == "take":
            flying.append(governor.take(now, cost=1.0 + which % 3))
        elif what == "save":
            state = json.loads(json.dumps(governor.state(), allow_nan=False))
            Governor().restore(state)
        elif what == "resume":
            governor.resume(now)
        elif flying:
            grant = flying.pop(which % len(flying))
            if what in {"give_back", "lost"}:
                getattr(governor, what)(grant)
            else:
                status = {"settle": 200, "refuse": 429, "fail": 0}[what]
                governor.settle(
                    grant,
                    AttemptReport(sent=grant.at, received=now, status=status, refused=status == 429, declared=declared),
                )
        assert governor.inflight == len(flying)
        json.dumps(governor.policies(), allow_nan=False)
    for grant in flying:
        governor.lost(grant)
    assert governor.inflight == 0
    assert governor._flight.units == 0.0
    assert governor.ready_at(now + 1e6) < math.inf


@given(st.lists(st.tuples(MOMENTS, st.integers(1, 5)), max_size=40), st.integers(1, 60), st.sampled_from([1.0, 3.0]))
def test_a_declared_quota_is_never_overspent(steps, limit, cost):
    """A server with fixed windows of a minute and exact words, alone with us, never has to refuse."""
    governor = Governor(mode="burst")
    now, opened, used = NOW, -math.inf, 0.0
    for passed, count in steps:
        now += passed
        known = governor.policies() != {}
        asked = count if known else 1
        flying = [governor.take(now, cost=cost) for _ in range(asked) if governor.ready_at(now, cost=cost) <= now]
        for grant in flying:
            if now >= opened + 60:
                opened, used = now, 0.0
            used += cost
            assert used <= max(limit, cost)
            end = opened + 60
            left = max(0.0, limit - used)
            words = Observation(policy="p", limit=limit, remaining=left, reset=(end, end), window=60.0)
            exchange = AttemptReport(sent=now, received=now, status=200, declared=Declared(observations=(words,)))
            governor.settle(grant, exchange)


def test_a_thousand_steps_in_any_order_leave_nothing_behind():
    chance = random.Random(7)
    governor = Governor(rates=[Gcra(0.01)], chance=chance)
    ask(governor, 0.0, said(1000, 60, limit=1000))
    flying: list[Grant] = []
    for step in range(1000):
        if len(flying) < 20 and chance.random() < 0.5:
            flying.append(governor.take(NOW + step * 0.01))
        elif flying:
            grant = flying.pop(chance.randrange(len(flying)))
            chance.choice([governor.give_back, governor.lost, lambda grant: settle(governor, grant, NOW + 60)])(grant)
    for grant in flying:
        governor.give_back(grant)
    assert governor.inflight == 0
    assert governor._flight.units == 0.0


# ---- cost ------------------------------------------------------------------------------------------------------------


def test_a_governor_that_knows_nothing_costs_next_to_nothing():
    """Two microseconds are what it takes on a slow machine; the bound leaves room for a busy one."""
    governor, exchange = Governor(), AttemptReport(sent=NOW, received=NOW, status=200)

    def request() -> None:
        governor.ready_at(NOW)
        governor.settle(governor.take(NOW), exchange)

    assert min(timeit.repeat(request, number=2000, repeat=20)) / 2000 < 10e-6


def test_an_idle_governor_takes_less_than_a_kilobyte():
    tracemalloc.start()
    try:
        kept = [Governor() for _ in range(200)]
        for governor in kept:
            ask(governor, 0.0)
        assert tracemalloc.get_traced_memory()[0] / len(kept) < 1024
    finally:
        tracemalloc.stop()


def test_what_an_earlier_run_has_learned_is_no_hindrance_to_learn_more():
    """The first refusal of a run that knows of an earlier one: what is counted began with this run."""
    earlier = Governor()
    ask(earlier, 0.0, status=429)
    governor = Governor()
    governor.restore(json.loads(json.dumps(earlier.state())))
    for n in range(20):
        ask(governor, 100.0 + n, status=200)
    at = 120.0
    for _ in range(20):
        if governor.policies():
            break
        ask(governor, at, status=429)
        at = governor.ready_at(NOW + at + 0.1) - NOW
        ask(governor, at)
        at += 0.2
    [policy] = governor.policies().values()
    assert policy["limit"] >= 1
    assert policy["window"] > 0
