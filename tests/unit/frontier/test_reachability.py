"""Requests wait for the breakers of their host and their proxy; requests on a lane of many hosts wait by themselves."""

from __future__ import annotations

import math
import random

from crawler.errors import ConnectFailed
from crawler.frontier import Frontier, PageTicket, Pending, RefusedTicket
from crawler.frontier.reachability import PUT_OFF, Reachability, given_up_error
from crawler.limits.outages import OPEN_AT_ONCE, Outages
from crawler.limits.trouble import Trouble
from crawler.messages import Request
from crawler.settings import Settings

A, B = "https://a.test", "https://b.test"


def fail(outages: Outages, scope: str, now: float, request: object = None) -> None:
    """Let a host fail that has answered before, until its breaker is open."""
    for _ in range(OPEN_AT_ONCE):
        error = ConnectFailed("refused")
        error.kind = "refused"
        outages.failed(
            Trouble(
                scope=scope, contact="none", error=error, url=scope, request=request, started=now, is_known=True
            ),
            now,
        )  # fmt: skip


def made(patience: float = 600.0) -> Reachability:
    return Reachability(Outages(patience, 3, random.Random(1)), lambda: None)


def test_a_request_waits_for_its_host_and_its_proxy() -> None:
    reachability = made()
    reachability.route = lambda request: "proxy.test:3128" if "a.test" in request.url else ""
    fail(reachability.outages, "proxy.test:3128", 0.0)
    assert reachability.scopes(Request(f"{A}/x")) == (A, "proxy.test:3128")
    assert reachability.ready_at(Request(f"{A}/x"), 0.0) > 0.0
    assert reachability.ready_at(Request(f"{B}/x"), 0.0) == -math.inf


def test_a_request_that_names_its_lane_is_put_off_alone() -> None:
    reachability, request = made(), Request(f"{A}/x", lane="shared")
    fail(reachability.outages, A, 0.0)
    assert reachability.ready_at(request, 0.0) == -math.inf
    assert 0.0 < reachability.put_off_until(request, 0.0) <= 1.0
    reachability.outages.start([A], object())
    assert reachability.put_off_until(request, 5.0) == 5.0 + PUT_OFF
    assert reachability.put_off_until(Request(f"{A}/x"), 5.0) == -math.inf


def test_the_error_of_a_host_that_was_given_up_says_why() -> None:
    reachability = made(patience=10.0)
    for now in (0.0, 12.0):
        fail(reachability.outages, A, now)
    error = reachability.refusal(Request(f"{A}/x"), 12.0)
    assert error is not None
    assert str(error) == "refused (unreachable for 12 s, given up)"
    assert (error.full_reason, error.retryable) == ("connect_failed.refused", False)
    assert reachability.refusal(Request(f"{B}/x"), 12.0) is None


def test_the_error_keeps_its_class_and_kind() -> None:
    error = ConnectFailed("refused")
    error.kind = "dns"
    copy = given_up_error(error, 60.0, Request(A))
    assert (type(copy), copy.kind) == (ConnectFailed, "dns")
    assert copy.request is not None


def frontier(patience: float = 600.0) -> Frontier:
    return Frontier(Settings(obey_robots=False, outage_patience=patience, slow_start=False), chance=random.Random(1))


def pending(number: int, url: str, **options: str) -> Pending:
    request = Request(url, **options)  # type: ignore[arg-type]
    return Pending((0, number), request, request.lane or url.rpartition("/")[0])


def test_a_lane_whose_host_is_down_sends_one_probe() -> None:
    made = frontier()
    made.lanes.open(A, epoch=1, head=[pending(n, f"{A}/{n}") for n in range(9)], more=False)
    fail(made.outages, A, 0.0)
    assert made.pop(0.0)[0] is None
    at = made.next_at()
    assert 0.0 < at <= 1.0
    probe, _ = made.pop(at)
    assert isinstance(probe, PageTicket)
    assert made.pop(at + 100.0) == (None, math.inf)
    made.put_back(probe)
    again, _ = made.pop(at + 100.0)
    assert again is not None, "a probe without a result is followed by another"


def test_other_hosts_of_a_lane_do_not_wait() -> None:
    made = frontier()
    head = [pending(n, f"{A if n < 5 else B}/{n}", lane="shared") for n in range(10)]
    made.lanes.open("shared", epoch=1, head=head, more=False)
    fail(made.outages, A, 0.0)
    urls = []
    while (popped := made.pop(0.0)[0]) is not None:
        urls.append(popped.request.url)
        made.settle(popped)
    assert urls == [f"{B}/{n}" for n in range(5, 10)]
    assert len(made.lanes["shared"]) == 5


def test_requests_of_a_host_that_was_given_up_are_refused() -> None:
    made = frontier(patience=10.0)
    made.lanes.open(A, epoch=1, head=[pending(n, f"{A}/{n}") for n in range(3)], more=False)
    for now in (0.0, 12.0):
        fail(made.outages, A, now)
    refused = [made.pop(12.0)[0] for _ in range(3)]
    assert all(isinstance(ticket, RefusedTicket) and ticket.by == "outage" for ticket in refused)
