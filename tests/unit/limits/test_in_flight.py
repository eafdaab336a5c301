"""`Flight`: which starts are not settled, and when they were counted."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.in_flight import Flight, Grant


def flight(*times: float) -> Flight:
    made = Flight()
    for at in times:
        made.begin(Grant(at, 1.0))
    return made


def test_nothing_is_in_flight_at_first() -> None:
    made = flight()
    assert (len(made), made.units) == (0, 0.0)
    assert not made.has_since(-math.inf)
    assert not made.has_before(math.inf)
    assert made.last_until(math.inf) == -math.inf


def test_starts_are_found_by_their_time() -> None:
    made = flight(5.0, 1.0, 3.0)
    assert [made.has_since(at) for at in (5.0, 5.1)] == [True, False]
    assert [made.has_before(at) for at in (1.0, 1.1)] == [False, True]
    assert [made.last_until(at) for at in (0.0, 1.0, 4.0, 6.0)] == [-math.inf, 1.0, 3.0, 5.0]


def test_a_grant_ends_once() -> None:
    made, grant = flight(1.0), Grant(1.0, 2.0)
    assert not made.end(grant)
    made.begin(grant)
    assert made.units == 3.0
    assert made.end(grant)
    assert not made.end(grant)
    assert (len(made), made.units) == (1, 1.0)


@given(st.lists(st.floats(0.001, 1000.0), min_size=1, max_size=50), st.randoms())
def test_no_rounding_error_is_left_when_all_have_ended(costs: list[float], rng: object) -> None:
    made, grants = Flight(), [Grant(0.0, cost) for cost in costs]
    for grant in grants:
        made.begin(grant)
    rng.shuffle(grants)  # type: ignore[attr-defined]
    for grant in grants:
        assert made.end(grant)
    assert made.units == 0.0
