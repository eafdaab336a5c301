"""Which host is asked whether the network is up: one that has answered before, within the limits of its lane."""

from __future__ import annotations

import math
import random

import pytest

from crawler.errors import ConnectFailed
from crawler.frontier import CheckTicket, Frontier, Lane, Pending
from crawler.http.robots import Robots
from crawler.limits.breaker import Breaker
from crawler.limits.permit import Permit
from crawler.limits.silence import SILENCE
from crawler.limits.trouble import Trouble
from crawler.messages import Request
from crawler.settings import Settings

A, B, LOCAL = "https://a.test", "https://b.test", "http://127.0.0.1:8000"
NEW = [f"https://new{number}.test" for number in range(3)]


def answered(frontier: Frontier, name: str) -> Lane:
    """Return a lane whose host has answered before."""
    lane = frontier.lanes.open(name, epoch=1, head=(), more=False)
    permit = Permit(lane.throttle)
    permit.take(0.0)
    permit.sent(0.0)
    permit.answered(0.1, status=200, headers=(), first_byte=0.1)
    frontier.outages.note_response(name)
    return lane


def fail(frontier: Frontier, scope: str, now: float) -> None:
    """Let a host fail that has never answered."""
    error = ConnectFailed("no")
    frontier.outages.failed(
        Trouble(scope=scope, contact="none", error=error, url=scope, request=object(), started=now, is_known=False), now
    )


def made(*known: str, delay: float = 0.0) -> Frontier:
    """Return a frontier with new hosts that fail at 10, and hosts that have answered before."""
    frontier = Frontier(Settings(obey_robots=False, slow_start=False, delay=delay), chance=random.Random(1))
    for name in known:
        answered(frontier, name)
    for name in NEW:
        frontier.lanes.open(name, epoch=1, head=[Pending((0, 1), Request(f"{name}/1"), name)], more=False)
        fail(frontier, name, 10.0)
    return frontier


def ask(frontier: Frontier, now: float) -> CheckTicket | None:
    return next(iter(frontier.network_checks.ask(now)), None)


def test_a_host_that_has_answered_before_is_asked_after_a_silence() -> None:
    frontier = made(A)
    assert frontier.outages.silence.check_at == 10.0 + SILENCE
    ticket, _ = frontier.pop(10.0 + SILENCE)
    assert isinstance(ticket, CheckTicket)
    assert ticket.request.url == f"{A}/robots.txt"
    assert ticket.request.depth == 1, "it may open no private network"
    assert ticket.permit.is_in_flight
    assert frontier.open_tickets == 0, "it is no page"
    assert frontier.outages.silence.check_at == math.inf
    assert frontier.lanes[A].robots.rules == {}


def test_pop_says_when_the_check_is_due() -> None:
    frontier = made(A)
    for name in NEW:
        frontier.outages.breaker_of(name).probe_at = 100.0  # type: ignore[union-attr]
    assert frontier.pop(10.0) == (None, 10.0 + SILENCE)


def test_hosts_are_asked_in_turn() -> None:
    frontier = made(A, B)
    first, second = ask(frontier, 12.0), ask(frontier, 17.0)
    assert first is not None
    assert second is not None
    assert {first.lane.name, second.lane.name} == {A, B}
    third = ask(frontier, 22.0)
    assert third is not None
    assert third.lane is first.lane


def test_a_check_that_is_put_back_is_settled() -> None:
    frontier = made(A)
    ticket = ask(frontier, 12.0)
    assert ticket is not None
    frontier.put_back(ticket)
    lane = frontier.lanes[A]
    assert (len(lane), lane.open_tickets, lane.throttle.busy, frontier.open_tickets) == (0, 0, 0, 0)
    assert frontier.outages.silence.check_at == 17.0


@pytest.mark.parametrize("reason", ["paused", "leaving", "unleased", "robots", "full", "blocked", "proxy", "waiting"])
def test_a_lane_that_may_start_nothing_is_not_asked(reason: str) -> None:
    frontier = made(A)
    lane = frontier.lanes[A]
    match reason:
        case "paused":
            lane.is_paused = True
        case "leaving":
            lane.is_leaving = True
        case "unleased":
            lane.is_leased = False
        case "robots":
            lane.robots.pending = True
        case "full":
            lane.throttle.busy = 1000
        case "blocked":
            lane.throttle.block(100.0)
        case "proxy":
            lane.names_proxy = True
        case "waiting":
            frontier.push([Pending((0, 1), Request(f"{A}/1", proxy="http://proxy.test:3128"), A)])
    assert ask(frontier, 12.0) is None
    assert frontier.outages.silence.is_checked


@pytest.mark.parametrize("name", ["shared://all", "://", "https://", "https://a.test/b?c", "https://A.test"])
def test_a_lane_whose_name_is_no_origin_is_not_asked(name: str) -> None:
    assert ask(made(name), 12.0) is None


def test_this_machine_and_lanes_of_several_hosts_are_not_asked() -> None:
    frontier = made(LOCAL, "shared")
    frontier.outages.was_online = True
    assert ask(frontier, 12.0) is None


def test_a_host_that_is_down_is_asked_only_while_the_network_is() -> None:
    frontier = made(A)
    frontier.outages._breakers[A] = Breaker(0.0)
    assert ask(frontier, 12.0) is None
    frontier.outages.network = Breaker(0.0)
    assert ask(frontier, 17.0) is not None


def test_the_request_goes_the_way_of_those_that_wait() -> None:
    frontier = made(A, B)
    frontier.reachability.route = lambda request: "" if request.url.startswith(A) else "proxy.test:3128"
    ticket = ask(frontier, 12.0)
    assert ticket is not None
    assert ticket.lane.name == B
    frontier.reachability.route = lambda request: "proxy.test:3128" if "new" in request.url else ""
    assert ask(frontier, 17.0) is None


def test_a_host_of_an_earlier_run_is_asked_one_delay_after_that_was_interrupted() -> None:
    frontier = made(delay=20.0)
    frontier.outages.was_online = True
    for name in (LOCAL, A):
        frontier.network_checks.note_absent(name, 0.0)
    assert ask(frontier, 12.0) is None
    ticket = ask(frontier, 20.0)
    assert ticket is not None
    assert (ticket.lane.name, ticket.epoch) == (A, 0)


def test_a_host_whose_lane_has_left_memory_is_asked_within_the_limits_that_it_had() -> None:
    frontier = made(A, B)
    frontier.lanes[A].throttle.block(30.0)
    for name, now in ((A, 5.0), (B, 5.5)):
        frontier.advance_clock(now)
        frontier.lanes.close(frontier.lanes[name])
    assert ask(frontier, 12.0) is None, "of lanes that leave at once one is kept in mind"
    ticket = ask(frontier, 30.0)
    assert ticket is not None
    assert (ticket.lane.name, ticket.epoch) == (A, 0)
    assert ticket.lane.throttle.concurrency.has_answered


def test_the_limits_of_a_lane_that_has_left_memory_twice_are_the_latest() -> None:
    frontier = made(A, B)
    frontier.lanes[B].names_proxy = True
    frontier.advance_clock(5.0)
    frontier.lanes.close(frontier.lanes[A])
    answered(frontier, A)
    frontier.lanes[A].throttle.block(1000.0)
    frontier.advance_clock(5.5)
    frontier.lanes.close(frontier.lanes[A])
    assert ask(frontier, 12.0) is None


def test_a_lane_that_another_worker_may_have_is_not_opened_for_a_check() -> None:
    frontier = made(A)
    frontier.holdings.are_shared = True
    frontier.advance_clock(5.0)
    frontier.lanes.close(frontier.lanes[A])
    assert ask(frontier, 12.0) is None
    assert A not in frontier.lanes, "this worker would want its lease for each link"


@pytest.mark.parametrize("reason", ["proxy", "robots delay"])
def test_a_lane_of_which_more_must_be_known_is_not_asked_after_it_has_left_memory(reason: str) -> None:
    frontier = made(A)
    if reason == "proxy":
        frontier.lanes[A].names_proxy = True
    else:
        frontier.lanes[A].set_robots(A, Robots.parse(b"User-agent: *\nCrawl-delay: 60", "crawler"))
    frontier.advance_clock(5.0)
    frontier.lanes.close(frontier.lanes[A])
    assert ask(frontier, 12.0) is None
