"""`EvenRate`: a policy without a remainder whose server refused what our log of requests allowed."""

from __future__ import annotations

import pytest
from support.quota_histories import NOW, counted, ready

from crawler.limits.quotas.even_rate import EvenRate


def test_one_unit_less_than_the_limit_is_sent_per_window_after_a_pause_of_two():
    rate = EvenRate(100.0)
    assert rate.interval(11.0, 60.0) == 6.0
    assert rate.interval(1.0, 60.0) == 120.0
    assert rate.ready_at(11.0, 60.0) == 112.0


def test_a_further_refusal_is_explained_if_as_many_units_as_the_limit_were_served_since():
    rate = EvenRate(100.0)
    assert rate.explain_refusal(99.9, 100.2, 5.0)  # in flight at the first one
    assert rate.refused_at == 100.2
    rate.served = 4.0
    assert not rate.explain_refusal(110.0, 110.1, 5.0)
    rate.served = 5.0
    assert rate.explain_refusal(110.0, 110.1, 5.0)
    assert (rate.refused_at, rate.served) == (110.1, 0.0)


def test_each_further_refusal_that_was_not_in_flight_lengthens_the_interval_up_to_twice_that_of_the_declared_rate():
    rate = EvenRate(100.0)
    assert rate.explain_refusal(99.9, 100.2, 5.0)
    assert rate.interval(11.0, 60.0) == 6.0
    rate.served = 5.0
    assert rate.explain_refusal(110.0, 110.1, 5.0)
    assert rate.interval(11.0, 60.0) == pytest.approx(1.02 * 6.0)
    for _ in range(100):
        rate.served = 5.0
        assert rate.explain_refusal(rate.refused_at + 10.0, rate.refused_at + 10.1, 5.0)
    assert rate.interval(11.0, 60.0) == pytest.approx(2.0 * 60.0 / 11.0)


def test_a_refusal_of_a_request_that_the_log_allowed_begins_the_even_rate():
    made = counted(5.0, 0.0)
    assert made.is_cause(1.0, NOW + 1.0)
    interval = (made.window.length or 0.0) / 4.0
    assert ready(made, 1.0) == pytest.approx(made.updated_at - NOW + 2.0 * interval)
    at = made.start_at(NOW + 50, cost=1.0, inflight=0.0, backlog=1e9, mode="auto")
    assert at == pytest.approx(NOW + 50 + interval)
