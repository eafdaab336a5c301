"""Servers that declare a part of their limits: a policy without a remainder, or a remainder without a reset."""

from __future__ import annotations

import pytest
from support.limit_dialects import aligned, bucket, counter, date, fields, fixed, http_date, legacy, sliding
from support.model_server import Model, run

REMAINING = fields("X-RateLimit-Limit", "X-RateLimit-Remaining")
SEEDS = range(4)


def nearby(source, in_flight):
    """Return the seconds from request to response."""
    return source.uniform(0.01, 0.03)


@pytest.mark.parametrize(
    ("limits", "refused", "ratio"),
    [
        (aligned(10, 20.0), 1, 1.6),  # no common length
        (sliding(13, 60.0), 0, 1.1),
        (sliding(4, 15.0), 4, 1.1),
    ],
)
def test_what_is_left_shows_the_length_of_a_window_of_which_nothing_else_is_stated(limits, refused, ratio):
    """Up to 53 requests were refused: windows were taken for longer or shorter ones."""
    model = Model(page="", limits=limits, says=[REMAINING], begins=86400.0, latency=nearby)
    runs = [run(model, seed, by="crawl") for seed in SEEDS]
    assert max(one.refused for one in runs) <= refused
    assert max(one.ratio for one in runs) <= ratio
    assert not any(one.lost for one in runs)


def test_units_that_did_not_return_early_are_awaited_until_the_stated_reset():
    """A request was refused for each one that was served: 152 in all."""
    model = Model(page="", limits=counter(2, 10.0), says=[legacy(http_date), date], begins=86400.0)
    runs = [run(model, seed, by="crawl") for seed in SEEDS]
    assert max(one.refused for one in runs) <= 4
    assert max(one.ratio for one in runs) <= 1.1


def test_a_server_that_restores_less_than_its_policy_states_is_asked_more_slowly():
    """One request in 27 was refused, however long the crawl was."""
    model = Model(
        page="",
        limits=bucket(60, 55 / 60),
        says=[lambda answer: {"RateLimit-Policy": '"default";q=60;w=60'}],
        latency=nearby,
        pages=900,
    )
    runs = [run(model, seed, by="crawl") for seed in SEEDS]
    assert max(one.refused for one in runs) <= 11
    assert max(one.ratio for one in runs) <= 1.05
    assert not any(one.lost for one in runs)


@pytest.mark.parametrize(
    "limits", [fixed(1, 60.0), sliding(1, 60.0), aligned(1, 3600.0)], ids=["fixed", "sliding", "aligned"]
)
def test_a_refusal_does_not_begin_a_window_of_one_unit(limits):
    """Of 30 pages, one was lost after 189 refusals: each refusal seemed to be the first request of a new window."""
    model = Model(page="", limits=limits, says=[REMAINING], latency=nearby, pages=30)
    runs = [run(model, seed, by="crawl") for seed in SEEDS]
    assert max(one.refused for one in runs) <= 12
    assert max(one.ratio for one in runs) <= 1.1
    assert not any(one.lost for one in runs)


@pytest.mark.parametrize(("behind", "refused"), [(0.0, 0), (0.01, 0), (0.03, 1), (0.08, 4)])
def test_a_reset_may_be_read_from_a_clock_that_is_somewhat_behind_that_of_the_date(behind, refused):
    """A window of 5 s seemed to be one of 4.96 s: 7 and 14 requests were refused in twelve crawls."""
    says = legacy(lambda answer, wait: f"{answer.now + wait - behind:.6f}")
    model = Model(page="", limits=fixed(20, 5.0), says=[says, date], latency=nearby, begins=1000.0, pages=100)
    runs = [run(model, seed, by="crawl") for seed in range(12)]
    assert sum(one.refused for one in runs) <= refused
    assert max(one.ratio for one in runs) <= (1.35 if refused else 1.05)
    assert not any(one.lost for one in runs)
