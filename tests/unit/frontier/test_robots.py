"""`RobotsLookups` and `LaneRobots`: one lane fetches a robots.txt, and the others wait for its rules."""

from __future__ import annotations

import math
import random
from typing import Any

from support.frontiers import HOST, Rules, fetched, frontier, number, pending, pop, sent

from crawler.frontier import Frontier, PageTicket, Pending, RefusedTicket, RobotsTicket
from crawler.frontier.robots import LaneRobots
from crawler.messages import Request
from crawler.settings import Settings


def test_robots_txt_is_fetched_before_all_else_and_alone() -> None:
    made = frontier(3, obey_robots=True)
    robots = pop(made)
    assert robots.origin == HOST
    assert robots.request.url == HOST + "/robots.txt"
    assert made.pop(0.0) == (None, math.inf)
    made.robots.resolve(robots, Rules())
    assert [number(pop(made)) for _ in range(3)] == [0, 1, 2]


def test_a_request_that_robots_txt_forbids_gets_a_refused_ticket_without_a_token_or_pace() -> None:
    made = frontier(0, obey_robots=True, per_host=1, delay=10.0)
    made.push([pending(1, path="private"), pending(2, path="public")])
    made.robots.resolve(sent(pop(made, 0.0)), Rules(forbidden="private"))
    refused = pop(made, 10.0)
    assert isinstance(refused, RefusedTicket)
    assert refused.by == "robots"
    assert number(pop(made, 10.0)) == 2


def test_a_crawl_delay_is_kept_from_the_response_on() -> None:
    made = frontier(2, obey_robots=True)
    made.robots.resolve(sent(pop(made, 0.0)), Rules(delay=7.0))
    assert made.pop(1.0) == (None, 7.0)
    pop(made, 7.0)
    assert made.pop(7.0) == (None, 14.0)


def test_a_robots_txt_that_failed_is_fetched_again_with_its_attempts() -> None:
    made = frontier(1, obey_robots=True)
    made.robots.put_back(pop(made, 0.0), 3.0, counts=True)
    assert made.pop(1.0) == (None, 3.0)
    again = pop(made, 3.0)
    assert (again.origin, again.pending.attempts) == (HOST, 1)


def two_lanes() -> tuple[Frontier, Any]:
    """Two lanes with requests of one origin, and the fetch of its robots.txt by the first of them."""
    made = Frontier(Settings(slow_start=False), chance=random.Random(1))
    for name in ("one", "two"):
        made.lanes.open(name, epoch=1, head=[Pending((0, 0), Request(f"{HOST}/{name}", lane=name), name)], more=False)
    asked = pop(made)
    assert asked.origin == HOST
    assert made.pop(0.0) == (None, math.inf)
    return made, asked


def test_one_lane_fetches_a_robots_txt_and_the_others_wait() -> None:
    made, asked = two_lanes()
    made.robots.resolve(asked, Rules(forbidden="two"))
    assert {type(pop(made)), type(pop(made))} == {PageTicket, RefusedTicket}


def test_if_the_lane_that_fetches_a_robots_txt_gives_up_another_one_fetches_it() -> None:
    made, asked = two_lanes()
    made.put_back(asked)
    again = pop(made)
    assert (again.origin, again.pending.attempts) == (HOST, 0)
    made.robots.put_back(again, 5.0, counts=True)
    assert made.pop(0.0) == (None, 5.0)
    assert pop(made, 5.0).pending.attempts == 1


def test_a_lane_that_comes_later_takes_the_rules_of_one_that_knows_them() -> None:
    made, asked = two_lanes()
    made.robots.resolve(asked, Rules(), until=100.0)
    for _ in range(2):
        fetched(made, pop(made))
    made.lanes.open("three", epoch=1, head=[Pending((0, 0), Request(f"{HOST}/3", lane="three"), "three")], more=False)
    assert pop(made, 99.0).request.url == f"{HOST}/3"
    made.lanes.open("four", epoch=1, head=[Pending((0, 0), Request(f"{HOST}/4", lane="four"), "four")], more=False)
    assert pop(made, 100.0).origin == HOST


def test_one_lane_remembers_the_rules_of_a_bounded_number_of_origins() -> None:
    made = frontier(0)
    lane = made.lanes[HOST]
    for n in range(3000):
        lane.set_robots(f"https://h{n}.test", Rules(), until=float(n))
        if n in (900, 1800):
            lane.robots.expire(float(n))
    assert len(lane.robots.rules) == len(lane.robots._until) == 1000
    assert len(lane.robots.expired) <= 1000
    assert "https://h2999.test" in lane.robots.rules


def test_a_crawl_delay_lowers_the_concurrency_of_a_lane() -> None:
    made = frontier(9, obey_robots=True)
    made.robots.resolve(pop(made), Rules(delay=0.5))
    assert [number(pop(made, n / 2)) for n in range(1, 3)] == [0, 1]
    assert made.pop(10.0)[0] is None


def rules_of(*origins: str, until: float = math.inf) -> LaneRobots:
    made = LaneRobots()
    for origin in origins:
        made.set(origin, Rules(), until)
    return made


def test_rules_that_are_too_old_apply_if_there_are_no_others() -> None:
    made = rules_of("https://a.test", until=10.0)
    made.set("https://b.test", Rules(), 20.0)
    assert made.expires_at == 10.0
    old = made.rules["https://a.test"]
    made.expire(10.0)
    assert set(made.rules) == {"https://b.test"}
    assert made.find("https://a.test") is old
    assert made.find("https://c.test") is None
    made.set("https://a.test", new := Rules(), 30.0)
    assert made.find("https://a.test") is new
    assert made.expired == {}


def test_rules_that_are_forgotten_are_fetched_again() -> None:
    made = rules_of("https://a.test", until=10.0)
    made.forget("https://a.test")
    assert made.find("https://a.test") is None
    assert made.expires_at == math.inf


def test_the_longest_delay_counts() -> None:
    made = rules_of("https://a.test")
    assert made.delay() == 0.0
    made.set("https://b.test", Rules(delay=3.0))
    made.set("https://c.test", Rules(delay=2.0))
    assert made.delay() == 3.0


def test_requests_that_waited_for_a_robots_txt_start_even_if_it_is_too_old_by_then() -> None:
    made = frontier(4, obey_robots=True)
    made.robots.resolve(pop(made), Rules(), until=1.0, grace=2)
    assert [number(pop(made, 5.0)) for _ in range(2)] == [0, 1]
    assert isinstance(pop(made, 5.0), RobotsTicket)


def test_a_robots_txt_that_is_put_back_without_an_attempt_is_issued_again_at_once() -> None:
    made = frontier(1, obey_robots=True)
    made.put_back(pop(made))
    assert pop(made).pending.attempts == 0


def test_the_request_for_a_robots_txt_uses_the_proxy_and_position_of_the_request_that_needs_it() -> None:
    made = frontier(obey_robots=True)
    made.push([Pending((0, 1), Request(f"{HOST}/1", proxy="http://proxy.test:8080"), HOST)])
    ticket = pop(made)
    assert (ticket.origin, ticket.request.url) == (HOST, f"{HOST}/robots.txt")
    assert ticket.request.proxy == "http://proxy.test:8080"
    assert ticket.request.depth == 0
