"""Crawls servers with limits, and prints the figures of ``limit_parts`` as JSON. It imports the package to be measured.

::

    python tests/bench/limit_parts_crawls.py SEEDS SERVERS
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import json
import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Final

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import mixed_faults  # noqa: E402
import random_limits  # noqa: E402
from support.limit_models import MODELS  # noqa: E402
from support.model_server import Run, run  # noqa: E402
from support.model_table import WAYS  # noqa: E402

MARKS: Final = {"silent": (11, 1.25), "random": (11, 1.25), "declared": (0, 1.1), "stated": (1, 1.25)}
"""Refusals of a run, and its time by the least time, at most: for models and servers with random limits, silent or
declared."""
SHARES: Final = (0.03, 0.1, 0.2, 0.3)
"""Shares of the requests that are refused at random."""
CRAWLS: Final = 20
"""Crawls for each of them."""
PAGES: Final = 300


def main() -> None:
    """Crawl and print."""
    seeds, servers = map(int, sys.argv[1:])
    ways = [(name, way) for name in MODELS for way in WAYS]
    models = [(*one, seed) for one in ways if not MODELS[one[0]].declared for seed in range(seeds)]
    declared = [(*one, 0) for one in ways if MODELS[one[0]].declared]
    limits = [(kind, number, False) for kind in random_limits.KINDS for number in range(servers)]
    stated = [(kind, number, True) for kind in random_limits.DECLARED for number in range(servers)]
    chances = [(share, seed) for share in SHARES for seed in range(CRAWLS)]
    with ProcessPoolExecutor(2) as pool:
        runs = {
            "silent": list(pool.map(of_model, models, chunksize=5)),
            "declared": list(pool.map(of_model, declared, chunksize=5)),
            "random": list(pool.map(of_limit, limits, chunksize=4)),
            "stated": list(pool.map(of_limit, stated, chunksize=4)),
        }
        shares = sorted(pool.map(of_chance, chances, chunksize=4))
    refused = {f"{name}_refused": sum(run.refused > MARKS[name][0] for run in found) for name, found in runs.items()}
    late = {f"{name}_late": sum(run.ratio > MARKS[name][1] for run in found) for name, found in runs.items()}
    lost = sum(run.lost for found in runs.values() for run in found)
    low = shares[len(shares) // 10]
    print(json.dumps({**refused, **late, "share": f"{median(shares):.2f}", "low": f"{low:.2f}", "lost": lost}))


def of_model(task: tuple[str, str, int]) -> Run:
    """Crawl a model of a server: its name, the way, and the seed."""
    logging.getLogger("crawler").setLevel(logging.CRITICAL)
    name, way, seed = task
    by, at_once = WAYS[way]
    return run(MODELS[name], seed, by=by, at_once=at_once)


def of_limit(task: tuple[str, int, bool]) -> Run:
    """Crawl a server with a random limit: its kind, its number, and whether it declares the limit."""
    kind, number, declared = task
    return random_limits.crawled(kind, number, "crawl", declared=declared)


def of_chance(task: tuple[float, int]) -> float:
    """Crawl a server that refuses a share of the requests at random; return the share of the possible throughput."""
    share, seed = task
    return mixed_faults.one({"429": share}, seed, PAGES, None).share


if __name__ == "__main__":
    main()
