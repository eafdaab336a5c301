"""`Attribution`: a failure is attributed to its page, to chance, to too many requests at once, or to a limit."""

from __future__ import annotations

import math
import random

import pytest
from msgspec.structs import replace

from crawler.limits.attribution import Attribution, is_due_to_concurrency
from crawler.limits.concurrency import Concurrency
from crawler.limits.headers.declared import AttemptReport, Declared, Observation

NOW = 1_800_000_000.0


def result(at: float, status: int = 200, **declared: object) -> AttemptReport:
    """Return a result that came `at` seconds after `NOW`, a tenth of a second after its request was sent."""
    return AttemptReport(
        sent=NOW + at - 0.1,
        received=NOW + at,
        status=status,
        refused=status in (429, 503),
        overloaded=status == 503,
        declared=Declared(**declared),  # type: ignore[arg-type]
    )


def steady(responses: int) -> Attribution:
    """Return what is known after so many good responses in a row."""
    made = Attribution(Concurrency(8))
    for number in range(responses):
        made.is_isolated(result(float(number)), None)
    return made


@pytest.mark.parametrize(("responses", "isolated"), [(9, False), (10, True)])
def test_a_single_failure_after_ten_good_responses_is_attributed_to_its_page(responses: int, isolated: bool) -> None:
    made = steady(responses)
    assert made.is_isolated(result(20.0, 503), None) == isolated
    assert not made.is_isolated(result(21.0, 503), None)


def test_failures_with_a_stated_wait_and_refusals_without_overload_are_not_attributed_to_a_page() -> None:
    assert not steady(10).is_isolated(result(20.0, 503, retry_after=1.0), None)
    assert not steady(10).is_isolated(result(20.0, 429), None)


def test_others_in_flight_are_waited_for_five_times_as_long_as_the_failure_took() -> None:
    made = steady(10)
    assert made.undecided_until == -math.inf
    made.wait_for_others(result(20.0, 503))
    assert made.undecided_until == pytest.approx(NOW + 20.5)


def test_failures_that_are_as_frequent_under_low_load_come_at_random() -> None:
    made, chance = steady(10), random.Random(1)
    assert made.failed_share == 0.0
    random_ones = 0
    for number in range(200):
        status = 503 if chance.random() < 0.2 else 200
        report = replace(result(20.0 + number, status), refused=False)
        random_ones += made.is_random(report, 1 if number % 2 else 8, None)
    assert random_ones >= 20
    assert made.failed_share == pytest.approx(0.2, abs=0.08)


def test_a_refusal_that_states_a_limit_does_not_come_at_random() -> None:
    made = steady(50)
    for number in range(40):
        assert not made.is_random(result(60.0 + number, 429, retry_after=1.0), 1, None)
    assert made.refused_share == 0.0


def test_a_refusal_that_names_a_concurrency_limit_is_attributed_to_it() -> None:
    level = Concurrency(8, start=4)
    assert is_due_to_concurrency(result(1.0, 429, violated=("global-concurrency",)), level, 4)
    assert not is_due_to_concurrency(result(1.0, 429, violated=("daily",)), level, 4)
    assert not is_due_to_concurrency(result(1.0, 429), level, 4)
    level.refused_for_concurrency(NOW, 4)
    assert is_due_to_concurrency(result(1.0, 429), level, 4)
    assert not is_due_to_concurrency(result(1.0, 429), level, 3)
    stated = (Observation(policy="p", remaining=0.0),)
    assert not is_due_to_concurrency(result(1.0, 429, observations=stated), level, 4)


def test_the_share_of_failures_is_known_after_chance_was_rejected_as_the_reason_of_refusals() -> None:
    """It tells how many attempts a page needs: one failed after three, in a crawl of which a fifth broke off."""
    made = steady(30)
    for number in range(30):
        broken = replace(result(30.0 + number), status=0, overloaded=True)
        made.is_random(broken if number % 3 == 0 else result(30.0 + number), 4, None)
    share = made.failed_share
    assert share > 0.1
    made.reject_chance()
    assert made.failed_share == share
