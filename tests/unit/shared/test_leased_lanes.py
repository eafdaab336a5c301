"""Lanes and budgets of a shared job start nothing without a lease, and pass on what is known of their limits."""

from __future__ import annotations

import math
from typing import Any, cast

from support.frontiers import HOST, frontier, pending, pop

from crawler.frontier import Pending
from crawler.messages import Request
from crawler.shared.leased_lanes import HOLD, LeasedLanes
from crawler.store import Extended, Group

KEY = "key:A"


class Released:
    """A store that keeps what is released."""

    lease = 60.0

    def __init__(self) -> None:
        self.released: list[tuple[str, int, float]] = []

    async def release(self, group: str, epoch: int, _state: dict[str, Any], wait: float = 0.0) -> None:
        self.released.append((group, epoch, wait))


class Parts:
    """A worker that has leased a lane with some requests."""

    def __init__(self, count: int = 2) -> None:
        self.now = 0.0
        self.frontier = frontier()
        self.store = Released()
        self.lanes = LeasedLanes(self.frontier, cast("Any", self.store), cast("Any", lambda: self.now))
        self.frontier.lanes.open(HOST, epoch=1, head=[pending(n) for n in range(count)], more=False)

    def lease(self, name: str, epoch: int = 4, **state: Any) -> None:
        """Lease what requests wait for."""
        if self.lanes.take_over(Group(name=name, epoch=epoch, state=state, head=[], more=False)):
            self.frontier.lanes.open(name, epoch=epoch, head=(), more=False, state=state)

    async def give_up(self, name: str, after: float = 0.0) -> None:
        """Learn that another worker waits for something, and look at it later."""
        self.lanes.note_wishes(Extended(wanted=[name]))
        self.now += after
        await self.lanes.pass_on()


def keyed(number: int) -> Pending:
    return Pending((0, number), Request(f"{HOST}/{number}", quotas={KEY: 1}), HOST)


def test_nothing_starts_when_the_lease_is_not_fresh() -> None:
    made = Parts().frontier
    made.starts_until = 10.0
    assert made.pop(10.0) == (None, math.inf)
    lane = made.lanes[HOST]
    assert made.ready_at(lane, Request(HOST), 10.0) == math.inf
    made.starts_until = 20.0
    assert made.pop(10.0)[0] is not None


def test_a_lane_of_a_request_in_place_waits_for_its_lease() -> None:
    parts = Parts()
    made = parts.frontier
    lane = made.lanes.open("http://b.test", epoch=0, head=(), more=False)
    assert made.ready_at(lane, Request("http://b.test/"), 0.0) == math.inf
    assert parts.lanes.wanted() == ["http://b.test"]
    parts.lease("http://b.test", next_start=7.0)
    assert parts.lanes.wanted() == []
    assert made.ready_at(lane, Request("http://b.test/"), 0.0) == 7.0


def test_a_lane_that_has_left_memory_is_not_wanted_any_more() -> None:
    parts = Parts()
    lane = parts.frontier.lanes.open("http://b.test", epoch=0, head=(), more=False)
    parts.frontier.ready_at(lane, Request("http://b.test/"), 0.0)
    parts.frontier.lanes.close(lane)
    assert parts.lanes.wanted() == []


def test_a_request_waits_for_the_lease_of_its_budget() -> None:
    parts = Parts(0)
    made = parts.frontier
    made.push([keyed(1)])
    assert made.pop(0.0) == (None, math.inf)
    assert parts.lanes.wanted() == [KEY]
    parts.lease(KEY, next_start=5.0)
    assert KEY not in made.lanes
    assert made.pop(0.0) == (None, 5.0)
    assert made.pop(5.0)[0] is not None


async def test_a_lane_that_is_passed_on_starts_no_request_and_drains_first() -> None:
    parts = Parts(3)
    made = parts.frontier
    ticket = pop(made)
    await parts.give_up(HOST)
    assert made.pop(0.0)[0] is None
    assert parts.store.released == []
    made.settle(ticket)
    await parts.lanes.pass_on()
    assert HOST not in made.lanes
    assert [(name, epoch) for name, epoch, _ in parts.store.released] == [(HOST, 1)]


async def test_a_lane_that_a_fetch_in_place_waits_for_stays_without_its_requests() -> None:
    parts = Parts(3)
    made = parts.frontier
    lane = made.lanes[HOST]
    lane.open_tickets += 1  # as an inline fetch does
    await parts.give_up(HOST)
    assert made.lanes[HOST] is lane
    assert (len(lane), lane.held, lane.more, lane.epoch, sum(map(len, made.lanes.values()))) == (0, set(), False, 0, 0)
    assert made.ready_at(lane, Request(HOST), 0.0) == math.inf
    assert parts.lanes.wanted() == [HOST]


async def test_a_budget_that_is_passed_on_lets_nothing_start() -> None:
    parts = Parts(0)
    made = parts.frontier
    made.push([keyed(1), keyed(2)])
    made.pop(0.0)
    parts.lease(KEY)
    ticket = pop(made)
    await parts.give_up(KEY, after=HOLD)
    made.wake_all()
    assert made.pop(parts.now)[0] is None
    assert (parts.lanes.wanted(), parts.store.released) == ([], [])
    made.settle(ticket)
    await parts.lanes.pass_on()
    assert [name for name, _, _ in parts.store.released] == [KEY]
    made.wake_all()
    assert made.pop(parts.now)[0] is None
    assert parts.lanes.wanted() == [KEY]


async def test_what_was_waited_for_is_kept_for_some_seconds() -> None:
    parts = Parts(0)
    parts.frontier.push([keyed(1)])
    parts.frontier.pop(0.0)
    parts.lease(KEY)
    await parts.give_up(KEY, after=HOLD - 1)
    assert (parts.lanes.next_at(), parts.store.released) == (HOLD, [])
    assert parts.frontier.budgets.may_use(KEY)
    parts.now += 1
    await parts.lanes.pass_on()
    assert [name for name, _, _ in parts.store.released] == [KEY]


async def test_the_end_releases_the_budgets() -> None:
    parts = Parts(0)
    parts.frontier.push([keyed(1)])
    parts.frontier.pop(0.0)
    parts.lease(KEY, epoch=9)
    await parts.lanes.end()
    assert [(name, epoch) for name, epoch, _ in parts.store.released] == [(KEY, 9)]
