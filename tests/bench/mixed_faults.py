"""Crawls of a server without limits whose responses fail at random: how much of the possible throughput they reach.

::

    python tests/bench/mixed_faults.py [429=0.2 429=0.1,503=0.1 mixed ...] [--seeds 25] [--first 1000] [--pages 300]

A case is a mix of faults, each with the share of the responses that have it: ``reset`` (the connection is reset),
``cut`` (the body breaks off), ``503`` and ``429`` (refusals without a stated wait), ``drip`` (a body that takes three
seconds). ``mixed`` is a tenth of each. Every seed is one crawl in virtual time, so the load of the machine changes
nothing. `share` is the time of a client that repeats every failure at once, with eight requests in flight, divided by
the time of the crawl: the median, the tenth percentile and the minimum of all seeds. `refused` is the median of the
refusals, `lost` counts the pages that failed for good, in all crawls.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import logging
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import attrs

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from measure import positive  # noqa: E402
from support.faulty_server import KINDS, FaultyServer, shortest_time  # noqa: E402
from support.virtual import run_virtually, seeded  # noqa: E402

from crawler import Request, Response, Settings, Spider, crawl  # noqa: E402

MIXED = dict.fromkeys(KINDS, 0.1)
CASES = (
    *("429=0.05", "429=0.1", "429=0.2", "429=0.3"),
    *("503=0.1", "503=0.2", "reset=0.2", "cut=0.2", "drip=0.2", "429=0.1,503=0.1", "429=0.1,reset=0.1", "mixed"),
)
AT_ONCE = 8
LONGEST = 100_000.0
"""Maximum duration of one crawl, in seconds of virtual time."""
ROW = "{:<20} {:>7} {:>7} {:>7} {:>8} {:>5}"


@attrs.frozen
class Result:
    """One crawl."""

    share: float
    """Share of the possible throughput that it reached."""
    refused: int
    lost: int


class Pages(Spider):
    """Fetches some pages of one host."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def start(self) -> Iterator[Request]:
        """Yield the requests."""
        for number in range(self._count):
            yield Request(f"https://h0.test/{number}")

    def parse(self, response: Response) -> Any:
        """Keep nothing."""


def shares_of(case: str) -> dict[str, float]:
    """Return the share of each fault in a case.

    Raises:
        argparse.ArgumentTypeError: It is no case.
    """
    if case == "mixed":
        return dict(MIXED)
    try:
        shares = {kind: float(share) for kind, _, share in (part.partition("=") for part in case.split(","))}
    except ValueError:
        shares = {}
    if not shares or not shares.keys() <= set(KINDS) or not 0.0 <= sum(shares.values()) < 1.0:
        raise argparse.ArgumentTypeError(f"not a mix of {', '.join(KINDS)}: {case!r} (write 429=0.1,reset=0.05)")
    return shares


def one(shares: Mapping[str, float], seed: int, pages: int, per_host: int | None) -> Result:
    """Run one crawl."""
    logging.getLogger("crawler").setLevel(logging.ERROR)  # warnings about waits would hide the table
    settings = Settings(obey_robots=False, max_seconds=LONGEST)
    if per_host is not None:
        settings |= Settings(per_host=per_host)
    server = FaultyServer(random.Random(seed), shares)
    report = run_virtually(lambda: crawl(Pages(pages), transport=server, settings=settings), randomness=seeded(seed))
    best = shortest_time(FaultyServer(random.Random(seed), shares), pages, per_host or AT_ONCE)
    refusals = sum(lane["refusals"] for lane in report.lanes.values())
    return Result(best / report.seconds, refusals, pages - report.pages)


def line(case: str, results: Sequence[Result]) -> str:
    """Return the line of a case."""
    shares = sorted(result.share for result in results)
    values = (median(shares), shares[len(shares) // 10], shares[0])
    refused = median(result.refused for result in results)
    return ROW.format(case, *(f"{value:.2f}" for value in values), f"{refused:g}", sum(one.lost for one in results))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", default=CASES, help="mixes of faults (a dozen of them)")
    parser.add_argument("--seeds", type=positive, default=25, help="crawls of each mix (25)")
    parser.add_argument("--first", type=int, default=0, help="first seed; others than the default are held out (0)")
    parser.add_argument("--pages", type=positive, default=300, help="pages of a crawl (300)")
    parser.add_argument("--per-host", type=positive, help="requests in flight that the user asks for (the default)")
    parser.add_argument("--jobs", type=positive, default=2, help="crawls at the same time (2)")
    options = parser.parse_args()
    try:
        mixes = {case: shares_of(case) for case in options.cases}
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    seeds = range(options.first, options.first + options.seeds)
    print(ROW.format("faults", "share", "p10", "minimum", "refused", "lost"))
    with ProcessPoolExecutor(options.jobs) as pool:
        runs = {
            case: [pool.submit(one, mix, seed, options.pages, options.per_host) for seed in seeds]
            for case, mix in mixes.items()
        }
        for case, futures in runs.items():
            print(line(case, [future.result() for future in futures]), flush=True)


if __name__ == "__main__":
    main()
