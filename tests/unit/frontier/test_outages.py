"""Lanes wait for the breakers of their hosts; requests on a lane of many hosts wait by themselves."""

from __future__ import annotations

import math
import random

from crawler.errors import ConnectFailed
from crawler.frontier import Frontier, PageTicket, Pending, RefusedTicket
from crawler.messages import Request
from crawler.outages.failed_attempt import FailedAttempt
from crawler.outages.outages import OPEN_AT_ONCE, Outages
from crawler.settings import Settings

A, B = "https://a.test", "https://b.test"


def fail(outages: Outages, scope: str, now: float) -> None:
    """Let a host fail that has answered before, until its breaker is open."""
    for _ in range(OPEN_AT_ONCE):
        error = ConnectFailed("refused")
        error.kind = "refused"
        outages.failed(
            FailedAttempt(
                scope=scope, contact="refused", error=error, url=scope, ticket=object(), started=now, is_known=True
            ),
            now,
        )  # fmt: skip


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
