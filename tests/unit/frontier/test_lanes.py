"""`Lanes`: lanes enter and leave memory."""

from __future__ import annotations

import math
import random

import pytest
from support.frontiers import HOST, fetched, frontier, number, pending, pop

from crawler.frontier import Frontier, Lane, Pending
from crawler.frontier.lanes import Windows
from crawler.limits.throttle import Throttle
from crawler.messages import Request
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
    made.lanes.pause(None)
    assert made.pop(0.0) == (None, math.inf)
    assert list(made.lanes.idle(0.0)) == []
    made.lanes.resume(None)
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
    made.block(OTHER, 100.0)
    assert list(made.lanes.idle(50.0)) == [made.lanes[HOST]]
    assert list(made.lanes.idle(100.0)) == [made.lanes[HOST], lane]


def test_a_window_stays_small_and_is_refilled_by_key() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False, per_host=1000), window=8)
    rows = [pending(n) for n in range(40)]
    lane = made.lanes.open(HOST, epoch=1, head=rows[:8], more=True)
    made.push([pending(40)])
    assert len(lane) == 8
    got = [number(pop(made)) for _ in range(7)]
    assert made.windows.to_refill() == [lane]
    made.refill(lane, [row for row in rows if row.order > lane.after][:8], more=True)
    got += [number(pop(made)) for _ in range(9)]
    assert got == list(range(16))


def test_a_flood_of_higher_priority_pushes_the_rest_back_to_the_store() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False, per_host=1000), window=8)
    lane = made.lanes.open(HOST, epoch=1, head=[pending(n) for n in range(8)], more=False)
    made.push([pending(100 + n, tier=-1) for n in range(9)])
    assert len(lane) <= 2 * 8
    assert lane.more


def test_no_request_is_issued_twice_when_a_trimmed_window_is_refilled() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False, per_host=1000), window=4)
    store = {(0, n): pending(n) for n in range(20)}
    lane = made.lanes.open(HOST, epoch=1, head=[store[0, n] for n in range(4)], more=True)
    late = pop(made)
    flood = [pending(100 + n, tier=-1) for n in range(9)]
    store |= {row.order: row for row in flood}
    made.push(flood)
    made.put_back(late, not_before=50.0)
    seen: list[tuple[int, int]] = []
    for now in (0.0, 50.0):
        while True:
            for low in made.windows.to_refill():
                behind = sorted((row for row in store.values() if row.order > low.after), key=lambda row: row.order)
                made.refill(low, behind[:4], more=len(behind) > 4)
            ticket, _ = made.pop(now)
            if ticket is None:
                break
            seen.append(ticket.pending.order)
            del store[ticket.pending.order]
            made.settle(ticket)
    assert sorted(seen) == sorted({(0, n) for n in range(20)} | {row.order for row in flood})
    assert lane.held == set()


def test_all_windows_together_stay_small_however_many_lanes_there_are() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False), window=64, max_waiting=200)
    for host in range(50):
        name = f"https://h{host}.test"
        rows = [Pending((0, n), Request(f"{name}/{n}"), name) for n in range(64)]
        made.lanes.open(name, epoch=1, head=rows[: made.windows.share()], more=True)
        made.push([Pending((-1, 1000 + n), Request(f"{name}/first/{n}"), name) for n in range(20)])
        assert sum(map(len, made.lanes.values())) <= 300
    assert made.windows.share() == 4
    ticket, _ = made.pop(0.0)
    assert ticket is not None
    assert ticket.pending.order[0] == -1


def test_a_window_that_is_reloaded_hands_nothing_out_twice() -> None:
    made = frontier(3)
    late = pop(made)
    lane = made.lanes[HOST]
    made.reload([HOST, "https://nobody.test"])
    assert made.windows.to_refill() == [lane]
    made.refill(lane, [pending(7, tier=-1), *(pending(n) for n in range(4))], more=False)
    assert [number(pop(made)) for _ in range(4)] == [7, 1, 2, 3]
    assert made.pop(0.0)[0] is None
    made.put_back(late)
    assert number(pop(made)) == 0


def test_a_request_on_a_lane_that_has_just_left_stays_in_the_store() -> None:
    made = frontier(1)
    made.lanes.close(made.lanes[HOST])
    made.push([pending(5)])
    assert sum(map(len, made.lanes.values())) == 0


def test_requests_that_were_put_back_do_not_hide_those_in_the_store() -> None:
    made = frontier(4, window=2)
    lane = made.lanes[HOST]
    tickets = [pop(made) for _ in range(4)]
    made.reload([HOST])  # a large page has brought requests that go before those
    made.refill(lane, [pending(n, tier=-5) for n in range(2)], more=True)
    for _ in range(2):
        made.settle(pop(made))
    for ticket in tickets:
        made.put_back(ticket)
    made.push([pending(9, tier=-9)])  # more than two windows: it is cut
    assert lane.ready_count() == 2
    assert lane.after == (-5, 1)


def test_a_request_that_a_refill_has_brought_is_not_pushed_again() -> None:
    made = frontier()
    lane = made.lanes[HOST]
    lane.more = True
    made.refill(lane, [pending(1)], more=False)
    made.push([pending(1)])
    assert number(pop(made)) == 1
    assert made.pop(0.0)[0] is None


def lane(name: str = HOST) -> Lane:
    return Lane(name, Throttle(name, Settings().pace(name), random.Random(1)))


def test_the_share_of_a_lane_shrinks_with_the_number_of_lanes() -> None:
    lanes = {str(n): lane(str(n)) for n in range(4)}
    windows = Windows(lanes, size=64, total=100)
    assert windows.share() == 25
    assert windows.share(6) == 10
    assert windows.share(1000) == 1
    assert Windows({}, size=64, total=100).share() == 64


def test_a_window_is_low_while_the_store_has_more_than_it_holds() -> None:
    one = lane()
    windows = Windows({HOST: one}, size=8, total=100)
    windows.refill(one, [pending(n) for n in range(8)], more=True)
    assert windows.to_refill() == []
    for _ in range(7):
        windows.pop(one, 0.0)
    assert windows.to_refill() == [one]
    windows.refill(one, [], more=False)
    assert windows.to_refill() == []
    windows.reload(one)
    assert windows.to_refill() == [one]
    windows.close(one)
    assert windows.to_refill() == []


OTHER = "http://b.test"


def test_nothing_of_a_paused_lane_starts_until_it_is_resumed() -> None:
    made = frontier(2)
    made.lanes.pause(HOST)
    assert made.pop(0.0) == (None, math.inf)
    made.lanes.resume(HOST)
    assert made.pop(0.0)[0] is not None


def test_a_pause_of_all_lanes_is_about_those_that_come_later_too() -> None:
    made = frontier(1)
    made.lanes.pause(None)
    lane = made.lanes.open(OTHER, epoch=1, head=[pending(1, host=OTHER)], more=False)
    assert lane.is_paused
    made.lanes.resume(OTHER)
    assert made.pop(0.0)[0] is not None


def test_a_pace_that_is_changed_holds_from_the_next_start_on() -> None:
    made = frontier(3)
    made.lanes.set_pace(HOST, delay=5.0)
    fetched(made, pop(made))
    assert made.pop(1.0) == (None, 5.0)
    with pytest.raises(KeyError):
        made.lanes.set_pace(OTHER, delay=1.0)


def test_a_lane_that_is_blocked_waits_and_one_that_is_not_known_is_left_alone() -> None:
    made = frontier(1)
    made.block(HOST, 9.0)
    made.block(OTHER, 99.0)
    assert made.pop(0.0) == (None, 9.0)
    assert made.next_wait() == (9.0, HOST, "pause")
