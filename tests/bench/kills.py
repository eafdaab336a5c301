"""Kill durable crawls at random moments, resume them, and count lost and duplicate items.

::

    python tests/bench/kills.py [--crawls 3] [--pages 6000] [--kills 40] [--seed 1]

Each crawl visits a generated web of twenty hosts with redirects, temporary errors and links out of scope, writes three
outputs, and is killed (``SIGKILL``) several times. Every other crawl commits with ``durability=power``. All lanes have
a delay; that of the last one is a second, longer than the process needs to restart, so the server would notice a crawl
that forgets its starts. The exit code is 1 if a check fails.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from integration.kills.harness import Figures, durable, read_output

HOSTS = 20
OUTPUTS = ["items.jsonl", "items.json", "items.csv"]
COLUMNS = "{:<16} {:>5} {:>6} {:>6} {:>5} {:>5} {:>9} {:>9} {:>8} {:>7} {:>6}"
NAMES = ("crawl", "kills", "pages", "items", "lost", "twice", "refetched", "in flight", "requests", "early", "wall s")


def crawl(seed: int, pages: int, kills: int, durability: str) -> Figures:
    """Run one crawl, killed and resumed until it is finished; return its figures.

    Raises:
        SystemExit: The outputs differ from each other.
    """
    pacing = {f"127.0.0.{1 + HOSTS}": {"delay": 1.0}}
    settings = {"workers": 32, "delay": 0.02, "pacing": pacing, "durability": durability}
    with (
        tempfile.TemporaryDirectory(prefix="kills-") as name,
        durable(
            Path(name), seed=seed, hosts=HOSTS, pages=pages, outputs=OUTPUTS, settings=settings, fresh=True
        ) as killed,
    ):
        killed.run_with_kills(kills, random.Random(seed))
        contents = [read_output(Path(name) / output) for output in OUTPUTS]
        if any(content != contents[0] for content in contents):
            raise SystemExit(f"seed {seed}: the outputs are not the same")
        return killed.figures()


def tell(name: str, figures: Figures) -> None:
    """Print a row of the table."""
    print(
        COLUMNS.format(
            name, figures.kills, figures.pages, figures.items, figures.lost, figures.twice, figures.refetches,
            figures.in_flight, figures.requests, figures.early, f"{figures.seconds:.1f}",
        ),
        flush=True,
    )  # fmt: skip


def main() -> None:
    """Run the crawls and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--crawls", type=int, default=3)
    parser.add_argument("--pages", type=int, default=6000, help="of each web; some of them cannot be reached (6000)")
    parser.add_argument("--kills", type=int, default=40, help="over all crawls (40)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(COLUMNS.format(*NAMES))
    total = Figures()
    holds = True
    for number in range(options.crawls):
        durability = "power" if number % 2 else "process"
        kills = options.kills // options.crawls + (number < options.kills % options.crawls)
        figures = crawl(options.seed + number, options.pages, kills, durability)
        tell(f"{options.seed + number} {durability}", figures)
        total += figures
        holds = holds and figures.holds() and figures.kills == kills
    tell("together", total)
    print(f"wrong items {total.wrong}, requests out of scope {total.trespasses}, miscounted {total.miscounted}")
    raise SystemExit(0 if holds else 1)


if __name__ == "__main__":
    main()
