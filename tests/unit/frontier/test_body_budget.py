"""Memory for large bodies: what waits, what starts, and that all of it is released."""

from __future__ import annotations

import math

import trio
from support.frontiers import frontier, pop

from crawler.frontier import Frontier, StartTicket
from crawler.frontier.body_budget import LARGE_BODY

MIB = 1024 * 1024


def tickets(made: Frontier, count: int) -> list[StartTicket]:
    return [pop(made) for _ in range(count)]


def granted(event: trio.Event | None) -> bool:
    return event is None or event.is_set()


def test_bodies_wait_in_their_order_until_they_fit() -> None:
    made = frontier(9, per_host=9, max_active_size=10 * MIB)
    held = tickets(made, 4)
    events = [made.bodies.reserve(one, size * MIB) for one, size in zip(held, (6, 5, 1, 99), strict=True)]
    assert [granted(event) for event in events] == [True, False, False, False]  # 1 MiB would fit, but 5 were first
    made.settle(held[0])
    assert [granted(event) for event in events] == [True, True, True, False]
    made.settle(held[1])
    assert not granted(events[3])
    made.put_back(held[2])
    assert granted(events[3])  # a body that is too large for the budget goes alone


def test_when_a_wait_ends_the_next_body_gets_the_memory() -> None:
    made = frontier(9, per_host=9, max_active_size=10 * MIB)
    one, two, three = tickets(made, 3)
    made.bodies.reserve(one, 9 * MIB)
    waits, small = made.bodies.reserve(two, 9 * MIB), made.bodies.reserve(three, MIB)
    made.put_back(two)  # its deadline has passed, for example
    assert not granted(waits)
    assert granted(small)
    made.settle(one)
    made.settle(three)
    assert not made.bodies._held
    assert made.bodies._reserved == 0


def test_a_body_that_arrived_although_it_had_to_wait_is_counted_once() -> None:
    made = frontier(9, per_host=9, max_active_size=10 * MIB)
    one, two = tickets(made, 2)
    made.bodies.reserve(one, 9 * MIB)
    made.bodies.reserve(two, 9 * MIB)
    made.bodies.resize(two, 3 * MIB)
    made.settle(one)
    assert made.bodies._reserved == 3 * MIB
    made.settle(two)
    assert made.bodies._reserved == 0


def test_a_request_that_has_a_part_does_not_wait_for_more() -> None:
    made = frontier(9, per_host=9, max_active_size=10 * MIB)
    one, two = tickets(made, 2)
    assert made.bodies.reservation(one).reserve(5 * MIB) is None
    assert made.bodies.reservation(two).reserve(5 * MIB) is None
    assert made.bodies.reservation(one).reserve(8 * MIB) is None


def test_an_inline_fetch_does_not_wait() -> None:
    made = frontier(9, per_host=9, max_active_size=10 * MIB)
    [page] = tickets(made, 1)
    made.bodies.reserve(page, 9 * MIB)
    inline = made.inline_ticket(page.lane, page.request, 0.0)
    assert made.bodies.reserve(inline, 9 * MIB) is None
    made.bodies.release(inline)
    assert made.bodies._reserved == 9 * MIB


def test_no_request_starts_while_a_body_waits() -> None:
    made = frontier(9, per_host=9, max_active_size=10 * MIB)
    one, two = tickets(made, 2)
    made.bodies.reserve(one, 9 * MIB)
    made.bodies.reserve(two, 9 * MIB)
    assert made.pop(0.0) == (None, math.inf)
    made.put_back(one)
    assert made.pop(0.0)[0] is not None


def test_requests_start_as_the_usual_size_allows() -> None:
    made = frontier(99, per_host=99, max_active_size=10 * MIB)
    for _ in range(40):
        made.bodies.note(4 * MIB)
    held = tickets(made, 2)
    assert made.pop(0.0) == (None, math.inf)
    for _ in range(40):
        made.bodies.note(LARGE_BODY)
    assert made.pop(0.0)[0] is not None
    for ticket in held:
        made.settle(ticket)


def test_small_bodies_hold_nothing_back() -> None:
    made = frontier(99, per_host=99, max_active_size=1)
    for _ in range(99):
        made.bodies.note(LARGE_BODY)
        tickets(made, 1)


def test_one_request_may_always_start() -> None:
    made = frontier(9, per_host=9, max_active_size=1)
    for _ in range(40):
        made.bodies.note(100 * MIB)
    tickets(made, 1)
    assert made.pop(0.0) == (None, math.inf)
