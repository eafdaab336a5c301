"""`Lanes`: lanes enter and leave memory."""

from __future__ import annotations

import math

from support.frontiers import HOST, fetched, frontier, pending, pop

from crawler.frontier import Frontier
from crawler.settings import Settings

OTHER = "http://b.test"


def test_there_is_room_for_as_many_lanes_as_the_frontier_may_hold() -> None:
    made = Frontier(Settings(), max_lanes=2)
    assert made.lanes.room() == 2
    for host, room in ((HOST, 1), (OTHER, 0), ("http://c.test", 0)):
        made.lanes.open(host, epoch=1, head=[], more=False)
        assert made.lanes.room() == room


def test_a_paused_lane_stays_in_memory() -> None:
    made = frontier(3)
    made.controls.pause(None)
    assert made.pop(0.0) == (None, math.inf)
    assert list(made.lanes.idle(0.0)) == []
    made.controls.resume(None)
    assert made.pop(0.0)[0] is not None


def test_idle_lanes_may_leave_and_come_back_with_their_pace() -> None:
    made = frontier(1, delay=5.0)
    lane = made.lanes[HOST]
    assert list(made.lanes.idle(0.0)) == []
    fetched(made, pop(made, 100.0))
    assert list(made.lanes.idle(100.0)) == [lane]
    state = lane.state()
    made.lanes.close(lane)
    made.lanes.open(HOST, epoch=2, head=[pending(7)], more=False, state=state)
    assert made.pop(101.0) == (None, 105.0)


def test_a_lane_whose_next_request_is_far_off_may_leave() -> None:
    made = frontier(1)
    made.put_back(pop(made), not_before=1000.0)
    assert list(made.lanes.idle(0.0)) == [made.lanes[HOST]]


def test_a_lane_may_be_opened_before_its_lease_comes() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False))
    early = made.lanes.open(HOST, epoch=0, head=(), more=False)
    assert made.lanes.open(HOST, epoch=3, head=[pending(1)], more=False) is early
    assert pop(made).epoch == 3


def test_a_closed_lane_is_not_popped() -> None:
    made = frontier(1)
    made.lanes.close(made.lanes[HOST])
    assert made.pop(0.0) == (None, math.inf)


def test_a_lane_that_the_store_does_not_have_stays_while_it_has_to_wait() -> None:
    made = frontier()
    lane = made.lanes.open(OTHER, epoch=0, head=[], more=False)
    assert list(made.lanes.idle(0.0)) == [made.lanes[HOST], lane]
    made.controls.block(OTHER, 100.0)
    assert list(made.lanes.idle(50.0)) == [made.lanes[HOST]]
    assert list(made.lanes.idle(100.0)) == [made.lanes[HOST], lane]
