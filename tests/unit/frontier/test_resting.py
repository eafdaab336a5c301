"""The lanes of hosts that have never answered leave memory, and come back a few at a time."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

from crawler.errors import ConnectFailed
from crawler.frontier import Frontier, Pending
from crawler.frontier.resting import MAX_TRIED, RestingHosts
from crawler.messages import Request
from crawler.outages.failed_attempt import FailedAttempt
from crawler.settings import Settings


def fail(made: Frontier, host: str, now: float) -> None:
    attempt = FailedAttempt(
        scope=host,
        contact="refused",
        error=ConnectFailed("no"),
        url=host,
        ticket=object(),
        started=now,
        is_known=False,
    )
    made.outages.failed(attempt, now)


def test_lanes_of_dead_hosts_leave_memory_and_come_back_a_few_at_a_time() -> None:
    made, clock = Frontier(Settings(obey_robots=False)), SimpleNamespace(now=0.0)
    resting = RestingHosts(made, cast("Any", lambda: clock.now))
    hosts = [f"https://h{number}.test" for number in range(3 * MAX_TRIED)]
    for host in hosts:
        made.lanes.open(host, epoch=7, head=[Pending((0, 1), Request(f"{host}/"), host)], more=False)
    for host in hosts[1:]:
        fail(made, host, 0.0)
    resting.rest()
    assert list(made.lanes) == hosts[:1]
    assert 0.0 < resting.due_at() <= 1.0
    assert made.lanes.have_work()
    clock.now = 10.0
    back = dict(resting.take(100))
    assert set(back.values()) == {7}
    assert len(back) == MAX_TRIED
    for host in back:
        made.lanes.open(host, epoch=7, head=[Pending((0, 1), Request(f"{host}/"), host)], more=False)
    assert resting.due_at() == math.inf
    made.outages.be_alone(10.0, is_alone=True)
    assert len(dict(resting.take(100))) == 2 * MAX_TRIED - 1
