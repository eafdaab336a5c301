"""`RateFit`: rates are distinguished from refusals at random and from limits of concurrency."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from crawler.limits.learning.rate_fit import CLEAR_PROOF, RateFit

NOW = 1_800_000_000.0


def tell(served: Callable[[float, int], bool], requests: int, *, interval: float = 0.1, at_once: int = 1) -> RateFit:
    """Return what is known of a server after requests in batches; each takes up to a tenth of a second.

    Parameters:
        served: Whether the server serves a request, by the seconds since the beginning and the number in flight.
        requests: Their number.
        interval: Seconds from one batch to the next, on average.
        at_once: Requests in a batch.
    """
    chance, fit, at = random.Random(7), RateFit(), 0.0
    for number in range(requests):
        load = number % at_once + 1
        if load == 1:
            at += chance.uniform(0.5, 1.5) * interval
        took = chance.uniform(0.05, 0.1)
        sent = NOW + at + 0.001 * load
        fit.record(sent, sent + took, served=served(at + took / 2.0, load), load=load)
    return fit


def bucket(rate: float, size: float) -> Callable[[float, int], bool]:
    """Return a server that lets units pass at a rate per second, after a burst."""
    state = [size, 0.0]

    def served(at: float, load: int) -> bool:
        tokens = min(size, state[0] + max(0.0, at - state[1]) * rate)
        state[:] = [tokens - (tokens >= 1.0), max(at, state[1])]
        return tokens >= 1.0

    return served


@pytest.mark.parametrize(("rate", "size"), [(4.0, 1.0), (6.0, 1.0), (4.0, 6.0)])
def test_a_rate_is_found_and_proven(rate: float, size: float) -> None:
    fit = tell(bucket(rate, size), 40)
    assert fit.is_proven()
    assert fit.best().rate == pytest.approx(rate, rel=0.15)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("at_once", [1, 8])
def test_refusals_at_random_prove_no_rate(share: float, at_once: int) -> None:
    chance = random.Random(1)
    assert not tell(lambda at, load: chance.random() >= share, 40, at_once=at_once).is_proven()


def test_refusals_above_a_number_of_requests_in_flight_prove_no_rate() -> None:
    assert not tell(lambda at, load: load <= 4, 40, at_once=8).is_proven()


def test_few_fates_leave_a_rate_uncertain() -> None:
    fit = RateFit()
    fit.assume(20.0, NOW - 0.1, NOW)
    for at, served in ((0.1, False), (1.0, True), (1.1, False)):
        fit.record(NOW + at, NOW + at + 0.1, served=served, load=1)
    assert 0.2 < fit.best().uncertainty < 2.0
    for number in range(20):
        fit.record(NOW + 2.0 + number, NOW + 2.1 + number, served=number % 2 == 0, load=1)
    assert fit.best().uncertainty < 0.2


def test_a_single_refusal_proves_nothing() -> None:
    fit = tell(lambda at, load: at < 1.0, 9)
    fit.record(NOW + 2.0, NOW + 2.1, served=False, load=1)
    assert fit.evidence() == 0.0
    assert not fit.is_proven()


def test_served_requests_of_which_only_the_number_is_known_count() -> None:
    known, unknown = RateFit(), RateFit()
    known.assume(30.0, NOW - 1.0, NOW)
    for fit in (known, unknown):
        for number in range(6):
            fit.record(NOW + 0.05 * number, NOW + 0.05 * number + 0.02, served=False, load=1)
        fit.record(NOW + 0.5, NOW + 0.52, served=True, load=1)
    assert known.best().size > unknown.best().size


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_refusals_at_random_are_put_down_to_chance(share: float) -> None:
    chance = random.Random(1)
    assert tell(lambda at, load: chance.random() >= share, 150, at_once=8).are_random()


@pytest.mark.parametrize(("rate", "size"), [(4.0, 1.0), (4.0, 6.0)])
def test_a_rate_is_not_put_down_to_chance(rate: float, size: float) -> None:
    assert not tell(bucket(rate, size), 40).are_random()


def test_a_limit_that_refuses_for_a_while_is_told_from_chance() -> None:
    chance = random.Random(1)
    assert tell(bucket(5.0, 20.0), 48, interval=0.2, at_once=8).odds_of_limit() > CLEAR_PROOF
    assert tell(lambda at, load: chance.random() >= 0.3, 150, at_once=8).odds_of_limit() < 0.0


def test_a_limit_of_concurrency_and_one_that_refuses_for_a_while_are_not_put_down_to_chance() -> None:
    assert not tell(lambda at, load: load <= 4, 80, at_once=8).are_random()
    assert not tell(lambda at, load: at % 4.0 < 3.0, 80).are_random()


def test_few_refusals_and_those_of_nearly_all_requests_are_not_put_down_to_chance() -> None:
    assert not tell(lambda at, load: not 1.0 < at < 1.2, 30).are_random()
    assert not tell(lambda at, load: False, 30).are_random()
