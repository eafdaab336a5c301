"""`RefusalBudget`: a tenth of the requests may be refused, and nothing is sent to a server that refuses everything."""

from __future__ import annotations

import math

import pytest

from crawler.limits.refusal_budget import RefusalBudget

NOW = 1_800_000_000.0


def refuse(budget: RefusalBudget, at: float, *, overloaded: bool = False, stated: float = 0.0) -> float:
    """Return the seconds after `NOW` until which nothing may start."""
    return budget.record_refusal(NOW + at, overloaded=overloaded, stated_wait=stated) - NOW


def test_it_is_known_when_the_latest_request_started_that_was_served_since_a_refusal() -> None:
    budget = RefusalBudget()
    budget.record_served(1.0)
    budget.record_served(2.0)
    assert budget.served_start == 1.0, "nothing was refused"
    refuse(budget, 3.0)
    for started in (5.0, 4.0):
        budget.record_served(started)
    assert budget.served_start == 5.0


def test_after_twenty_refusals_each_further_one_is_followed_by_a_wait_that_doubles() -> None:
    budget = RefusalBudget()
    assert [refuse(budget, 0.0) for _ in range(20)] == [-math.inf] * 20
    assert [refuse(budget, at) for at in (5.0, 15.0, 35.0, 75.0)] == [15.0, 35.0, 75.0, 155.0]
    assert [refuse(budget, at) for at in (155.0, 315.0)] == [315.0, 600.0], "the last try, after which it is given up"
    budget.record_served(0.0)
    assert refuse(budget, 616.0) == 626.0


def test_requests_that_were_in_flight_when_one_was_refused_lengthen_its_wait_no_further() -> None:
    budget = RefusalBudget()
    assert [refuse(budget, 0.0) for _ in range(20)] == [-math.inf] * 20
    assert [refuse(budget, at) for at in (5.0, 5.1, 5.2, 14.9)] == [15.0] * 4


def test_ten_served_requests_pay_for_a_refused_one() -> None:
    budget = RefusalBudget()
    for _ in range(20):
        refuse(budget, 0.0)
    for _ in range(11):
        budget.record_served(0.0)
    assert refuse(budget, 1.0) == -math.inf
    assert refuse(budget, 1.0) == 11.0


@pytest.mark.parametrize(
    ("served", "overloaded", "patience"),
    [(False, False, 600.0), (False, True, 600.0), (True, True, 5_400.0), (True, False, 90_000.0)],
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


@pytest.mark.parametrize(("requests", "is_due"), [(1, True), (2, True), (3, False)])
def test_few_refused_requests_that_are_left_are_due_to_their_pages(requests: int, is_due: bool) -> None:
    budget = RefusalBudget()
    budget.record_served(NOW)
    for _ in range(requests):
        budget.record_refusal(NOW, overloaded=True, stated_wait=0.0, status=503)
        budget.note_first_refusal()
    assert not budget.is_due_to_page(NOW + 74.0)
    assert budget.is_due_to_page(NOW + 75.0) is is_due
    budget.record_refusal(NOW, overloaded=False, stated_wait=0.0, status=429)
    assert not budget.is_due_to_page(NOW + 75.0), "a 429 is that of a limit"


def test_a_server_that_has_served_nothing_is_not_taken_for_one_with_broken_pages() -> None:
    budget = RefusalBudget()
    budget.record_refusal(NOW, overloaded=True, stated_wait=0.0, status=503)
    assert not budget.is_due_to_page(NOW + 599.0)


# ---- 403 that says nothing -------------------------------------------------------------------------------------------


def test_each_run_of_forbidden_pages_that_is_longer_than_any_before_is_checked() -> None:
    budget = RefusalBudget()
    budget.record_served(NOW)
    assert [budget.suspects_ban() for _ in range(3)] == [True] * 3
    budget.explain_forbidden()
    assert [budget.suspects_ban() for _ in range(5)] == [False] * 3 + [True] * 2
    budget.record_served(NOW + 1.0)
    assert [budget.suspects_ban() for _ in range(7)] == [False] * 6 + [True]


def test_a_page_that_is_asked_for_again_ends_no_run_of_forbidden_pages() -> None:
    budget = RefusalBudget()
    budget.record_served(NOW)
    assert budget.suspects_ban()
    budget.is_rechecking = True
    budget.record_served(NOW + 1.0)
    budget.explain_forbidden()
    assert [budget.suspects_ban() for _ in range(2)] == [False, True]


def test_a_server_refuses_until_something_is_served_that_started_after_the_refusal() -> None:
    budget = RefusalBudget()
    budget.record_served(NOW)
    assert not budget.is_refusing()
    budget.record_refusal(NOW + 1.0, overloaded=False, stated_wait=0.0, status=429)
    budget.record_served(NOW + 0.9)
    assert budget.is_refusing()
    budget.record_served(NOW + 1.1)
    assert not budget.is_refusing()


def test_a_ban_is_waited_for_as_a_503() -> None:
    budget = RefusalBudget()
    budget.record_served(NOW)
    assert budget.suspects_ban()
    budget.record_refusal(NOW + 3.0, overloaded=False, stated_wait=0.0, status=403)
    budget.record_refusal(NOW + 5_402.0, overloaded=False, stated_wait=0.0, status=403)
    assert budget.stalled_until == -math.inf
    budget.record_refusal(NOW + 5_403.0, overloaded=False, stated_wait=0.0, status=403)
    assert budget.stalled_until > NOW + 5_403.0
