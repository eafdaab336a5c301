"""The cost of a dispatch while many lanes wait, each on its own limit or all on one budget.

::

    python tests/bench/lanes.py

Each line is a frontier with that number of waiting lanes (blocked for an hour, or parked under a budget that is used
up) and 100 lanes that may start. Microseconds to dispatch one request, process its response and settle it, and the part
of it that the limits of a lane without limits take; medians of 5.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import itertools
import random
import statistics
import time
import tracemalloc

from crawler.frontier import Frontier, Pending
from crawler.limits.permit import Permit
from crawler.limits.registry import Limits
from crawler.messages import Request
from crawler.settings import Settings

ACTIVE = 100
ROUNDS = 5
TURNS = 20_000
SIZES = (100, 10_000, 100_000)
FIELDS = (
    ("Server", "nginx"), ("Date", "Tue, 24 Nov 2026 20:00:00 GMT"), ("Content-Type", "text/html"),
    ("Content-Length", "4711"), ("Last-Modified", "Tue, 24 Nov 2026 20:00:00 GMT"), ("Connection", "keep-alive"),
    ("ETag", '"6740"'), ("Accept-Ranges", "bytes"), ("Vary", "Accept-Encoding"), ("Cache-Control", "max-age=60"),
    ("X-Frame-Options", "DENY"), ("X-Content-Type-Options", "nosniff"),
)  # fmt: skip


def frontier(waiting: int, *, budget: bool) -> Frontier:
    """Return a frontier with `waiting` lanes that wait and `ACTIVE` lanes that may start."""
    made = Frontier(Settings(obey_robots=False, slow_start=False), max_lanes=10**6, max_waiting=10**7)
    made.advance_clock(0.0)
    quotas = {"key": 1.0} if budget else None
    if budget:
        made.budgets["key"].throttle.block(3600.0)
    for host in range(waiting):
        name = f"https://w{host}.test"
        made.lanes.open(name, epoch=1, head=[Pending((0, 0), Request(name + "/", quotas=quotas), name)], more=False)
        if not budget:
            made.block(name, 3600.0)
    for host in range(ACTIVE):
        name = f"https://a{host}.test"
        made.lanes.open(name, epoch=1, head=[], more=False)
    return made


def dispatch(made: Frontier) -> float:
    """Return the microseconds to push, dispatch, process and settle one request."""
    now = 0.0
    numbers = itertools.count(1)
    requests = [Request(f"https://a{host}.test/x") for host in range(ACTIVE)]
    names = [f"https://a{host}.test" for host in range(ACTIVE)]
    rows = [Pending((0, next(numbers)), requests[turn % ACTIVE], names[turn % ACTIVE]) for turn in range(TURNS)]
    begun = time.perf_counter()
    for row in rows:
        now += 1e-4
        made.push([row])
        ticket, _ = made.pop(now)
        assert ticket is not None
        ticket.mark_sent(now)
        made.answered(ticket, now, status=200, headers=FIELDS, body=b"", first_byte=0.001)
        made.release(ticket)
        made.settle(ticket)
    return (time.perf_counter() - begun) / TURNS * 1e6


def limits_alone() -> float:
    """Return the microseconds that the limits of one lane take for one request."""
    throttle = Limits(chance=random.Random(1)).throttle("https://a.test", Settings().pace)
    throttle.busy = 2
    begun = time.perf_counter()
    for turn in range(TURNS):
        now = turn * 1e-3
        throttle.ready_at(now, backlog=5.0)
        permit = Permit(throttle)
        permit.enter()
        permit.take(now)
        permit.sent(now)
        permit.answered(now, status=200, headers=FIELDS, first_byte=0.001)
        permit.leave()
    return (time.perf_counter() - begun) / TURNS * 1e6


def memory() -> float:
    """Return the bytes that the limits of one lane occupy."""
    limits, settings = Limits(chance=random.Random(1)), Settings()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for host in range(2000):
        limits.throttle(f"https://a{host}.test", settings.pace)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / 2000


def main() -> None:
    """Print the table."""
    print("lanes that wait   each for itself   for one budget   (us a dispatch)")
    for waiting in SIZES:
        figures = []
        for budget in (False, True):
            made = frontier(waiting, budget=budget)
            figures.append(statistics.median(dispatch(made) for _ in range(ROUNDS)))
        print(f"{waiting:15d}   {figures[0]:15.2f}   {figures[1]:14.2f}")
    print(f"limits of a lane alone: {statistics.median(limits_alone() for _ in range(ROUNDS)):.2f} us a request")
    print(f"limits of a lane alone: {memory():.0f} bytes")


if __name__ == "__main__":
    main()
