"""`Replenishment`: how units return."""

from __future__ import annotations

import math

import attrs
import pytest

from crawler.limits.quotas.replenishment import Replenishment
from crawler.limits.quotas.sample import QuotaSample
from crawler.limits.quotas.time_interval import TimeInterval

LIMIT = 20.0


def sample(remaining: float, now: float, reset: TimeInterval | None, *, refused: bool = False) -> QuotaSample:
    return QuotaSample(
        remaining=remaining,
        reset=reset,
        sent=now - 0.01,
        received=now,
        cost=1.0,
        inflight=0.0,
        causal=True,
        refused=refused,
        disrupted=refused,
    )


def vote(replenishment: Replenishment, before: float, remaining: float, *, passed: float) -> None:
    """Vote on a window that was to end after `passed` seconds, when units returned."""
    replenishment.vote(
        sample(remaining, 100.0 + passed, None),
        before=before,
        updated_at=100.0,
        reset=TimeInterval(100.0, 100.0 + passed),
        limit=LIMIT,
        interval=1.0,
    )


@pytest.mark.parametrize(("in_flight", "kind"), [(0.0, "continuous"), (10.0, "fixed")])
def test_units_in_flight_when_a_window_begins_were_restored_as_well(in_flight, kind):
    """The probe was overtaken by the others of its window."""
    replenishment = Replenishment()
    replenishment.vote(
        attrs.evolve(sample(0.0, 110.0, None), inflight=in_flight),
        before=0.0,
        updated_at=100.0,
        reset=TimeInterval(100.0, 110.0),
        limit=LIMIT,
        interval=1.0,
    )
    assert replenishment.kind == kind


@pytest.mark.parametrize(
    ("units", "seconds", "interval", "kind"),
    [
        (2.0, 3.2, 1.0, "continuous"),
        (20.0, 22.0, 1.0, "continuous"),
        (1.0, 2.0, 1.0, "unknown"),
        (3.0, 30.0, 1.0, "unknown"),
        (8.0, 0.5, 1.0, "unknown"),
        (3.0, 3.0, None, "unknown"),
    ],
)
def test_as_many_units_as_the_rate_predicts_return_until_a_window_is_used_up(units, seconds, interval, kind):
    replenishment = Replenishment()
    replenishment.record_returned(units, seconds, interval)
    assert replenishment.kind == kind


def test_half_the_quota_or_more_at_once_is_a_vote_for_fixed_windows():
    replenishment = Replenishment()
    vote(replenishment, 0.0, 19.0, passed=2.0)
    assert replenishment.kind == "fixed"


def test_almost_nothing_at_the_reset_is_a_vote_for_continuous_replenishment():
    replenishment = Replenishment()
    vote(replenishment, 0.0, 1.0, passed=2.0)
    assert replenishment.kind == "continuous"


def test_the_latest_evidence_prevails_after_a_few_votes():
    replenishment = Replenishment()
    for _ in range(10):
        vote(replenishment, 0.0, 19.0, passed=2.0)
    for _ in range(4):
        replenishment.vote_continuous(1)
    assert replenishment.continuous_votes == replenishment.fixed_votes == 3
    vote(replenishment, 0.0, 19.0, passed=2.0)
    assert replenishment.kind == "fixed"


def test_many_units_after_a_long_time_do_not_contradict_continuous_replenishment():
    replenishment = Replenishment(continuous_votes=1)
    vote(replenishment, 0.0, 19.0, passed=60.0)
    assert replenishment.kind == "continuous"


def test_units_of_fixed_windows_do_not_return_one_by_one():
    fixed = Replenishment(fixed_votes=1)
    assert fixed.restored_at(1.0, updated_at=100.0, interval=1.0) == math.inf


def test_units_return_at_the_rate_unless_one_was_refused_before_the_reset():
    for replenishment in Replenishment(rate=0.5), Replenishment(continuous_votes=1):
        assert replenishment.restored_at(2.0, updated_at=100.0, interval=2.0) == pytest.approx(104.0)
    replenishment.before_reset = False
    assert replenishment.restored_at(2.0, updated_at=100.0, interval=2.0) == math.inf


def test_probes_are_delayed_only_while_the_kind_is_unknown():
    assert Replenishment().probe_delay(1.0, 60.0) == pytest.approx(1.1)
    assert Replenishment().probe_delay(60.0, 60.0) == pytest.approx(3.0)
    assert Replenishment().probe_delay(None, 60.0) == 0.0
    assert Replenishment(fixed_votes=1).probe_delay(1.0, 60.0) == 0.0


def test_an_assumed_rate_that_responses_contradict_is_replaced_by_the_measured_one():
    """A bucket of 20 that returns two units a second; a window of a second was assumed, that is twenty units."""
    replenishment, tokens = Replenishment(continuous_votes=1), LIMIT
    for number in range(60):
        tokens += 0.2 * (number > 0)
        if tokens >= 1.0:
            tokens -= 1.0
            replenishment.check_interval(sample(float(int(tokens)), 100.0 + number / 10, None), LIMIT, 0.05)
    assert 0.5 <= replenishment.shortest_interval <= 0.6
    assert replenishment.rate is None  # units that return one window after their use do not return at that rate


def test_an_assumed_rate_that_responses_confirm_is_kept():
    replenishment, tokens = Replenishment(continuous_votes=1), LIMIT
    for number in range(60):
        tokens += 0.2 * (number > 0)
        if tokens >= 1.0:
            tokens -= 1.0
            replenishment.check_interval(sample(float(int(tokens)), 100.0 + number / 10, None), LIMIT, 0.5)
    assert replenishment.shortest_interval == 0.0


def bucket(replenishment: Replenishment, *, interval: float | None, refused_at: float = math.inf) -> None:
    """A bucket of twenty that returns a unit every two seconds, while one is assumed to return in `interval`."""
    tokens = LIMIT
    for number in range(40):
        now = 100.0 + number
        tokens = min(LIMIT, tokens + 0.5 * (number > 0))
        refused = tokens < 1.0
        if not refused or now >= refused_at:
            tokens -= not refused
            replenishment.check_interval(sample(float(int(tokens)), now, None, refused=refused), LIMIT, interval)


def test_an_interval_is_measured_where_neither_a_window_nor_a_reset_is_stated():
    replenishment = Replenishment(continuous_votes=1)
    bucket(replenishment, interval=None)
    assert 2.0 <= replenishment.shortest_interval <= 2.5


def test_a_rate_at_which_a_request_is_refused_needs_less_to_be_contradicted():
    """It is assumed to be 1.6 times as high as it is."""
    replenishment = Replenishment(continuous_votes=1)
    bucket(replenishment, interval=1.25)
    assert replenishment.shortest_interval == 0.0
    bucket(replenishment, interval=1.25, refused_at=0.0)
    assert 2.0 <= replenishment.shortest_interval <= 2.5


def test_a_refusal_that_states_when_units_return_ends_a_measurement():
    replenishment = Replenishment(continuous_votes=1)
    for number in range(40):
        stated = TimeInterval(200.0, 200.0)
        refused = number % 4 == 3
        replenishment.check_interval(sample(0.0, 100.0 + 2.0 * number, stated, refused=refused), LIMIT, 0.5)
    assert replenishment.shortest_interval == 0.0


@pytest.mark.parametrize(
    ("before", "remaining", "kind"),
    [
        (10.0, 11.0, "continuous"),  # two have returned, one of which this request has spent
        (10.0, 19.0, "fixed"),  # all have
        (8.0, 15.0, "fixed"),  # so many are no unit or two
    ],
)
def test_units_that_return_while_many_are_left_return_one_by_one(before, remaining, kind):
    replenishment = Replenishment(fixed_votes=kind == "fixed")
    vote(replenishment, before, remaining, passed=5.0)
    assert replenishment.kind == kind


@pytest.mark.parametrize(("limit", "kind"), [(3.0, "continuous"), (2.0, "unknown")])
def test_a_probe_that_is_served_and_leaves_nothing_shows_that_units_return_one_by_one(limit, kind):
    replenishment = Replenishment()
    replenishment.vote(
        sample(0.0, 110.0, None), before=0.0, updated_at=100.0, reset=TimeInterval(), limit=limit, interval=None
    )
    assert replenishment.kind == kind
