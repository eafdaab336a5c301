"""`Schedule`: the first lane that is due comes first, and what cannot start costs nothing."""

from __future__ import annotations

import math
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier import Lane, Pending
from crawler.frontier.budget import Budgets
from crawler.frontier.schedule import Schedule
from crawler.limits.registry import Limits
from crawler.messages import Request
from crawler.outages.outages import Outages
from crawler.settings import Settings


def schedule(*names: str, **pace: Any) -> tuple[Schedule, dict[str, Lane], Budgets]:
    """Return a schedule, lanes with one request each, and budgets."""
    limits, settings = Limits(chance=random.Random(1)), Settings(slow_start=False)
    outages = Outages(600.0, random.Random(1))
    budgets = Budgets(lambda name: limits.throttle(name, settings.pace), outages)
    lanes = {name: Lane(name, limits.throttle(name, settings.pace)) for name in names}
    for name, lane in lanes.items():
        lane.add(Pending((0, 0), Request(f"https://{name}.test/"), name))
    made = Schedule(budgets)
    made.now = 0.0
    return made, lanes, budgets


def test_lanes_come_by_the_time_at_which_they_may_start() -> None:
    made, lanes, _ = schedule("late", "early", "now")
    lanes["late"].throttle.block(20.0)
    lanes["early"].throttle.block(10.0)
    for lane in lanes.values():
        made.offer(lane)
    assert made.next() is lanes["now"]
    assert made.next() is None
    assert made.next_at() == 10.0
    made.now = 30.0
    assert [made.next(), made.next(), made.next()] == [lanes["early"], lanes["late"], None]
    assert made.next_at() == math.inf


def test_a_lane_that_cannot_start_anything_is_not_scheduled() -> None:
    made, lanes, _ = schedule("empty", "pending", "full", "removed")
    lanes["empty"].pop(0.0)
    lanes["pending"].robots.pending = True
    lanes["full"].throttle.busy = lanes["full"].throttle.concurrency.limit
    for lane in lanes.values():
        made.offer(lane)
    made.remove(lanes["removed"])
    assert made.next() is None
    assert lanes["full"].scheduled_at == math.inf


def test_an_earlier_time_replaces_a_later_one() -> None:
    made, lanes, _ = schedule("a")
    lane = lanes["a"]
    lane.throttle.block(10.0)
    made.offer(lane)
    assert lane.scheduled_at == 10.0
    lane.throttle.pacing.gate = 5.0
    made.offer(lane)
    assert lane.scheduled_at == 5.0
    made.now = 20.0
    assert [made.next(), made.next()] == [lane, None]  # its outdated place is skipped


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 100), st.booleans()), max_size=400))
def test_each_lane_comes_at_most_once_and_in_order_after_moves_and_removals(steps: list[tuple[int, int, bool]]) -> None:
    made, lanes, _ = schedule(*"abcdef")
    entries = list(lanes.values())
    due: dict[int, float] = {}
    made.now = -1.0
    for index, at, removes in steps:
        lane = entries[index]
        if removes:
            made.remove(lane)
            due.pop(index, None)
        else:
            lane.throttle.pacing.gate = float(at)
            made.offer(lane)
            due[index] = min(at, due.get(index, math.inf))
        assert len(made._heap) <= 2 * len(due) + 66
    made.now = 1000.0
    found = []
    while (lane := made.next()) is not None:
        found.append(entries.index(lane))
    assert found == sorted(found, key=lambda index: due[index])
    assert sorted(found) == sorted(due)


def test_others_that_change_limits_wake_the_lane_until_it_is_unwatched() -> None:
    made, lanes, _ = schedule("a")
    lane = lanes["a"]
    made.watch(lane)
    lane.throttle.notify()
    assert made.next() is lane
    made.unwatch(lane)
    lane.throttle.notify()
    assert made.next() is None
    assert lane.throttle.watchers == ()


def test_a_lane_that_waits_for_a_budget_is_woken_by_it() -> None:
    made, lanes, budgets = schedule("a", "b")
    for lane in lanes.values():
        lane.pop(0.0)
        lane.add(Pending((0, 0), Request(f"https://{lane.name}.test/", quotas={"key": 1.0}), lane.name))
    budgets["key"].throttle.block(10.0)
    for lane in lanes.values():
        made.offer(lane)
    assert list(budgets["key"].parked) == list(lanes.values())
    assert made.next_at() == 10.0
    made.now = 10.0
    assert [made.next(), made.next(), made.next()] == [lanes["a"], lanes["b"], None]
