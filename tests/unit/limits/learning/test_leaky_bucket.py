"""`LeakyBucketQuota`: the rate of a bucket, from what is served between two refusals."""

from __future__ import annotations

import json
import math

import pytest

from crawler.limits.learning.leaky_bucket import LeakyBucketQuota, leak
from crawler.limits.learning.persistence import load, save

NOW = 1_800_000_000.0


def found(served: float = 4.0, *, before: float = 20.0, after: float = 1.0) -> LeakyBucketQuota | None:
    return leak("undeclared", before=before, refused=NOW, served=served, again=NOW + after)


def start(made: LeakyBucketQuota, last: float) -> float:
    """Seconds after `NOW` of the start after this one."""
    at = max(
        made.ready_at(NOW + last, cost=1.0, inflight=0.0, flying=lambda since: False),
        made.start_at(NOW + last, cost=1.0, inflight=0.0, backlog=math.inf, mode="burst"),
    )
    return at - NOW


def test_what_is_served_between_two_refusals_has_leaked_meanwhile():
    made = found()
    assert made.restoration.rate == pytest.approx(0.97 * 4.5)
    assert start(made, 1.0) == pytest.approx(1.0 + 2 / made.restoration.rate)  # it leaks a little first
    assert start(made, 9.0) == pytest.approx(9.0 + 1 / made.restoration.rate, abs=1e-6)


@pytest.mark.parametrize(
    ("served", "before", "after"),
    [(20.0, 20.0, 5.1), (11.0, 20.0, 3.0), (1.0, 20.0, 1.0), (4.0, 20.0, 11.0), (4.0, 20.0, math.nan)],
)
def test_what_may_be_a_window_is_no_leak(served, before, after):
    assert found(served, before=before, after=after) is None


def test_the_longer_it_takes_the_better_is_the_rate_known():
    made = found(5.0)
    now = 1.0
    level, at = 20.0, 1.0  # four leak a second
    for _ in range(400):
        now = start(made, now)
        level, at = max(0.0, level - 4.0 * (now - at)), now
        if level + 1.0 > 20.0:
            assert made.refuse(NOW + now)
        else:
            level += 1.0
            made.pass_over(sent=NOW + now, received=NOW + now)
    assert made.restoration.rate == pytest.approx(4.0, rel=0.05)


def test_an_answer_that_was_on_its_way_at_the_refusal_counts():
    made = found(2.0)
    rate = made.restoration.rate
    for _ in range(2):
        made.pass_over(sent=NOW + 0.9, received=NOW + 1.1)
    assert made.restoration.rate == pytest.approx(rate * 4.5 / 2.5)


def test_a_pause_does_not_make_it_slow_and_calm_makes_it_faster():
    made = found()
    rate = made.restoration.rate
    made.pass_over(sent=NOW + 3600, received=NOW + 3600)
    assert made.restoration.rate == pytest.approx((1 + 0.5 / 4) * rate)
    made.refuse(NOW + 7200)
    assert made.restoration.rate == pytest.approx(0.7 * (1 + 0.5 / 4) * rate)


def test_the_next_run_knows_the_rate_and_not_how_full_the_bucket_is():
    made = load("undeclared", json.loads(json.dumps(save(found()))))
    assert isinstance(made, LeakyBucketQuota)
    assert made.restoration.rate == pytest.approx(0.97 * 4.5)
    made.refuse(NOW + 1000)
    assert made.restoration.rate == pytest.approx(0.97 * 0.97 * 4.5)
    assert made.opened == NOW + 1000
