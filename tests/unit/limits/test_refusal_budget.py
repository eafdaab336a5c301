"""`RefusalBudget`: a tenth of the requests may be refused, and nothing is sent to a server that refuses everything."""

from __future__ import annotations

import math

import pytest

from crawler.limits.refusal_budget import RefusalBudget

NOW = 1_800_000_000.0


def refuse(budget: RefusalBudget, at: float, *, overloaded: bool = False, stated: float = 0.0) -> float:
    """Return the seconds after `NOW` until which nothing may start."""
    return budget.record_refusal(NOW + at, overloaded=overloaded, stated_wait=stated) - NOW


def test_requests_served_since_the_first_refusal_are_counted_whenever_they_started():
    budget = RefusalBudget()
    budget.record_served(1.0)
    assert (budget.served, budget.served_start) == (0, 1.0)
    budget.record_refusal(3.0, overloaded=False, stated_wait=0.0)
    for number in range(40):
        budget.record_served(2.0 if number < 20 else 4.0)
    assert (budget.served, budget.served_start) == (40, 4.0)


def test_after_twenty_refusals_each_further_one_is_followed_by_ten_seconds() -> None:
    budget = RefusalBudget()
    assert [refuse(budget, 0.0) for _ in range(20)] == [-math.inf] * 20
    assert refuse(budget, 5.0) == 15.0


def test_ten_served_requests_pay_for_a_refused_one() -> None:
    budget = RefusalBudget()
    for _ in range(20):
        refuse(budget, 0.0)
    for _ in range(11):
        budget.record_served(0.0)
    assert refuse(budget, 1.0) == -math.inf
    assert refuse(budget, 1.0) == 11.0


@pytest.mark.parametrize(
    ("served", "overloaded", "patience"), [(False, False, 900.0), (True, True, 900.0), (True, False, 90_000.0)]
)
def test_a_server_that_refuses_everything_stalls(served: bool, overloaded: bool, patience: float) -> None:
    budget = RefusalBudget()
    if served:
        budget.record_served(0.0)
    refuse(budget, 0.0, overloaded=overloaded)
    refuse(budget, patience - 1.0, overloaded=overloaded)
    assert budget.stalled_until == -math.inf
    refuse(budget, patience, overloaded=overloaded)
    assert budget.stalled_until == NOW + patience + 900.0
    refuse(budget, patience + 1000.0, overloaded=overloaded)
    assert budget.stalled_until == NOW + patience + 1900.0, "a probe that is refused begins no new patience"
    budget.record_served(0.0)
    assert budget.stalled_until == -math.inf


@pytest.mark.parametrize("overloaded", [False, True])
def test_a_server_whose_limit_was_learned_may_refuse_for_eight_windows_more(overloaded: bool) -> None:
    budget = RefusalBudget()
    for at in (0.0, 5699.0, 5700.0):
        assert budget.stalled_until == -math.inf
        budget.record_refusal(NOW + at, overloaded=overloaded, stated_wait=0.0, window=600.0)
    assert budget.stalled_until == NOW + 6600.0


def test_a_stated_wait_is_not_a_stall() -> None:
    budget = RefusalBudget()
    refuse(budget, 0.0, stated=1000.0)
    refuse(budget, 1000.0)
    assert budget.stalled_until == -math.inf


def test_stated_waits_that_are_always_broken_count() -> None:
    budget = RefusalBudget()
    now = 0.0
    while budget.stalled_until == -math.inf:
        for _ in range(8):  # those in flight together
            refuse(budget, now, stated=10.0)
        now += 60.0
    assert 20 * 60.0 <= now <= 25 * 60.0
    budget = RefusalBudget()
    for hour in range(15):
        refuse(budget, hour * 3600.0, stated=3600.0)
    assert budget.stalled_until == -math.inf, "fifteen hours of maintenance"


def test_everything_is_refused_only_without_a_success() -> None:
    budget = RefusalBudget()
    refuse(budget, 0.0)
    assert not budget.refuses_all
    refuse(budget, 1.0)
    assert budget.refuses_all
    budget.record_served(0.0)
    assert not budget.refuses_all


def test_waits_in_vain_and_requests_given_up_in_a_row_are_counted_up_to_ten() -> None:
    budget = RefusalBudget()
    for _ in range(2000):
        budget.give_up(1)
    assert budget.given_up == 10
    for at in range(2000):
        refuse(budget, float(at))
        budget.give_up(1)
        budget.record_served(float(at))
    assert (budget.waits_in_vain, budget.given_up) == (10, 0)
