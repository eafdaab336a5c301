"""`Pacing`: never more starts than user and robots.txt allow, and no start later than necessary."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.concurrency import Concurrency
from crawler.limits.pace import Pace
from crawler.limits.pacing import Gcra, Pacing

INTERVALS = st.sampled_from([0.25, 0.5, 1.0, 4.0])  # powers of two: sums of them are exact
GAPS = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0, 50.0]), min_size=1, max_size=60)


def starts(bucket: Gcra, gaps: list[float]) -> list[float]:
    """Return the start times of a client that tries to start after each gap and waits until `ready_at`."""
    now, made = 100.0, []
    for gap in gaps:
        now = max(now + gap, bucket.ready_at())
        bucket.take(now)
        made.append(now)
    return made


def test_the_first_start_is_always_allowed():
    assert Gcra(5.0).ready_at() < 0
    assert Gcra(5.0, burst=10).ready_at() < 0


def test_a_rate_allows_one_start_per_interval():
    bucket = Gcra(2.0)
    for wanted in (100.0, 102.0, 104.0):
        now = max(100.0, bucket.ready_at())
        assert now == wanted
        bucket.take(now)


def test_a_burst_starts_together_and_is_followed_by_one_start_per_interval():
    bucket = Gcra(2.0, burst=3)
    assert starts(bucket, [0.0] * 6) == [100.0, 100.0, 100.0, 102.0, 104.0, 106.0]


def test_after_a_pause_there_is_only_one_burst():
    bucket = Gcra(1.0, burst=2)
    starts(bucket, [0.0, 0.0])
    bucket_now = 1000.0
    made = []
    for _ in range(4):
        bucket_now = max(bucket_now, bucket.ready_at())
        bucket.take(bucket_now)
        made.append(bucket_now)
    assert made == [1000.0, 1000.0, 1001.0, 1002.0]


@given(INTERVALS, st.integers(1, 5), GAPS)
def test_no_window_contains_more_than_the_burst_and_its_share(interval, burst, gaps):
    made = starts(Gcra(interval, burst), gaps)
    for first, last in itertools.combinations(range(len(made)), 2):
        assert last - first + 1 <= burst + (made[last] - made[first]) / interval


@given(INTERVALS, st.integers(1, 5), st.integers(1, 60))
def test_a_client_that_always_waits_loses_no_start(interval, burst, count):
    made = starts(Gcra(interval, burst), [0.0] * count)
    assert made[-1] - made[0] == max(0, count - burst) * interval


@given(INTERVALS, st.integers(1, 4), GAPS)
def test_a_returned_start_changes_nothing(interval, burst, gaps):
    bucket, other = Gcra(interval, burst), Gcra(interval, burst)
    made = starts(bucket, gaps)
    starts(other, gaps)
    now = max(made[-1], bucket.ready_at())
    bucket.take(now)
    bucket.refund()
    assert max(now, bucket.ready_at()) == max(now, other.ready_at())


def test_all_starts_can_be_returned():
    bucket = Gcra(1.0)
    starts(bucket, [0.0] * 3)
    for _ in range(3):
        bucket.refund()
    assert bucket.ready_at() == 100.0


def pacing(**pace) -> Pacing:
    usual = Pace(concurrency=8, delay=0.0, jitter=0.0)
    return Pacing(Pace(**pace).over(usual), random.Random(1), Concurrency(8))


def test_a_longer_crawl_delay_is_kept_and_limits_concurrency():
    made = pacing(delay=1.0)
    made.set_robots_delay(0.5)
    assert made.draw_interval() == 1.0
    made.set_robots_delay(3.0)
    assert made.draw_interval() == 3.0
    assert made.concurrency.cap == 2
    assert made.is_set()


def test_a_changed_delay_is_no_shorter_than_that_of_a_robots_txt():
    made = pacing(delay=1.0)
    made.set_pace(delay=2.0, concurrency=None, robots_delay=3.0)
    assert (made.pace.delay, made.delay, made.concurrency.cap) == (2.0, 3.0, 8)
    made.set_pace(delay=None, concurrency=4, robots_delay=3.0)
    assert (made.pace.delay, made.delay, made.concurrency.cap) == (2.0, 3.0, 4)


def test_a_pace_is_tightened_by_what_it_does_not_ask_for_yet():
    made = pacing(delay=1.0, rate=("60/min",))
    assert not made.tighten(made.pace)
    assert made.tighten(Pace(concurrency=2, delay=0.5, jitter=0.0, rate=("60/min", "10/min")))
    assert (made.pace.rate, len(made.rates), made.delay, made.concurrency.cap) == (("60/min", "10/min"), 2, 1.0, 2)
