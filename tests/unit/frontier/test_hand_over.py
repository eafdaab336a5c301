"""Lanes and budgets of a shared crawl start nothing without a lease, and pass on what is known of their limits."""

from __future__ import annotations

import math

from support.frontiers import HOST, frontier, pending, pop

from crawler.frontier import Frontier, Pending
from crawler.messages import Request


def shared(count: int = 2, **options: object) -> Frontier:
    made = frontier(**options)
    made.holdings.are_shared = True
    made.lanes.open(HOST, epoch=1, head=[pending(n) for n in range(count)], more=False)
    return made


def keyed(number: int) -> Pending:
    return Pending((0, number), Request(f"{HOST}/{number}", quotas={"key:A": 1}), HOST)


def test_nothing_starts_when_the_lease_is_not_fresh() -> None:
    made = shared()
    made.holdings.until = 10.0
    assert made.pop(10.0) == (None, math.inf)
    lane = made.lanes[HOST]
    assert made.ready_at(lane, Request(HOST), 10.0) == math.inf
    made.holdings.until = 20.0
    assert made.pop(10.0)[0] is not None


def test_a_lane_of_a_request_in_place_waits_for_its_lease() -> None:
    made = shared()
    lane = made.lanes.open("http://b.test", epoch=0, head=(), more=False)
    assert made.ready_at(lane, Request("http://b.test/"), 0.0) == math.inf
    assert list(made.holdings.wanted) == ["http://b.test"]
    made.lanes.open("http://b.test", epoch=3, head=(), more=False, state={"next_start": 7.0})
    assert made.ready_at(lane, Request("http://b.test/"), 0.0) == 7.0


def test_a_request_waits_for_the_lease_of_its_budget() -> None:
    made = shared(0)
    made.push([keyed(1)])
    assert made.pop(0.0) == (None, math.inf)
    assert list(made.holdings.wanted) == ["key:A"]
    made.hand_over.open_budget("key:A", epoch=4, state={"next_start": 5.0})
    assert made.pop(0.0) == (None, 5.0)
    assert made.pop(5.0)[0] is not None


def test_a_lane_that_is_passed_on_starts_no_request_and_drains_first() -> None:
    made = shared(3)
    ticket = pop(made)
    made.hand_over.hold_back(HOST)
    assert made.pop(0.0)[0] is None
    assert made.hand_over.has_in_flight(HOST)
    made.settle(ticket)
    assert not made.hand_over.has_in_flight(HOST)
    made.hand_over.close(HOST)
    assert HOST not in made.lanes


def test_a_lane_that_a_fetch_in_place_waits_for_stays_without_its_requests() -> None:
    made = shared(3)
    lane = made.lanes[HOST]
    lane.open_tickets += 1  # as an inline fetch does
    made.hand_over.hold_back(HOST)
    assert not made.hand_over.has_in_flight(HOST)
    made.hand_over.close(HOST)
    assert made.lanes[HOST] is lane
    assert (len(lane), lane.held, lane.more, lane.epoch, made.statistics().waiting) == (0, set(), False, 0, 0)
    assert made.ready_at(lane, Request(HOST), 0.0) == math.inf
    assert list(made.holdings.wanted) == [HOST]


def test_a_budget_that_is_passed_on_lets_nothing_start() -> None:
    made = shared(0)
    made.push([keyed(1), keyed(2)])
    made.pop(0.0)
    made.hand_over.open_budget("key:A", epoch=4, state={})
    ticket = pop(made)
    made.hand_over.hold_back("key:A")
    assert made.pop(0.0)[0] is None
    assert made.hand_over.has_in_flight("key:A")
    made.settle(ticket)
    assert not made.hand_over.has_in_flight("key:A")
    made.hand_over.close("key:A")
    made.holdings.wanted.clear()
    assert made.pop(0.0)[0] is None
    made.wake_all()
    assert made.pop(0.0)[0] is None
    assert list(made.holdings.wanted) == ["key:A"]
