"""`Budget` and `Budgets`: lanes that share a limit wait for it in their order."""

from __future__ import annotations

import math
import random

from support.frontiers import HOST, answered, frontier, number, pending, pop

from crawler.frontier import Lane, Pending
from crawler.frontier.budget import Budget, Budgets
from crawler.limits.headers.declared import AttemptReport, Declared, Observation
from crawler.limits.registry import Limits
from crawler.limits.throttle import Throttle
from crawler.messages import Request
from crawler.outages.outages import Outages
from crawler.settings import Settings

B = "http://b.test"


def budgeted(n: int, host: str, **quotas: float) -> Pending:
    return Pending((0, n), Request(f"{host}/{n}", quotas=quotas), host)


def test_a_budget_wakes_the_next_lane_when_its_probe_could_not_be_sent() -> None:
    made = frontier()
    made.lanes.open(B, epoch=1, head=[], more=False)
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


def test_lanes_that_wait_for_an_expensive_request_are_woken_when_it_leaves_the_budget() -> None:
    made = frontier(per_host=1)
    made.lanes.open(B, epoch=1, head=[], more=False)
    made.push([budgeted(1, HOST, key=1.0)])
    first = pop(made)
    answered(made, first, RateLimit_Policy='"q";q=10;w=100', RateLimit='"q";r=5;t=99')
    made.settle(first)
    made.push([budgeted(2, HOST, key=8.0), budgeted(3, B, key=1.0)])
    assert made.pop(30.0)[0] is None
    made.push([pending(4, tier=-5)])  # the first lane has another request that comes first
    assert {number(pop(made, 30.0)), number(pop(made, 30.0))} == {3, 4}


def made(name: str = HOST) -> tuple[Budgets, Lane]:
    limits, settings = Limits(chance=random.Random(1)), Settings()
    outages = Outages(600.0, random.Random(1))
    budgets = Budgets(lambda name: limits.throttle(name, settings.pace), outages)
    return budgets, Lane(name, limits.throttle(name, settings.pace))


def test_lanes_wait_in_the_order_in_which_they_came() -> None:
    _, first = made("https://a.test")
    _, second = made("https://b.test")
    second.add(Pending((0, 0), Request("https://b.test/", quotas={"key": 3.0}), "https://b.test"))
    budget = Budget(Throttle("key", Settings().pace("key"), random.Random(1)))
    assert budget.cost() is None
    for lane in (first, second, first):
        budget.park(lane)
    assert list(budget.parked) == [first, second]
    assert first.parked is budget
    assert budget.cost() == 1.0  # it has no request
    budget.unpark(first)
    assert first.parked is None
    assert budget.cost() == 3.0


def test_a_permit_costs_the_lane_and_its_budgets() -> None:
    budgets, lane = made()
    plain = budgets.permit(lane, Request(HOST))
    assert (plain.lane, list(plain.budgets), plain.cost) == (lane.throttle, [], 1.0)
    shared = budgets.permit(lane, Request(HOST, quotas={"key:A": 2.0, HOST: 3.0}))
    assert [(throttle.name, cost) for throttle, cost in shared.budgets] == [("key:A", 2.0)]
    assert shared.cost == 3.0  # the request names its own lane


def test_the_waiting_requests_are_assumed_to_cost_as_much_as_those_before() -> None:
    """All that wait fit into what is left, although all of them would not at the cost of the next one."""
    budgets, lane = made()
    assert budgets["key"].average_cost == 1.0
    requests = [Request(HOST, method="POST", quotas={"key": 5.0}), Request(HOST, quotas={"key": 1.0})]
    for request in requests:
        budgets.permit(lane, request)
    assert budgets["key"].average_cost == 3.0
    budgets.backlog = lambda: 2.0
    policy = Observation(policy="p", limit=20.0, remaining=6.0, reset=(59.0, 60.0), window=60.0)
    report = AttemptReport(sent=0.0, received=0.1, status=200, declared=Declared(observations=(policy,)))
    throttle = budgets["key"].throttle
    throttle.settle(throttle.take(0.0), report, inflight=1)
    assert budgets.ready_at(lane, requests[0], 0.2)[0] <= 0.2


def test_a_request_waits_for_the_limit_that_is_ready_last() -> None:
    budgets, lane = made()
    request = Request(HOST, quotas={"a": 1.0, "b": 1.0})
    assert budgets.ready_at(lane, request, 0.0)[1:] == ("", None)
    budgets["a"].throttle.block(10.0)
    budgets["b"].throttle.block(20.0)
    assert budgets.ready_at(lane, request, 0.0) == (20.0, "refusal", budgets["b"])
    lane.throttle.block(30.0)
    assert budgets.ready_at(lane, request, 0.0) == (30.0, "refusal", None)


def test_a_limit_that_has_refused_everything_for_long_stalls_its_requests() -> None:
    budgets, lane = made()
    request = Request(HOST, quotas={"key": 1.0})
    assert not budgets.is_stalled(lane, request, 0.0)
    budgets["key"].throttle.refusal_budget.stalled_until = 10.0
    assert budgets.is_stalled(lane, request, 5.0)
    assert not budgets.is_stalled(lane, Request(HOST), 5.0)
    lane.throttle.refusal_budget.stalled_until = 10.0
    assert budgets.is_stalled(lane, Request(HOST), 5.0)


def test_a_quota_into_which_all_waiting_requests_fit_is_not_spread():
    """The store has more requests of the lane than are in memory."""
    starts = []
    for waiting in (1000.0, 40.0):
        made = frontier(4)
        made.lanes[HOST].more = True
        made.budgets.backlog = lambda waiting=waiting: waiting
        answered(made, pop(made), RateLimit_Limit="60", RateLimit_Remaining="50", RateLimit_Reset="60")
        starts.append(made.ready_at(made.lanes[HOST], pending(9).request, 0.1))
    assert starts[0] > 0.1
    assert starts[1] <= 0.1
