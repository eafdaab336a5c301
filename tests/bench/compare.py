"""The speed of this framework relative to the bare loop, on the same real site, in the same run.

::

    apt-get install nginx-light libboost1.83-doc
    python tests/bench/compare.py [--site PACKAGE] [--rounds 3] [--concurrency 16] [--job]

The bare loop (``bare_loop.py``), its tight variant and this framework in every idiom of ``spider_crawler.py`` crawl a
site in turn, served by nginx, with the same number of requests in flight. The program fails if they do not find the
same pages. The headline is the ratio of the whole processes, framework to bare loop; `crawl only` excludes the
start-up.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from measure import ROOT, Program, framework, measure, served
from sites import DEFAULT, SITES
from spider_crawler import IDIOMS


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
    parser.add_argument("--site", choices=tuple(SITES), default=DEFAULT[-1], help=f"a Debian package ({DEFAULT[-1]})")
    parser.add_argument("--job", action="store_true", help="measure durable crawls as well")
    options = parser.parse_args()
    bare = [bare_loop(options.concurrency), bare_loop(options.concurrency, tight=True)]
    ours = [framework(options.concurrency, idiom) for idiom in (*IDIOMS, "rules")]
    if options.job:
        ours += [framework(options.concurrency, idiom, durable=True) for idiom in ("follow", "follow_all")]
    with served(options.site) as sites:
        figures = measure([*bare, *ours], sites, options.rounds)
    print(f"\n{'idiom':<18} {'bare loop':>12} {'tight':>8} {'crawl only':>12} {'CPU, times':>12}")
    for program in ours:
        one = figures[program.name]
        loop, tight = (figures[base.name] for base in bare)
        whole, close, crawl = one.rate / loop.rate, one.rate / tight.rate, one.crawl_rate / loop.crawl_rate
        print(f"{program.name:<18} {whole:>12.0%} {close:>8.0%} {crawl:>12.0%} {1 / whole:>12.2f}")


if __name__ == "__main__":
    main()
