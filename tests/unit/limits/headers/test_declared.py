"""`Declared`: merging what the parts of one response state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.headers.declared import MAX_OBSERVATIONS, NOTHING, Declared, Observation, intersect, merge

RANGES = st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e6)).map(lambda pair: (pair[0], sum(pair)))


def test_a_response_that_states_nothing_is_false():
    assert not NOTHING
    assert not Declared()
    assert Declared(retry_after=0.0)
    assert Declared(violated=("p",))


def test_observations_of_one_policy_are_merged_and_the_smallest_remainder_counts():
    one = Observation(policy="p", limit=60.0, remaining=5.0, reset=(10.0, 20.0))
    other = Observation(policy="p", limit=70.0, remaining=3.0, reset=(15.0, 25.0), window=60.0, rate=1.0)
    merged = merge((Declared(observations=(one,)), Declared(observations=(other,))))
    expected = Observation(policy="p", limit=60.0, remaining=3.0, reset=(15.0, 20.0), window=60.0, rate=1.0)
    assert merged.observations == (expected,)


def test_observations_of_two_policies_stay_apart_in_order():
    merged = merge(Declared(observations=(Observation(policy=name),)) for name in "ba")
    assert [observation.policy for observation in merged.observations] == ["b", "a"]


def test_the_longest_wait_and_the_lowest_concurrency_count():
    merged = merge((Declared(retry_after=5.0, concurrency=4), Declared(retry_after=9.0, concurrency=2), NOTHING))
    assert (merged.retry_after, merged.concurrency) == (9.0, 2)


@pytest.mark.parametrize(
    ("waits", "longest"),
    [((2.0, 1.992), 1.992), ((1.001, 2.0), 1.001), ((2.0, 1.0), 2.0), ((1337.0, 64.57), 1337.0), ((2.5, 2.0), 2.5)],
)
def test_a_wait_just_below_a_whole_number_is_the_same_not_rounded_up(waits, longest):
    assert merge(Declared(retry_after=wait) for wait in waits).retry_after == longest


def test_each_violated_policy_is_named_once():
    merged = merge((Declared(violated=("a", "b")), Declared(violated=("b", "c"))))
    assert merged.violated == ("a", "b", "c")


def test_nothing_merged_is_nothing():
    assert merge(()) == NOTHING
    assert merge((NOTHING, NOTHING)) == NOTHING


def test_the_number_of_policies_is_bounded():
    many = tuple(Observation(policy=str(number)) for number in range(MAX_OBSERVATIONS + 10))
    assert len(merge((Declared(observations=many),)).observations) == MAX_OBSERVATIONS


def test_ranges_that_do_not_overlap_leave_the_first():
    assert intersect((1.0, 2.0), (3.0, 4.0)) == (1.0, 2.0)


@given(RANGES, RANGES)
def test_an_intersection_lies_within_the_first_range(first, second):
    low, high = intersect(first, second)
    assert first[0] <= low <= high <= first[1]
