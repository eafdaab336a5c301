"""The frontier, without trio: `now` is a number here."""

from __future__ import annotations

import math
import random
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples

from crawler.frontier import Frontier, PageTicket, Pending, RefusedTicket, StartTicket, Ticket
from crawler.limits.pace import Pace
from crawler.messages import Request
from crawler.settings import Settings

HOST = "http://a.test"


@attrs.define
class Rules:
    """A robots.txt for tests."""

    forbidden: str = ""
    delay: float | None = None

    def allows(self, url: str) -> bool:
        return not self.forbidden or self.forbidden not in url


def pending(number: int, *, host: str = HOST, tier: int = 0, path: str | None = None) -> Pending:
    return Pending((tier, number), Request(f"{host}/{path or number}"), host)


def frontier(count: int = 0, *, window: int = 256, **options: object) -> Frontier:
    """A frontier with one open lane of `count` requests."""
    made = Frontier(
        Settings(**({"obey_robots": False, "slow_start": False} | options)), window=window, chance=random.Random(1)
    )
    made.open(HOST, epoch=1, head=[pending(n) for n in range(count)], more=False)
    return made


def pop(made: Frontier, now: float = 0.0) -> Any:
    ticket, _ = made.pop(now)
    assert ticket is not None
    return ticket


def sent(ticket: StartTicket) -> Any:
    """The bytes of its request have gone out."""
    ticket.mark_sent(ticket.now)
    return ticket


def answered(made: Frontier, ticket: StartTicket, **headers: str) -> None:
    """Its request was answered in no time."""
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    made.answered(sent(ticket), ticket.now, status=200, headers=fields, body=b"", first_byte=0.0)


def fetched(made: Frontier, ticket: StartTicket) -> None:
    """Its request was answered, and its page is committed."""
    answered(made, ticket)
    made.settle(ticket)


def number(ticket: Ticket) -> int:
    return ticket.pending.order[1]


def test_requests_come_in_the_order_of_tier_and_sequence() -> None:
    made = frontier()
    made.push([pending(3), pending(1), pending(9, tier=-5), pending(2)])
    assert [number(pop(made)) for _ in range(4)] == [9, 1, 2, 3]


def test_a_lane_hands_out_no_more_than_its_tokens() -> None:
    made = frontier(5, per_host=2)
    first, second = pop(made), pop(made)
    assert made.pop(0.0) == (None, math.inf)
    made.release(first)
    third = pop(made)
    assert number(third) == 2
    assert made.pop(0.0)[0] is None
    for ticket in (second, third, first):
        made.settle(ticket)
    assert made.handed_out == 0
    assert made.lanes[HOST].limiter.borrowed_tokens == 0


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
        made.open(host, epoch=1, head=[pending(n, host=host) for n in range(3)], more=False)
    assert [pop(made).lane.name for _ in range(6)] == ["http://a.test", "http://b.test"] * 3


def test_a_blocked_lane_holds_nobody_else() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False))
    for host in ("http://a.test", "http://b.test"):
        made.open(host, epoch=1, head=[pending(1, host=host)], more=False)
    made.block("http://a.test", 100.0)
    assert pop(made, 0.0).lane.name == "http://b.test"
    assert made.pop(0.0) == (None, 100.0)


def test_robots_txt_is_fetched_before_all_else_and_alone() -> None:
    made = frontier(3, obey_robots=True)
    robots = pop(made)
    assert robots.origin == HOST
    assert robots.request.url == HOST + "/robots.txt"
    assert made.pop(0.0) == (None, math.inf)
    made.robots.resolve(robots, Rules())
    assert [number(pop(made)) for _ in range(3)] == [0, 1, 2]


def test_what_robots_txt_forbids_is_handed_out_as_refused_without_a_token_or_pace() -> None:
    made = frontier(0, obey_robots=True, per_host=1, delay=10.0)
    made.push([pending(1, path="private"), pending(2, path="public")])
    made.robots.resolve(sent(pop(made, 0.0)), Rules(forbidden="private"))
    refused = pop(made, 10.0)
    assert isinstance(refused, RefusedTicket)
    assert refused.by == "robots"
    assert number(pop(made, 10.0)) == 2


def test_crawl_delay_is_kept_from_the_answer_on() -> None:
    made = frontier(2, obey_robots=True)
    made.robots.resolve(sent(pop(made, 0.0)), Rules(delay=7.0))
    assert made.pop(1.0) == (None, 7.0)
    pop(made, 7.0)
    assert made.pop(7.0) == (None, 14.0)


def test_a_robots_txt_that_failed_is_asked_for_again_with_its_attempts() -> None:
    made = frontier(1, obey_robots=True)
    made.put_back(pop(made, 0.0), not_before=3.0)
    assert made.pop(1.0) == (None, 3.0)
    again = pop(made, 3.0)
    assert (again.origin, again.pending.attempts) == (HOST, 1)


def two_lanes() -> tuple[Frontier, Any]:
    """Two lanes with requests of one origin, and the fetch of its robots.txt by the first of them."""
    made = Frontier(Settings(slow_start=False), chance=random.Random(1))
    for name in ("one", "two"):
        made.open(name, epoch=1, head=[Pending((0, 0), Request(f"{HOST}/{name}", lane=name), name)], more=False)
    asked = pop(made)
    assert asked.origin == HOST
    assert made.pop(0.0) == (None, math.inf)
    return made, asked


def test_one_lane_asks_for_a_robots_txt_and_the_others_wait() -> None:
    made, asked = two_lanes()
    made.robots.resolve(asked, Rules(forbidden="two"))
    assert {type(pop(made)), type(pop(made))} == {PageTicket, RefusedTicket}


def test_if_the_lane_that_asks_gives_up_another_one_asks() -> None:
    made, asked = two_lanes()
    made.put_back(asked)
    again = pop(made)
    assert (again.origin, again.pending.attempts) == (HOST, 0)
    made.put_back(again, not_before=5.0)
    assert made.pop(0.0) == (None, 5.0)
    assert pop(made, 5.0).pending.attempts == 1


def test_what_a_lane_knows_helps_one_that_comes_later() -> None:
    made, asked = two_lanes()
    made.robots.resolve(asked, Rules(), until=100.0)
    for _ in range(2):
        fetched(made, pop(made))
    made.open("three", epoch=1, head=[Pending((0, 0), Request(f"{HOST}/3", lane="three"), "three")], more=False)
    assert pop(made, 99.0).request.url == f"{HOST}/3"
    made.open("four", epoch=1, head=[Pending((0, 0), Request(f"{HOST}/4", lane="four"), "four")], more=False)
    assert pop(made, 100.0).origin == HOST


def test_of_many_origins_on_one_lane_few_are_remembered() -> None:
    made = frontier(0)
    lane = made.lanes[HOST]
    for number in range(3000):
        lane.set_robots(f"https://h{number}.test", Rules(), until=float(number))
        if number in (900, 1800):
            lane.robots.expire(float(number))
    assert len(lane.robots.rules) == len(lane.robots._until) == 1000
    assert len(lane.robots.expired) <= 1000
    assert "https://h2999.test" in lane.robots.rules


def test_a_window_stays_small_and_is_refilled_by_key() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False, per_host=1000), window=8)
    rows = [pending(n) for n in range(40)]
    lane = made.open(HOST, epoch=1, head=rows[:8], more=True)
    made.push([pending(40)])
    assert len(lane) == 8
    got = [number(pop(made)) for _ in range(7)]
    assert made.lanes_to_refill() == [lane]
    made.refill(lane, [row for row in rows if row.order > lane.after][:8], more=True)
    got += [number(pop(made)) for _ in range(9)]
    assert got == list(range(16))


def test_a_flood_of_higher_priority_pushes_the_rest_back_to_the_store() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False, per_host=1000), window=8)
    lane = made.open(HOST, epoch=1, head=[pending(n) for n in range(8)], more=False)
    made.push([pending(100 + n, tier=-1) for n in range(9)])
    assert len(lane) <= 2 * 8
    assert lane.more


def test_nothing_is_handed_out_twice_when_a_trimmed_window_is_refilled() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False, per_host=1000), window=4)
    store = {(0, n): pending(n) for n in range(20)}
    lane = made.open(HOST, epoch=1, head=[store[0, n] for n in range(4)], more=True)
    late = pop(made)
    flood = [pending(100 + n, tier=-1) for n in range(9)]
    store |= {row.order: row for row in flood}
    made.push(flood)
    made.put_back(late, not_before=50.0)
    seen: list[tuple[int, int]] = []
    for now in (0.0, 50.0):
        while True:
            for low in made.lanes_to_refill():
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


def test_idle_lanes_may_leave_and_come_back_with_their_pace() -> None:
    made = frontier(1, delay=5.0)
    lane = made.lanes[HOST]
    assert list(made.idle(0.0)) == []
    fetched(made, pop(made, 100.0))
    assert list(made.idle(100.0)) == [lane]
    state = lane.state()
    made.close(lane)
    made.open(HOST, epoch=2, head=[pending(7)], more=False, state=state)
    assert made.pop(101.0) == (None, 105.0)


def test_a_lane_whose_next_request_is_far_off_may_leave() -> None:
    made = frontier(1)
    made.put_back(pop(made), not_before=1000.0)
    assert list(made.idle(0.0)) == [made.lanes[HOST]]


@given(st.lists(st.sampled_from(["pop", "settle", "put_back", "put_off", "push"]), max_size=80), st.integers(1, 4))
@examples(200)
def test_whatever_happens_every_request_is_settled_once_and_tokens_add_up(actions: list[str], tokens: int) -> None:
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
        assert made.handed_out == len(held) == made.lanes[HOST].limiter.borrowed_tokens <= tokens
    store = {n: pending(n) for n in range(made_so_far)}
    for ticket in held:
        made.put_back(ticket)
    now += 10.0
    while len(settled) < made_so_far:
        for lane in made.lanes_to_refill():
            held_numbers = {order[1] for order in lane.held} | set(settled)
            rows = [row for n, row in store.items() if row.order > lane.after and n not in held_numbers]
            made.refill(lane, rows[:4], more=len(rows) > 4)
        ticket, _ = made.pop(now)
        assert ticket is not None
        made.settle(ticket)
        settled.append(number(ticket))
    assert sorted(settled) == list(range(made_so_far))


def test_a_lane_may_be_opened_before_its_lease_comes() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False))
    early = made.open(HOST, epoch=0, head=(), more=False)
    assert made.open(HOST, epoch=3, head=[pending(1)], more=False) is early
    assert pop(made).epoch == 3


def test_a_closed_lane_is_not_popped() -> None:
    made = frontier(1)
    made.close(made.lanes[HOST])
    assert made.pop(0.0) == (None, math.inf)


@pytest.mark.parametrize("count", [0, 3])
def test_statistics_tell_lanes_and_requests(count: int) -> None:
    made = frontier(count)
    assert made.statistics().waiting == count
    assert made.statistics().lanes == 1


def test_all_windows_together_stay_small_however_many_lanes_there_are() -> None:
    made = Frontier(Settings(obey_robots=False, slow_start=False), window=64, most_waiting=200)
    for host in range(50):
        name = f"https://h{host}.test"
        rows = [Pending((0, n), Request(f"{name}/{n}"), name) for n in range(64)]
        made.open(name, epoch=1, head=rows[: made.window_share()], more=True)
        made.push([Pending((-1, 1000 + n), Request(f"{name}/first/{n}"), name) for n in range(20)])
        assert made.statistics().waiting <= 300
    assert made.window_share() == 4
    ticket, _ = made.pop(0.0)
    assert ticket is not None
    assert ticket.pending.order[0] == -1


def test_a_lane_that_grew_behind_our_back_is_read_anew_and_hands_nothing_out_twice() -> None:
    made = frontier(3)
    late = pop(made)
    lane = made.lanes[HOST]
    made.reload([HOST, "https://nobody.test"])
    assert made.lanes_to_refill() == [lane]
    made.refill(lane, [pending(7, tier=-1), *(pending(n) for n in range(4))], more=False)
    assert [number(pop(made)) for _ in range(4)] == [7, 1, 2, 3]
    assert made.pop(0.0)[0] is None
    made.put_back(late)
    assert number(pop(made)) == 0


def test_what_comes_for_a_lane_that_has_just_left_stays_in_the_store() -> None:
    made = frontier(1)
    made.close(made.lanes[HOST])
    made.push([pending(5)])
    assert made.statistics().waiting == 0


def test_requests_that_were_put_back_do_not_hide_what_is_still_in_the_store() -> None:
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


def test_what_a_window_was_refilled_with_meanwhile_is_not_pushed_again() -> None:
    made = frontier()
    lane = made.lanes[HOST]
    lane.more = True
    made.refill(lane, [pending(1)], more=False)
    made.push([pending(1)])
    assert number(pop(made)) == 1
    assert made.pop(0.0)[0] is None


B = "http://b.test"


def budgeted(n: int, host: str, **quotas: float) -> Pending:
    return Pending((0, n), Request(f"{host}/{n}", quotas=quotas), host)


def test_a_budget_wakes_those_who_wait_when_its_probe_could_not_be_sent() -> None:
    made = frontier()
    made.open(B, epoch=1, head=[], more=False)
    made.push([budgeted(1, HOST, key=1.0)])
    first = pop(made)
    answered(made, first, RateLimit_Policy='"q";q=1;w=10', RateLimit='"q";r=0;t=10')
    made.settle(first)
    made.push([budgeted(2, HOST, key=1.0), budgeted(3, B, key=1.0)])
    assert made.pop(1.0)[0] is None
    probe = pop(made, 30.0)
    assert made.pop(30.0) == (None, math.inf)
    made.failed(probe, 30.0, overloaded=False)  # its server could not be reached
    made.settle(probe)
    assert number(pop(made, 31.0)) == 3


def test_those_behind_a_costly_request_are_woken_when_it_leaves_the_budget() -> None:
    made = frontier(per_host=1)
    made.open(B, epoch=1, head=[], more=False)
    made.push([budgeted(1, HOST, key=1.0)])
    first = pop(made)
    answered(made, first, RateLimit_Policy='"q";q=10;w=100', RateLimit='"q";r=5;t=99')
    made.settle(first)
    made.push([budgeted(2, HOST, key=8.0), budgeted(3, B, key=1.0)])
    assert made.pop(30.0)[0] is None
    made.push([pending(4, tier=-5)])  # the first lane goes on with something else
    assert {number(pop(made, 30.0)), number(pop(made, 30.0))} == {3, 4}


def test_a_crawl_delay_lowers_what_a_lane_has_in_flight_at_once() -> None:
    made = frontier(9, obey_robots=True)
    made.robots.resolve(pop(made), Rules(delay=0.5))
    assert [number(pop(made, n / 2)) for n in range(1, 3)] == [0, 1]
    assert made.pop(10.0)[0] is None


def test_a_lane_that_the_store_does_not_know_stays_while_it_has_to_wait() -> None:
    made = frontier()
    lane = made.open(B, epoch=0, head=[], more=False)
    assert list(made.idle(0.0)) == [made.lanes[HOST], lane]
    made.block(B, 100.0)
    assert list(made.idle(50.0)) == [made.lanes[HOST]]
    assert list(made.idle(100.0)) == [made.lanes[HOST], lane]
