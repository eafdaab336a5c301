"""`Refusals`: how long to wait after a burst of refusals, and what it reveals."""

from __future__ import annotations

import math

import pytest

from crawler.limits.learning.limit_search import LimitSearch
from crawler.limits.learning.refusals import Refusals

NOW = 1_800_000_000.0


def refuse(refusals: Refusals, at: float, *, retry_after: float | None = None, took: float = 0.1) -> bool:
    """Refuse a request sent `at` seconds after `NOW`."""
    return refusals.record_refusal(NOW + at, NOW + at, NOW + at + took, retry_after=retry_after, jitter=0.0)


def serve(refusals: Refusals, at: float, *, took: float = 0.1) -> str:
    """Serve a request sent `at` seconds after `NOW`; what that ends."""
    return refusals.record_success(NOW + at, NOW + at, NOW + at + took, 1.0)[0]


def search(refusals: Refusals, served: float = 5.0) -> None:
    refusals.search = LimitSearch(name="undeclared", since=NOW - 1, served=served, started=NOW)


def test_the_stated_wait_is_kept():
    refusals = Refusals()
    assert refuse(refusals, 0.0, retry_after=30.0)
    assert refusals.gate == NOW + 30.1
    assert refusals.probing


def test_requests_in_flight_at_the_first_refusal_belong_to_one_burst():
    refusals = Refusals()
    assert refuse(refusals, 0.0, retry_after=30.0)
    assert not refuse(refusals, 0.05, retry_after=30.0, took=0.3)
    assert (refusals.bursts, refusals.gate) == (1, NOW + 30.1)


def test_a_later_refusal_of_a_burst_extends_the_wait_only_if_it_states_a_later_end():
    refusals = Refusals()
    refuse(refusals, 0.0, retry_after=30.0)
    refuse(refusals, 0.05, retry_after=60.0)
    assert refusals.gate == pytest.approx(NOW + 60.15, abs=0.001)


@pytest.mark.parametrize(("first", "later", "ends_at"), [(30.0, 30.0, 30.1), (30.0, 30.25, 30.4), (30.5, 31.0, 30.6)])
def test_a_wait_in_whole_seconds_may_be_rounded_and_states_no_later_end(first, later, ends_at):
    refusals = Refusals()
    refuse(refusals, 0.0, retry_after=first)
    refuse(refusals, 0.05, retry_after=later)
    assert refusals.gate == pytest.approx(NOW + ends_at, abs=0.001)


def test_a_second_is_added_if_the_stated_wait_was_kept_and_too_short():
    refusals = Refusals()
    refuse(refusals, 0.0, retry_after=10.0)
    refuse(refusals, 10.2, retry_after=10.0)
    assert refusals.margin == 1.0
    assert refusals.gate == pytest.approx(NOW + 10.3 + 11.0, abs=0.001)


def test_waits_grow_if_the_server_keeps_refusing_after_the_waits_that_it_states():
    refusals, at, waits = Refusals(), 0.0, []
    for _ in range(12):
        refuse(refusals, at, retry_after=0.0)
        waits.append(round(refusals.gate - NOW - at - 0.1, 6))
        at = refusals.gate - NOW + 0.01
    assert waits == [0, 1, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_without_a_known_limit_waits_double_up_to_a_minute():
    refusals, at, waits = Refusals(), 0.0, []
    for _ in range(8):
        refuse(refusals, at)
        refusals.back_off(NOW + at)
        waits.append(refusals.gate - NOW - at)
        at = refusals.gate - NOW + 1.0
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_nothing_shortens_a_stated_wait():
    refusals = Refusals()
    refuse(refusals, 0.0, retry_after=30.0)
    refusals.suspect_concurrency(NOW + 1)
    assert refusals.gate == NOW + 30.1
    refusals.forget()
    assert refusals.gate == NOW + 30.1


def test_refusals_in_a_row_may_be_chance_if_as_many_come_at_random():
    refusals = Refusals()
    refuse(refusals, 0.0)
    assert not refusals.may_be_chance(0.0)
    assert not refusals.may_be_chance(0.01)
    assert refusals.may_be_chance(0.05)
    refuse(refusals, 0.2)
    assert not refusals.may_be_chance(0.05)
    assert refusals.may_be_chance(0.3)
    serve(refusals, 0.05)  # beside them
    assert refusals.may_be_chance(0.05)


def test_several_refusals_in_a_row_prove_a_limit():
    for refused in (1, 2):
        refusals = Refusals()
        for n in range(refused):
            refuse(refusals, n / 5)
        serve(refusals, 1.0)
        assert refusals.was_proven is (refused == 2)


def test_a_success_after_the_wait_ends_it():
    refusals = Refusals()
    refuse(refusals, 0.0, retry_after=30.0)
    assert serve(refusals, 30.2) == "wait"
    assert (refusals.gate, refusals.bursts, refusals.probing) == (-math.inf, 0, False)


def test_a_success_that_was_in_flight_ends_nothing():
    refusals = Refusals()
    refuse(refusals, 0.0, retry_after=30.0)
    assert serve(refusals, 0.05, took=0.3) == ""
    assert refusals.gate == NOW + 30.1


def test_the_search_finds_a_limit_when_its_probe_is_served():
    refusals = Refusals()
    refuse(refusals, 0.0)
    search(refusals)
    refusals.wait_for_search(NOW, NOW + 0.1, first=True, retry_after=None)
    assert NOW < refusals.gate <= NOW + 1.4
    ended, found = refusals.record_success(refusals.gate, refusals.gate, refusals.gate + 0.1, 1.0)
    assert ended == "wait"
    assert (found.limit, found.window.length) == (5.0, 2.0)
    assert refusals.max_in_flight() == 1.0
    for n in range(8):
        serve(refusals, 3.0 + n)
    assert refusals.max_in_flight() == 3.0


def test_a_refusal_while_others_are_served_reveals_no_limit():
    refusals = Refusals()
    refuse(refusals, 0.0)
    search(refusals)
    for _ in range(2):
        serve(refusals, 0.01)
    assert refusals.record_success(NOW + 1, NOW + 1, NOW + 1.1, 1.0) == ("wait", None)


def test_concurrency_is_suspected_if_most_requests_in_flight_were_served():
    refusals = Refusals()
    refuse(refusals, 0.0)
    search(refusals)
    assert not refusals.may_be_concurrency(NOW + 0.2)
    serve(refusals, 0.01)
    assert refusals.may_be_concurrency(NOW + 0.2)
    refusals.suspect_concurrency(NOW + 0.6)
    assert refusals.gate == NOW + 0.6
    assert not refusals.may_be_concurrency(NOW + 0.7)
    assert serve(refusals, 0.6) == "concurrency"


def test_more_refusals_than_successes_end_the_suspicion():
    refusals = Refusals()
    refuse(refusals, 0.0)
    search(refusals)
    serve(refusals, 0.01)
    refusals.wait_for_search(NOW, NOW + 0.1, first=True, retry_after=None)
    gate = refusals.gate
    refusals.suspect_concurrency(NOW + 0.6)
    refuse(refusals, 0.02)
    assert refusals.gate == gate


def test_a_refusal_long_after_a_request_alone_might_have_gone_is_again_the_first():
    refusals = Refusals()
    refuse(refusals, 0.0, took=0.01)
    refusals.suspect_concurrency(NOW + 0.1)
    refuse(refusals, 5.0, took=0.01)
    assert refusals.bursts == 1
    refusals.suspect_concurrency(NOW + 5.1)
    refuse(refusals, 5.1, took=0.01)  # this is the request alone
    assert refusals.bursts == 2


def test_a_request_alone_that_is_held_back_and_refused_ends_the_suspicion():
    refusals = Refusals()
    refuse(refusals, 0.0, took=0.01)
    search(refusals)
    refusals.suspect_concurrency(NOW + 0.5)
    refusals.delay_probe(NOW + 10.0)
    refuse(refusals, 10.0, took=0.01)
    assert refusals.bursts == 2
    refusals.reject_concurrency()
    assert not refusals.suspects_concurrency


def test_one_request_or_an_open_burst_leaves_the_reason_undecided():
    refusals = Refusals()
    refuse(refusals, 0.0)
    assert refusals.is_undecided(False)
    refuse(refusals, 0.01)
    assert not refusals.is_undecided(False)
    assert refusals.is_undecided(True)


@pytest.mark.parametrize(
    ("retry_after", "untried", "is_certain"), [(30.0, False, True), (30.0, True, False), (None, False, False)]
)
def test_a_limit_behind_a_refusal_that_states_a_wait_is_certain_unless_few_were_served_at_so_many_in_flight(
    retry_after, untried, is_certain
):
    refusals = Refusals(untried=untried)
    refuse(refusals, 0.0, retry_after=retry_after)
    search(refusals)
    refusals.wait_for_search(NOW, NOW + 0.1, first=True, retry_after=retry_after)
    _, found = refusals.record_success(refusals.gate, refusals.gate, refusals.gate + 0.1, 1.0)
    assert found is not None
    assert (found.certain, not found.is_weak) == (is_certain, is_certain)


def test_units_are_compared_from_the_last_refusal_if_enough_were_served():
    refusals = Refusals()
    refuse(refusals, 0.0)
    refusals.compare_from(NOW, 20.0)
    assert (refusals.bucket_full_at, refusals.served_before) == (NOW, 20.0)
    for n in range(4):
        serve(refusals, 1.0 + n / 10)
    refusals.compare_from(NOW + 2, 4.0)
    assert (refusals.bucket_full_at, refusals.served_before, refusals.served_since) == (NOW + 2, 4.0, 0.0)
