"""Crawls of servers with limits at random, which no rule was made for: refusals, lost pages and time, by kind of limit.

::

    python tests/bench/random_limits.py [KIND ...] [--servers 100] [--first 0] [--way crawl]

Each server has a limit that it does not declare, of a random size, window or rate, round trips of a random length and
jitter, and refuses with 429 or 503, a fifth of them with ``Retry-After``. Half of the servers decide as soon as a
request has left and serve slowly; the others are fast and far away. A crawl with default settings fetches up to 1,200
pages in virtual time, beside a client that knows everything (``support.model_server``). The numbers of the servers are
their seeds: the same numbers are the same servers.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import logging
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from measure import positive  # noqa: E402
from support.limit_dialects import aligned, bucket, counter, fixed, retry_after, sliding  # noqa: E402
from support.model_server import Model, Run, run  # noqa: E402
from support.model_table import WAYS, Cell  # noqa: E402

PAGES: Final = 300
MOST_PAGES: Final = 1200
SHORTEST: Final = 4.0
"""Seconds that a crawl takes at least if more pages make it longer."""
LONGEST: Final = 108_000.0
"""Seconds that it may take at most if fewer pages make it shorter."""
LENGTHS: Final = (1, 1, 2, 3, 5, 10, 10, 15, 20, 30, 60, 60, 60, 120, 300, 600, 3600)
"""Lengths of windows in seconds, as often as they are likely; one more is drawn at random."""
PATIENT: Final = 600.0
"""Seconds of the longest window of a server that refuses with 503: it counts as out of order after 15 minutes."""
WINDOWS: Final[dict[str, Callable[..., Any]]] = {
    "fixed": fixed,
    "aligned": aligned,
    "sliding": sliding,
    "counter": counter,
}
KINDS: Final = (*WINDOWS, "bucket", "no-burst", "concurrency")


def server(kind: str, number: int) -> Model:
    """Return a server with a limit of a kind."""
    rng = random.Random(f"{kind} {number}")
    trip, jitter = log_uniform(rng, 0.005, 0.3), rng.choice((0.02, 0.1, 0.3, 0.6))
    status = rng.choice((429, 429, 503))
    refuses = [retry_after] if rng.random() < 0.2 else []
    travel = rng.choice((0.05, 0.5))

    def latency(source: random.Random, in_flight: int) -> float:
        return trip * (1.0 + jitter * source.expovariate(1.0))

    def model(each: float, **limit: Any) -> Model:
        """Return the server, with as many pages as suit the seconds that each of them takes."""
        pages = PAGES
        while pages * each < SHORTEST and pages < MOST_PAGES:
            pages *= 2
        while pages * each > LONGEST:
            pages //= 2
        return Model(
            page=__name__,
            declared=False,
            status=status,
            refuses=refuses,
            latency=latency,
            pages=pages,
            **limit,
        )

    if kind == "concurrency":
        return model(1.0, at_once=rng.randint(1, 7))
    if kind in WINDOWS:
        length, limit = float(rng.choice((*LENGTHS, round(log_uniform(rng, 1.0, 600.0), 1)))), 0
        length = min(length, PATIENT) if status == 503 else length
        limit = round(log_uniform(rng, 2.0, 150.0))
        return model(length / limit, limits=WINDOWS[kind](limit, length), travel=travel)
    rate = log_uniform(rng, 0.3, 40.0)
    size = round(log_uniform(rng, 2.0, 60.0)) if kind == "bucket" else 1
    return model(1.0 / rate, limits=bucket(size, rate), travel=travel)


def log_uniform(rng: random.Random, low: float, high: float) -> float:
    """Return a number whose logarithm is uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def crawled(kind: str, number: int, way: str) -> Run:
    """Crawl a server."""
    logging.getLogger("crawler").setLevel(logging.CRITICAL)  # warnings about waits would hide the table
    by, at_once = WAYS[way]
    return run(server(kind, number), number, by=by, at_once=at_once)


def row(name: str, runs: Sequence[Run]) -> Iterator[str]:
    """Yield the cells of a row of the table."""
    cell = Cell(runs)
    few = sum(run.refused <= 11 for run in runs)
    ratios = [one.ratio for one in runs if not one.lost]
    yield from (name, f"{len(runs)}", f"{100.0 * few / len(runs):.0f} %", f"{median(run.refused for run in runs):.0f}")
    yield from (f"{max(run.refused for run in runs)}", f"{cell.lost}")
    yield from (f"{median(ratios):.2f}", f"{sorted(ratios)[int(0.95 * (len(ratios) - 1))]:.2f}", f"{max(ratios):.2f}")


def main() -> None:
    """Crawl and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"kinds of limits, of {', '.join(KINDS)} (all)")
    parser.add_argument("--servers", type=positive, default=100, help="servers of each kind (100)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (0)")
    parser.add_argument("--way", choices=WAYS, default="crawl", help="how to fetch (crawl)")
    parser.add_argument("--jobs", type=positive, default=2, help="crawls at the same time (2)")
    options = parser.parse_args()
    for kind in options.kinds:
        if kind not in KINDS:
            parser.error(f"no kind of limit is named {kind!r}; there are {', '.join(KINDS)}")
    numbers = range(options.first, options.first + options.servers)
    print(
        "| limit | servers | at most 11 refusals | refusals | most | lost | time by the least: median | 95 % | most |"
    )
    print("| --- " * 9 + "|")
    everything: list[Run] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        waiting = {
            kind: [pool.submit(crawled, kind, number, options.way) for number in numbers]
            for kind in options.kinds or KINDS
        }
        for kind, futures in waiting.items():
            runs = [future.result() for future in futures]
            everything += runs
            print("|", " | ".join(row(kind, runs)), "|", flush=True)
    print("|", " | ".join(row("all", everything)), "|")


if __name__ == "__main__":
    main()
