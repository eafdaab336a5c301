"""The speed of this framework relative to the bare loop, on the same real site, in the same run.

::

    apt-get install nginx-light python3.13-doc
    python tests/bench/compare.py [--rounds 3] [--concurrency 16] [--job]

The bare loop (``bare_loop.py``), its tight variant and this framework crawl the manual of Python in turn, served by
nginx, with the same number of requests in flight. The program fails if they do not find the same pages.
The headline is the ratio of the whole processes, framework to bare loop; `crawl only` excludes the start-up.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from measure import ROOT, Program, framework, measure, served


def bare_loop(concurrency: int, *, tight: bool = False) -> Program:
    """Return the bare loop as a program."""

    def command(url: str, output: Path) -> list[str | Path]:
        words: list[str | Path] = [sys.executable, ROOT / "tests/bench/bare_loop.py", url, output]
        words += ["--concurrency", str(concurrency)]
        return [*words, "--tight"] if tight else words

    return Program("bare loop, tight" if tight else "bare loop", command)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="crawls by each program (3)")
    parser.add_argument("--concurrency", type=int, default=16, help="requests in flight (16)")
    parser.add_argument("--job", action="store_true", help="measure a durable crawl as well")
    options = parser.parse_args()
    bare = [bare_loop(options.concurrency), bare_loop(options.concurrency, tight=True)]
    ours = [framework(options.concurrency)]
    if options.job:
        ours.append(framework(options.concurrency, durable=True))
    with served() as sites:
        figures = measure([*bare, *ours], sites, options.rounds)
    for program in ours:
        for base in bare:
            whole = figures[program.name].rate / figures[base.name].rate
            crawl = figures[program.name].crawl_rate / figures[base.name].crawl_rate
            print(f"{program.name}: {whole:.0%} of the {base.name} (whole process, ratio of medians)")
            print(f"{program.name}: {crawl:.0%} of the {base.name} (crawl only)")


if __name__ == "__main__":
    main()
