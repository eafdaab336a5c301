"""Pages per CPU second of Scrapy and of this framework, for the same Scrapy spider with a `LinkExtractor`.

::

    apt-get install nginx-light python3.13-doc sqlite3-doc postgresql-doc-17 libglib2.0-doc libboost1.83-doc
    pip install -e '.[test]'
    python tests/bench/scrapy_bridge.py [--site PACKAGE]... [--rounds 3] [--concurrency 16] [--idiom extractor]

Both run the file ``spider_scrapy.py`` in the same environment, with the same settings, in turn: Scrapy by ``scrapy
runspider``, this framework by ``crawler run``. The program fails if the items of a page differ. A figure is the median
of the rounds and counts the whole process: start of the interpreter, imports, crawl, exit.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import compileall
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import scrapy_ratio
from measure import ROOT, Program, build, measure, served
from sites import DEFAULT, SITES

SPIDER = ROOT / "tests/bench/spider_scrapy.py"


def bridge(concurrency: int, idiom: str) -> Program:
    """Return this framework with the Scrapy spider."""
    for folder in ("crawler", "plugins"):
        compileall.compile_dir(ROOT / folder, quiet=1)
    names = scrapy_ratio.SETTINGS | {
        "CONCURRENT_REQUESTS": concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency,
    }

    def command(url: str, output: Path) -> list[str | Path]:
        words: list[str | Path] = [sys.executable, "-m", "crawler", "run", SPIDER, "--quiet", "-o", output]
        words += ["-a", f"front={url}", "-a", f"idiom={idiom}", "--log-level", "error"]
        for name, value in names.items():
            words += ["-s", f"{name}={value}"]
        return words

    return Program(f"bridge {idiom}", command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="crawls by each program (3)")
    parser.add_argument("--concurrency", type=int, default=16, help="requests in flight (16)")
    parser.add_argument(
        "--site", choices=tuple(SITES), action="append", help=f"a Debian package ({', '.join(DEFAULT)})"
    )
    parser.add_argument("--idiom", default="extractor", help="one of spider_scrapy.py (extractor)")
    options = parser.parse_args(arguments)
    ratios = []
    for package in options.site or DEFAULT:
        programs = [
            scrapy_ratio.scrapy(Path(sys.executable), options.concurrency, options.idiom),
            bridge(options.concurrency, options.idiom),
        ]
        with served(package) as sites:
            print(f"\n{package}")
            figures = measure(programs, sites, options.rounds)
        theirs, ours = (figures[program.name].rate for program in programs)
        ratios.append(ours / theirs)
        print(f"{package}: {ours:.0f} pages per CPU second, {theirs:.0f} by Scrapy: {ours / theirs:.1f} x")
    print(f"\nmedian {median(ratios):.1f} x Scrapy. {build()}")


if __name__ == "__main__":
    main()
