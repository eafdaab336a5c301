"""Runs of whole limits against simulated servers: how many requests are refused, and how long a crawl takes."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from statistics import median
from typing import Any

from support.server_limits import AlignedWindow, FixedWindow, Limit
from support.simulator import Declaration, Server, Simulation, limits_of

Q, W, N, LANE = 60, 60.0, 300, 10
"""Units in a window, its seconds, requests of a run, and requests in flight at once."""
SEEDS = range(20 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 5)
BURST = 0.6  # seconds of the last window: 60 requests, ten at a time, 100 ms each
LEAST = (N / Q - 1) * W + BURST
"""The shortest possible time of a run, in seconds."""
QUICK = {"latency": lambda rng, now, inflight: rng.uniform(0.002, 0.006)}
"""Response times of a nearby server."""


def fixed(rng: random.Random) -> list[Limit]:
    """Return a fixed window that begins with the first request."""
    return [FixedWindow(quota=Q, window=W)]


def aligned(rng: random.Random) -> list[Limit]:
    """Return a window that is aligned to the clock."""
    return [AlignedWindow(quota=Q, window=W, phase=rng.random() * W)]


def runs(
    limits: Callable[[random.Random], list[Limit]],
    *,
    declaration: Callable[[], Declaration] = Declaration,
    server: dict[str, Any] | None = None,
    mode: Any = "auto",
    **run: Any,
) -> list[Simulation]:
    """Return one run per seed."""
    made = []
    for seed in SEEDS:
        rng = random.Random(seed)
        peer = Server(limits=limits(rng), declaration=declaration(), **(server or {}))
        made.append(Simulation(server=peer, throttle=limits_of(rng, mode=mode), rng=rng, **run).run())
    return made


def refusals(made: list[Simulation]) -> int:
    """Return the largest number of refusals in one run."""
    return max(len(run.server.refused) for run in made)


def efficiency(made: list[Simulation], least: float = LEAST) -> float:
    """Return the median of the least time divided by the time taken."""
    return median(least / run.took for run in made)


def rate(run: Simulation, begin: float, end: float) -> float:
    """Return the requests served per second between two times."""
    return sum(begin < at <= end for at in run.server.served) / (end - begin)


def longest_pause(run: Simulation) -> float:
    """Return the longest time in seconds without a served request."""
    served = [0.0, *run.server.served]
    return max(after - before for before, after in itertools.pairwise(served))
