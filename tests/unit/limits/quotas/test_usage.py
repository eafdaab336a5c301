"""`QuotaUsage`: what other clients use, and what one of our requests costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.headers.declared import Observation
from crawler.limits.quotas.declared_quota import DeclaredQuota
from crawler.limits.quotas.usage import QuotaUsage

NOW = 1_800_000_000.0


def test_units_that_are_gone_and_were_not_used_by_us_were_used_by_others():
    usage = QuotaUsage()
    usage.start_window(100.0, 0.0, None)
    usage.update(79.0, 15.0, 1.0, 0.0)
    assert usage.others == pytest.approx(20 / (15 + 5))  # five seconds without use are assumed before the first


def test_each_request_costs_a_hundred_units_if_all_that_is_used_is_always_a_multiple():
    usage = QuotaUsage()
    usage.start_window(900.0, 0.0, 100.0)
    for number in (1, 2, 3):
        assert usage.average_cost(1.0) == 1.0
        usage.check_unit(100.0 * number)
        usage.spend(1.0 if number < 3 else 0.0)
    assert usage.average_cost(1.0) == 100.0


def test_units_that_others_used_are_no_cost_of_a_request():
    usage = QuotaUsage()
    usage.start_window(900.0, 0.0, 100.0)
    for used in (100.0, 201.0, 302.0, 403.0):
        usage.check_unit(used)
        usage.spend(1.0)
    assert usage.average_cost(1.0) == 1.0


def test_another_client_that_keeps_in_step_for_a_while_is_no_cost_of_a_request():
    usage = QuotaUsage()
    usage.start_window(58.0, 0.0, 2.0)
    for number in range(1, 15):
        usage.check_unit(2.0 * number)
        usage.spend(1.0)
    assert usage.average_cost(1.0) == 2.0
    usage.start_window(59.0, 60.0, 1.0)
    usage.check_unit(1.0)
    assert usage.average_cost(1.0) == 1.0
    assert usage.counts_requests


def test_what_another_client_uses_after_a_refuted_cost_is_measured_from_there():
    usage = QuotaUsage()
    usage.start_window(998.0, 0.0, 2.0)
    usage.check_unit(2.0)
    remaining = 998.0
    for second in range(1, 91):
        remaining -= 3.0 if second == 31 else 2.0
        usage.update(remaining, float(second), 1.0, 0.0)
        usage.check_unit(1000.0 - remaining)
    assert 0.8 < usage.others < 1.1


def test_a_server_that_counts_in_steps_of_ten_requests_counts_requests():
    usage = QuotaUsage()
    usage.start_window(100.0, 0.0, 0.0)
    for number in range(1, 60):
        usage.spend(1.0)
        usage.check_unit(10.0 * (number // 10))
    assert usage.average_cost(1.0) == 1.0


def test_many_requests_take_their_average_cost_and_those_in_flight_somewhat_more():
    usage = QuotaUsage(counts_requests=False, cost_per_request=400.0, cost_deviation=100.0)
    assert usage.average_cost(1.0) == 400.0
    assert usage.expected_cost(1.0) == 600.0
    assert usage.units_in_flight(0, 0.0) == 0.0
    assert usage.units_in_flight(8, 8.0) == 8 * 400.0 + 2 * 200.0
    assert QuotaUsage().average_cost(3.0) == 3.0


def test_units_return_in_a_window_if_more_were_used_than_are_missing():
    usage = QuotaUsage()
    usage.start_window(100.0, 10.0, None)
    usage.update(99.0, 11.0, 1.0, 0.0)
    usage.update(99.0, 12.0, 1.0, 0.0)
    assert usage.returned(99.0, 12.0) == (1.0, 2.0)


def test_less_than_a_unit_per_window_counts_as_chance():
    usage = QuotaUsage(others=0.01)
    assert usage.rate_of_others(60.0) == 0.0
    assert usage.rate_of_others(3600.0) == 0.01


def test_units_are_reserved_only_if_others_use_the_quota():
    usage = QuotaUsage(round_trip=1.0)
    assert usage.reserve(0.0) == 0.0
    assert usage.reserve(4.0) == 5.0


def test_the_use_of_others_in_earlier_windows_is_forgotten_slowly():
    usage = QuotaUsage()
    usage.start_window(100.0, 0.0, None)
    usage.update(0.0, 60.0, 1.0, 0.0)
    rates = [usage.others]
    for window in range(1, 6):
        usage.start_window(100.0, 60.0 * window, None)
        usage.update(99.0, 60.0 * window + 50.0, 1.0, 0.0)
        rates.append(usage.others)
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.1 * rates[0]


def test_a_burst_of_others_does_not_count_for_more_than_a_whole_quota_in_the_next_window():
    usage = QuotaUsage()
    usage.start_window(59.0, 0.0, 1.0)
    usage.update(19.0, 2.0, 1.0, 0.0)
    assert usage.others > 5.0
    usage.start_window(59.0, 60.0, 1.0, max_others=1.0)
    assert usage.rate_of_others(60.0) == 1.0


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 3)), min_size=1, max_size=20))
def test_a_client_that_is_alone_sees_no_others(steps):
    usage, remaining, now = QuotaUsage(), 1000.0, 0.0
    usage.start_window(remaining, now, None)
    for passed, cost in steps:
        now, remaining = now + passed, remaining - cost
        usage.update(remaining, now, cost, 0.0)
    assert usage.others == pytest.approx(0.0, abs=1e-9)


def test_the_round_trip_is_a_moving_average():
    usage = QuotaUsage()
    usage.record_round_trip(1.0)
    assert usage.round_trip == 1.0
    usage.record_round_trip(2.0)
    assert usage.round_trip == pytest.approx(1.2)


def test_a_counted_request_costs_its_grant():
    usage = QuotaUsage()
    assert usage.expected_cost(3.0) == 3.0
    assert usage.units_in_flight(2, 5.0) == 5.0


def test_units_that_return_in_between_do_not_hide_the_cost_of_a_request():
    usage, remaining = QuotaUsage(counts_requests=False), 1000.0
    usage.start_window(remaining, 0.0, None)
    for step in range(1, 20):
        remaining += 10.0 * 3.0 - 40.0
        usage.update(remaining, 3.0 * step, 1.0, 0.0, rate=10.0)
    assert usage.average_cost(1.0) == pytest.approx(40.0)


def test_a_response_that_was_overtaken_shows_no_cost_but_its_request_counts():
    usage = QuotaUsage(counts_requests=False)
    usage.start_window(1000.0, 0.0, None)
    usage.update(900.0, 1.0, 1.0, 0.0)
    usage.update(950.0, 1.1, 1.0, 0.0, causal=False)
    usage.update(700.0, 2.0, 1.0, 0.0)
    assert usage.average_cost(1.0) == pytest.approx(100.0)


def test_responses_that_were_overtaken_show_the_least_average_cost():
    usage = QuotaUsage(counts_requests=False)
    usage.start_window(1000.0, 0.0, None)
    usage.update(990.0, 1.0, 1.0, 0.0)
    for response in range(1, 9):
        usage.update(990.0 - 60.0 * response, 1.1, 1.0, usage.units_in_flight(2, 2.0), causal=False)
    assert 40.0 < usage.average_cost(1.0) <= 60.0


def test_the_deviation_of_costs_rises_at_once_and_falls_slowly():
    usage = QuotaUsage(counts_requests=False)
    usage.start_window(1000.0, 0.0, None)
    deviations = []
    for step, cost in enumerate((40.0, 100.0, 50.0, 50.0), start=1):
        usage.start_window(1000.0, float(step), None)
        usage.update(1000.0 - cost, step + 0.5, 1.0, 0.0)
        deviations.append(usage.cost_deviation)
    assert deviations[0] == pytest.approx(20.0)  # half of the first cost
    assert deviations[1] == pytest.approx(60.0)
    assert 50.0 < deviations[3] < deviations[2] < 60.0


def test_the_cost_of_a_request_is_learned_where_requests_are_not_counted():
    made = DeclaredQuota(name="tokens", unit="tokens")
    left = 100_000.0
    for step in range(1, 30):
        left -= 900 if step % 2 else 1100
        stated = Observation(policy="tokens", limit=100_000.0, remaining=left, unit="tokens", window=60.0)
        made.observe(stated, sent=NOW + step, received=NOW + step + 0.5)
    assert made.usage.cost_per_request == pytest.approx(1000, rel=0.1)
    made.remaining = 2_500.0

    def ready(inflight: float) -> float:
        return made.ready_at(NOW + 30, cost=1.0, inflight=inflight, in_flight_since=lambda since: False) - NOW

    assert ready(made.usage.units_in_flight(0, 0)) < 30
    assert ready(made.usage.units_in_flight(2, 2)) > 30
