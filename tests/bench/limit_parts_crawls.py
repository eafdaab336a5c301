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

MAX_REFUSED: Final = 11
MAX_RATIO: Final = 1.25
SHARES: Final = (0.03, 0.1, 0.2, 0.3)
"""Shares of the requests that are refused at random."""
CRAWLS: Final = 20
"""Crawls for each of them."""
PAGES: Final = 300


def main() -> None:
    """Crawl and print."""
    seeds, servers = map(int, sys.argv[1:])
    silent = [name for name, model in MODELS.items() if not model.declared]
    models = [(name, way, seed) for name in silent for way in WAYS for seed in range(seeds)]
    limits = [(kind, number) for kind in random_limits.KINDS for number in range(servers)]
    chances = [(share, seed) for share in SHARES for seed in range(CRAWLS)]
    with ProcessPoolExecutor(2) as pool:
        known = list(pool.map(of_model, models, chunksize=5))
        unknown = list(pool.map(of_limit, limits, chunksize=4))
        shares = sorted(pool.map(of_chance, chances, chunksize=4))
    runs = {"models": known, "random": unknown}
    refused = {f"{name}_refused": sum(run.refused > MAX_REFUSED for run in found) for name, found in runs.items()}
    late = {f"{name}_late": sum(run.ratio > MAX_RATIO for run in found) for name, found in runs.items()}
    lost = sum(run.lost for run in (*known, *unknown))
    low = shares[len(shares) // 10]
    print(json.dumps({**refused, **late, "share": f"{median(shares):.2f}", "low": f"{low:.2f}", "lost": lost}))


def of_model(task: tuple[str, str, int]) -> Run:
    """Crawl a model of a server: its name, the way, and the seed."""
    logging.getLogger("crawler").setLevel(logging.CRITICAL)
    name, way, seed = task
    by, at_once = WAYS[way]
    return run(MODELS[name], seed, by=by, at_once=at_once)


def of_limit(task: tuple[str, int]) -> Run:
    """Crawl a server with a random limit: its kind and number."""
    return random_limits.crawled(*task, "crawl")


def of_chance(task: tuple[float, int]) -> float:
    """Crawl a server that refuses a share of the requests at random; return the share of the possible throughput."""
    share, seed = task
    return mixed_faults.one({"429": share}, seed, PAGES, None).share


if __name__ == "__main__":
    main()
