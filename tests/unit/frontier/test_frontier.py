"""`Frontier`: order, tokens, pace, and that every ticket is settled once."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples
from support.frontiers import HOST, fetched, frontier, number, pending, pop, sent

from crawler.frontier import Frontier, Ticket
from crawler.limits.pace import Pace
from crawler.settings import Settings

OTHER = "http://b.test"


def test_requests_come_in_the_order_of_tier_and_sequence() -> None:
    made = frontier()
    made.push([pending(3), pending(1), pending(9, tier=-5), pending(2)])
    assert [number(pop(made)) for _ in range(4)] == [9, 1, 2, 3]


def test_a_lane_issues_no_more_tickets_than_it_has_tokens() -> None:
    made = frontier(5, per_host=2)
    first, second = pop(made), pop(made)
    assert made.pop(0.0) == (None, math.inf)
    made.release(first)
    third = pop(made)
    assert number(third) == 2
    assert made.pop(0.0)[0] is None
    for ticket in (second, third, first):
        made.settle(ticket)
    assert made.open_tickets == 0
    assert made.lanes[HOST].throttle.busy == 0


def test_starts_of_a_lane_are_a_delay_apart() -> None:
    made = frontier(3, delay=2.0)
    fetched(made, pop(made, 10.0))
    assert made.pop(11.0) == (None, 12.0)
    fetched(made, pop(made, 12.5))
    assert made.pop(14.0) == (None, 14.5)


def test_jitter_only_lengthens_the_delay() -> None:
    made = frontier(2, delay=2.0, jitter=0.5)
    fetched(made, pop(made, 0.0))
    _, at = made.pop(0.0)
    assert 2.0 <= at <= 3.0


def test_a_rate_is_kept_with_its_burst() -> None:
    made = frontier(4, pacing={"a.test": Pace(rate="60/min", burst=2)})
    fetched(made, pop(made, 0.0))
    fetched(made, pop(made, 0.0))
    assert made.pop(0.0) == (None, 1.0)
    fetched(made, pop(made, 1.0))
    assert made.pop(1.0) == (None, 2.0)


def test_pace_comes_back_only_if_nothing_was_sent() -> None:
    made = frontier(2, delay=5.0)
    unsent = pop(made, 0.0)
    made.put_back(unsent)
    again = pop(made, 0.0)
    assert number(again) == 0
    made.put_back(sent(again))
    assert made.pop(0.0) == (None, 5.0)


def test_a_ticket_that_is_put_back_does_not_undo_the_pace_of_a_later_start() -> None:
    made = frontier(3, delay=1.0)
    first = pop(made, 0.0)
    pop(made, 1.0)
    made.put_back(first)
    assert made.pop(1.5) == (None, 2.0)


def test_a_request_that_is_put_back_keeps_its_place() -> None:
    made = frontier(3)
    tickets = [pop(made) for _ in range(2)]
    made.put_back(tickets[1])
    made.put_back(tickets[0])
    assert [number(pop(made)) for _ in range(3)] == [0, 1, 2]


def test_a_request_that_is_put_off_lets_others_go_first() -> None:
    made = frontier(2)
    made.put_back(pop(made), not_before=30.0)
    assert number(pop(made)) == 1
    assert made.pop(1.0) == (None, 30.0)
    assert number(pop(made, 30.0)) == 0


def test_lanes_take_turns() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False, per_host=100))
    for host in ("http://a.test", "http://b.test"):
        made.lanes.open(host, epoch=1, head=[pending(n, host=host) for n in range(3)], more=False)
    assert [pop(made).lane.name for _ in range(6)] == ["http://a.test", "http://b.test"] * 3


def test_several_tickets_are_issued_together_as_one_by_one() -> None:
    def made() -> Frontier:
        one = frontier(3, per_host=2, delay=0.0)
        one.lanes.open(OTHER, epoch=1, head=[pending(n, host=OTHER) for n in range(10, 15)], more=False)
        return one

    tickets, at = made().pop_several(0.0, 3)
    one_by_one = made()
    assert [number(ticket) for ticket in tickets] == [number(pop(one_by_one)) for _ in range(3)] == [0, 10, 1]
    assert at == 0.0
    tickets, at = made().pop_several(0.0, 9)
    assert [number(ticket) for ticket in tickets] == [0, 10, 1, 11]  # as many as the lanes have tokens
    assert at == math.inf


def test_a_lane_alone_issues_several_tickets_at_its_pace() -> None:
    made = frontier(5, per_host=4, pacing={"a.test": Pace(rate="60/min", burst=2)})
    tickets, at = made.pop_several(0.0, 4)
    assert [number(ticket) for ticket in tickets] == [0, 1]
    assert at == pytest.approx(1.0)
    assert [number(ticket) for ticket in made.pop_several(at, 4)[0]] == [2]


def test_a_blocked_lane_holds_up_no_other() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False))
    for host in ("http://a.test", "http://b.test"):
        made.lanes.open(host, epoch=1, head=[pending(1, host=host)], more=False)
    made.block("http://a.test", 100.0)
    assert pop(made, 0.0).lane.name == "http://b.test"
    assert made.pop(0.0) == (None, 100.0)


@given(st.lists(st.sampled_from(["pop", "settle", "put_back", "put_off", "push"]), max_size=80), st.integers(1, 4))
@examples(200)
def test_in_any_order_of_calls_each_request_is_settled_once_and_tokens_add_up(actions: list[str], tokens: int) -> None:
    made = frontier(3, per_host=tokens, window=4)
    held: list[Ticket] = []
    settled: list[int] = []
    made_so_far, now = 3, 0.0
    for action in actions:
        now += 1.0
        if action == "push":
            made.push([pending(made_so_far)])
            made_so_far += 1
        elif action == "pop":
            ticket, _ = made.pop(now)
            held += [ticket] if ticket else []
        elif held:
            ticket = held.pop(0)
            if action == "settle":
                made.settle(ticket)
                settled.append(number(ticket))
            else:
                made.put_back(ticket, now + 5.0 if action == "put_off" else -math.inf)
        assert made.open_tickets == len(held) == made.lanes[HOST].throttle.busy <= tokens
    store = {n: pending(n) for n in range(made_so_far)}
    for ticket in held:
        made.put_back(ticket)
    now += 10.0
    while len(settled) < made_so_far:
        for lane in made.windows.to_refill():
            held_numbers = {order[1] for order in lane.held} | set(settled)
            rows = [row for n, row in store.items() if row.order > lane.after and n not in held_numbers]
            made.refill(lane, rows[:4], more=len(rows) > 4)
        ticket, _ = made.pop(now)
        assert ticket is not None
        made.settle(ticket)
        settled.append(number(ticket))
    assert sorted(settled) == list(range(made_so_far))


@pytest.mark.parametrize("count", [0, 3])
def test_statistics_tell_lanes_and_requests(count: int) -> None:
    made = frontier(count)
    assert sum(map(len, made.lanes.values())) == count
    assert len(made.lanes) == 1


NOW = 1_000.0


def test_a_lane_waits_after_a_refusal_and_not_after_a_response() -> None:
    made = frontier(3)
    fetched(made, pop(made, NOW))
    refused = sent(pop(made, NOW))
    made.refused(refused, NOW)
    made.settle(refused)
    ticket, at = made.pop(NOW)
    assert ticket is None
    assert at > NOW


def test_the_start_of_a_request_that_was_not_sent_comes_back() -> None:
    made = frontier(2, delay=60.0)
    ticket = pop(made, NOW)
    assert made.pop(NOW)[0] is None
    made.refund(ticket)
    assert made.pop(NOW)[0] is not None


def test_a_delay_counts_from_the_moment_in_which_the_request_goes_out() -> None:
    made = frontier(2, delay=10.0)
    made.reports_sending = True
    ticket = pop(made, NOW)
    made.sent(ticket, NOW + 3)
    assert made.next_at() == NOW + 13
    made.failed(ticket, NOW + 4, overloaded=False)
    made.settle(ticket)
    assert made.lanes[HOST].open_tickets == 0
    assert made.next_at() == NOW + 13
