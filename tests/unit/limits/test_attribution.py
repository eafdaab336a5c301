"""`Attribution`: a failure is attributed to its page, to chance, to too many requests at once, or to a limit."""

from __future__ import annotations

import math
import random

import pytest
from msgspec.structs import replace

from crawler.limits.attribution import Attribution
from crawler.limits.concurrency import Concurrency
from crawler.limits.headers.declared import AttemptReport, Declared, Observation
from crawler.limits.in_flight import Grant

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


def cause(made: Attribution, report: AttemptReport, inflight: int = 1, *, level: Concurrency | None = None) -> str:
    """Return what a result is due to, of a server whose limits are not known."""
    level = level or made.concurrency
    return made.find_cause(Grant(report.sent, 1.0, -math.inf), report, level=level, inflight=inflight, learner=None)


def steady(responses: int) -> Attribution:
    """Return what is known after so many good responses in a row."""
    made = Attribution(Concurrency(8))
    for number in range(responses):
        assert cause(made, result(float(number))) == ""
    return made


@pytest.mark.parametrize(("responses", "due_to"), [(9, ""), (10, "page")])
def test_a_single_failure_after_ten_good_responses_is_attributed_to_its_page(responses: int, due_to: str) -> None:
    made = steady(responses)
    assert cause(made, result(20.0, 503)) == due_to
    assert cause(made, result(21.0, 503)) == ""


def test_failures_with_a_stated_wait_and_refusals_without_overload_are_not_attributed_to_a_page() -> None:
    assert cause(steady(10), result(20.0, 503, retry_after=1.0)) == ""
    assert cause(steady(10), result(20.0, 429)) == ""


def test_others_in_flight_are_waited_for_five_times_as_long_as_the_failure_took() -> None:
    made = steady(10)
    assert made.undecided_until == -math.inf
    cause(made, result(20.0, 503))
    assert made.undecided_until == pytest.approx(NOW + 20.5)
    cause(made, result(20.2))
    assert made.undecided_until == -math.inf


def test_failures_that_are_as_frequent_under_low_load_come_at_random() -> None:
    made, chance = steady(10), random.Random(1)
    assert made.failed_share == 0.0
    random_ones = 0
    for number in range(200):
        status = 503 if chance.random() < 0.2 else 200
        report = replace(result(20.0 + number, status), refused=False)
        random_ones += cause(made, report, 1 if number % 2 else 8) == "chance"
    assert random_ones >= 20
    assert made.failed_share == pytest.approx(0.2, abs=0.08)


def test_a_refusal_that_states_a_limit_does_not_come_at_random() -> None:
    made = steady(50)
    for number in range(40):
        assert cause(made, result(60.0 + number, 429, retry_after=1.0)) == ""
    assert made.refused_share == 0.0


def test_a_refusal_that_names_a_concurrency_limit_is_attributed_to_it() -> None:
    made, level = steady(0), Concurrency(8, start=4)
    assert cause(made, result(1.0, 429, violated=("global-concurrency",)), 4, level=level) == "concurrency"
    assert cause(made, result(1.0, 429, violated=("daily",)), 4, level=level) == ""
    assert cause(made, result(1.0, 429), 4, level=level) == ""
    level.refused_for_concurrency(NOW, 4)
    assert cause(made, result(1.0, 429), 4, level=level) == "concurrency"
    assert cause(made, result(1.0, 429), 3, level=level) == ""
    stated = (Observation(policy="p", remaining=0.0),)
    assert cause(made, result(1.0, 429, observations=stated), 4, level=level) == ""


def test_the_share_of_failures_is_known_after_chance_was_rejected_as_the_reason_of_refusals() -> None:
    """It tells how many attempts a page needs: one failed after three, in a crawl of which a fifth broke off."""
    made = steady(30)
    for number in range(30):
        broken = replace(result(30.0 + number), status=0, overloaded=True)
        cause(made, broken if number % 3 == 0 else result(30.0 + number), 4)
    share = made.failed_share
    assert share > 0.1
    made.reject_chance()
    assert made.failed_share == share
