"""Crawls of servers with limits at random, which no rule was made for: refusals, lost pages and time, by kind of limit.

::

    python tests/bench/random_limits.py [KIND ...] [--declared] [--servers 100] [--first 0] [--way crawl]

Each server has a limit that it does not declare, of a random size, window or rate, round trips of a random length and
jitter, and refuses with 429 or 503, a fifth of them with ``Retry-After``. Half of the servers decide as soon as a
request has left and serve slowly; the others are fast and far away. A crawl with default settings fetches up to 1,200
pages in virtual time, beside a client that knows everything (``support.model_server``). The numbers of the servers are
their seeds: the same numbers are the same servers.

With ``--declared`` those with a window or a bucket of tokens declare it in each response: in one of the usual sets of
fields, with a reset in one of the usual formats, rounded up or down, or without one. The clocks of half of them differ
from ours by up to a minute.
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
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import attrs

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from measure import positive  # noqa: E402
from support.limit_dialects import (  # noqa: E402
    Stated,
    aligned,
    bucket,
    counter,
    date,
    decimals,
    draft6,
    draft8,
    epoch,
    epoch_ms,
    fields,
    fixed,
    go_duration,
    http_date,
    iso,
    legacy,
    milliseconds,
    retry_after,
    second_late,
    seconds,
    sliding,
)
from support.model_server import Model, Run, run  # noqa: E402
from support.model_table import WAYS, Cell  # noqa: E402
from support.server_limits import Answer, Fields  # noqa: E402

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
DECLARED: Final = (*WINDOWS, "bucket")
"""Kinds of limits that servers declare."""
MOST_REFUSED: Final = 11
"""Refusals that are few."""
MOST_DECLARED: Final = 1
"""The same of a declared limit."""
MAX_SKEW: Final = 60.0
"""Seconds by which a server's clock differs from ours, at most."""
DAY: Final = 86400.0


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


def seconds_down(answer: Answer, reset: float) -> str:
    """State a reset as seconds from now, rounded down."""
    return str(int(reset))


def epoch_down(answer: Answer, reset: float) -> str:
    """State a reset as seconds since the epoch, rounded down."""
    return str(int(answer.now + reset))


RESETS: Final[Sequence[Stated]] = (
    *(seconds, seconds, seconds_down, decimals, epoch, epoch, epoch_down, epoch_ms, second_late),
    *(http_date, iso, go_duration, milliseconds),
)
"""Formats of resets, as often as they are likely."""
PREFIXES: Final = ("X-RateLimit-", "X-RateLimit-", "X-Rate-Limit-", "X-RateLimit-Requests-")


def words(rng: random.Random) -> Fields:
    """Return fields that declare the limit of a server."""
    prefix, by = rng.choice(PREFIXES), rng.choice(RESETS)
    return rng.choice(
        (
            *(legacy(by, prefix), legacy(by, prefix), legacy(by, prefix), legacy(seconds, "RateLimit-")),
            fields(f"{prefix}Limit", f"{prefix}Remaining"),
            fields("", f"{prefix}Remaining", f"{prefix}Reset", by=by),
            *(lambda answer: draft6(answer, answer.limits[0]), draft8("default"), draft8("default", state=False)),
        )
    )


def declared_server(kind: str, number: int) -> Model:
    """Return a server with a limit of a kind that it declares."""
    rng = random.Random(f"declared {kind} {number}")
    silent = server(kind, number)
    skew, says = rng.choice((0.0, rng.uniform(-MAX_SKEW, MAX_SKEW))), words(rng)

    def states(answer: Answer) -> dict[str, str]:
        """State the limit by the clock of the server."""
        own = attrs.evolve(answer, now=answer.now + skew)
        return {**date(own), **says(own)}

    if kind == "bucket":  # it is full again after whole seconds
        limit = silent.limits(rng)[0]
        length, to_full = max(1, round(limit.window)), rng.choice((True, True, False))
        silent = attrs.evolve(silent, limits=bucket(limit.quota, limit.quota / length, states_time_to_full=to_full))
    return attrs.evolve(silent, declared=True, says=[states], begins=DAY)


def log_uniform(rng: random.Random, low: float, high: float) -> float:
    """Return a number whose logarithm is uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def crawled(kind: str, number: int, way: str, *, declared: bool = False) -> Run:
    """Crawl a server."""
    logging.getLogger("crawler").setLevel(logging.CRITICAL)  # warnings about waits would hide the table
    by, at_once = WAYS[way]
    model = declared_server(kind, number) if declared else server(kind, number)
    return run(model, number, by=by, at_once=at_once)


def row(name: str, runs: Sequence[Run], most: int) -> Iterator[str]:
    """Yield the cells of a row of the table; `most`: refusals that are few."""
    cell = Cell(runs)
    few = sum(run.refused <= most for run in runs)
    ratios = [one.ratio for one in runs if not one.lost]
    yield from (name, f"{len(runs)}", f"{100.0 * few / len(runs):.0f} %", f"{median(run.refused for run in runs):.0f}")
    yield from (f"{max(run.refused for run in runs)}", f"{cell.lost}")
    yield from (f"{median(ratios):.2f}", f"{sorted(ratios)[int(0.95 * (len(ratios) - 1))]:.2f}", f"{max(ratios):.2f}")


def main() -> None:
    """Crawl and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"kinds of limits, of {', '.join(KINDS)} (all)")
    parser.add_argument("--declared", action="store_true", help=f"they declare it: {', '.join(DECLARED)}")
    parser.add_argument("--servers", type=positive, default=100, help="servers of each kind (100)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (0)")
    parser.add_argument("--way", choices=WAYS, default="crawl", help="how to fetch (crawl)")
    parser.add_argument("--jobs", type=positive, default=2, help="crawls at the same time (2)")
    options = parser.parse_args()
    kinds, most = (DECLARED, MOST_DECLARED) if options.declared else (KINDS, MOST_REFUSED)
    for kind in options.kinds:
        if kind not in kinds:
            parser.error(f"no kind of limit is named {kind!r}; there are {', '.join(kinds)}")
    numbers = range(options.first, options.first + options.servers)
    few = f"at most {most} refusal{'s' * (most != 1)}"
    print(f"| limit | servers | {few} | refusals | most | lost | time by the least: median | 95 % | most |")
    print("| --- " * 9 + "|")
    everything: list[Run] = []
    crawl = partial(crawled, way=options.way, declared=options.declared)
    with ProcessPoolExecutor(options.jobs) as pool:
        waiting = {kind: [pool.submit(crawl, kind, number) for number in numbers] for kind in options.kinds or kinds}
        for kind, futures in waiting.items():
            runs = [future.result() for future in futures]
            everything += runs
            print("|", " | ".join(row(kind, runs, most)), "|", flush=True)
    print("|", " | ".join(row("all", everything, most)), "|")


if __name__ == "__main__":
    main()
