"""Shares of failures under low and high load."""

from __future__ import annotations

import random

import pytest

from crawler.limits.load_share import LoadShare, RetriedPages


def results(made: LoadShare, load: int, failures: int, of: int) -> None:
    """Record results under one load, the failures evenly spread."""
    for number in range(of):
        made.record(load, failed=(number + 1) * failures // of > number * failures // of)


def test_failures_only_under_high_load_depend_on_it():
    made = LoadShare()
    results(made, 8, 10, 40)
    results(made, 3, 0, 40)
    assert not made.is_independent()


def test_as_many_failures_under_low_load_do_not_depend_on_it():
    made = LoadShare()
    results(made, 8, 4, 40)
    results(made, 4, 4, 40)
    assert made.is_independent()


def test_far_more_failures_under_high_load_depend_on_it_although_some_come_at_random():
    made = LoadShare()
    results(made, 8, 20, 40)
    results(made, 3, 2, 40)
    assert not made.is_independent()


def test_one_failure_under_low_load_is_too_little():
    made = LoadShare()
    results(made, 8, 2, 40)
    results(made, 2, 1, 10)
    assert not made.is_independent()


def test_without_results_under_high_load_nothing_is_known():
    made = LoadShare()
    results(made, 1, 10, 40)
    assert not made.is_independent()
    made.record(2, failed=False)  # what came alone so far was low load
    assert made.is_independent()


def test_after_a_recovery_failures_under_high_load_count_again():
    made = LoadShare()
    results(made, 8, 8, 40)
    results(made, 4, 8, 40)
    assert made.is_independent()
    results(made, 8, 0, 300)
    results(made, 8, 3, 10)
    assert not made.is_independent()


def test_results_before_the_first_failure_are_part_of_the_share():
    made = LoadShare(19)
    made.record(1, failed=True)
    assert made.share == pytest.approx(0.05, abs=0.01)
    assert LoadShare().share == 0.0


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3, 0.6])
def test_failures_at_random_prove_independent_at_once_and_stay_so(share):
    for seed in range(20):
        made, chance = LoadShare(), random.Random(seed)
        verdicts = []
        for number in range(600):
            made.record(8 if number % 2 else 3, failed=chance.random() < share)
            verdicts.append(made.is_independent())
        assert sum(verdicts[200:]) >= 0.9 * 400


def test_the_share_counts_the_attempts_of_pages_that_were_served() -> None:
    pages = RetriedPages(10.0)
    assert pages.failed_share == 0.0
    for _ in range(10):
        pages.record(1)
    assert pages.failed_share == pytest.approx(1 / 3, abs=0.05)


def test_few_results_show_no_share() -> None:
    pages = RetriedPages(0.0)
    for _ in range(9):
        pages.record(1)
    assert pages.failed_share == 0.0


def test_a_server_that_fails_nearly_always_is_out_of_order() -> None:
    pages = RetriedPages(0.0)
    for _ in range(10):
        pages.record(4)
    assert pages.failed_share == 0.0
