"""What a host does, in words."""

from __future__ import annotations

import math
from typing import Any

import pytest
from support.cases import each

from crawler.hooks.crawl_statistics import LaneStatistics
from crawler.limits.throttle_statistics import ThrottleStatistics
from crawler.monitor.host_state import duration, state_of

NOW = 1000.0


def lane(**fields: Any) -> LaneStatistics:
    known = {"in_flight": 0, "waiting": 3, "has_more": False, "ready_at": -math.inf, "attempts": 0, "robots": ""}
    return LaneStatistics(**known | fields)


def limit(blocked_by: str = "", wait: float = 0.0, concurrency: int = 8) -> ThrottleStatistics:
    return ThrottleStatistics(
        ready_at=NOW + wait, blocked_by=blocked_by, in_flight=0, concurrency=concurrency, max_concurrency=8,
        delay=0.0, rates=(), policies={},
    )  # fmt: skip


@each(
    ("lane", "limit", "state", "words"),
    [
        (lane(waiting=0), None, "done", "nothing waits"),
        (lane(waiting=0, has_more=True), None, "waiting", "next in turn"),
        (lane(), None, "waiting", "next in turn"),
        (lane(in_flight=3), limit(), "fetching", "3 of 8 in flight"),
        (lane(in_flight=9), limit(), "fetching", "9 in flight"),
        (lane(robots="fetching"), limit(), "fetching", "fetching robots.txt"),
        (lane(robots="failed"), limit("pace", 12.0), "waiting", "robots.txt failed, next try in 12 s"),
        (lane(), limit("outage", 30.0), "down", "cannot be reached, next try in 30 s"),
        (lane(), limit("outage", -5.0), "down", "cannot be reached, trying now"),
        (lane(), limit("refusal", 30.0), "waiting", "refused, next try in 30 s"),
        (lane(in_flight=1), limit("refusal", math.inf), "waiting", "refused, waiting for an answer"),
        (lane(), limit("quota", 41.0), "waiting", "waiting for quota, 41 s"),
        (lane(), limit("delay", 5.0), "waiting", "waiting for its delay, 5 s"),
        (lane(), limit("pace", 0.2), "waiting", "next in turn"),
        (lane(in_flight=1), limit("delay", math.inf), "fetching", "1 of 8 in flight"),
        (lane(), limit("quota", math.inf), "waiting", "next in turn"),
        (lane(waiting=0), limit("quota", 41.0), "done", "nothing waits"),
        (lane(ready_at=NOW + 8, attempts=2), limit(), "waiting", "attempt 3 of 5 in 8 s"),
        (lane(ready_at=NOW + 8, attempts=7), limit(), "waiting", "attempt 8 in 8 s"),
    ],
)
def test_words(lane: LaneStatistics, limit: ThrottleStatistics | None, state: str, words: str) -> None:
    assert state_of(lane, limit, NOW, attempts=5) == (state, words)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1.0, "0 s"), (0.4, "0 s"), (41, "41 s"), (99, "99 s"), (100, "2 min"), (3600, "60 min"), (7500, "2 h 5 min"),
        (7200, "2 h"), (200_000, "2 d"),
    ],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
