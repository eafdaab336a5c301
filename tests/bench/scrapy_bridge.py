"""Pages per CPU second of Scrapy and of this framework, for the same Scrapy spiders on the same real sites.

::

    apt-get install nginx-light python3.13-doc sqlite3-doc postgresql-doc-17 libglib2.0-doc libboost1.83-doc
    pip install -e '.[test]'
    python tests/bench/scrapy_bridge.py [--site PACKAGE]... [--idiom NAME]... [--rounds 3] [--concurrency 16]
                                        [--against CHECKOUT]

``--against`` compares with this framework as another checkout has it, in the environment of its ``.venv``, in the place
of Scrapy: what a change costs.

Both run ``spider_scrapy.py``, or ``spider_scrapy_rules.py`` for the idiom ``rules``, in the same environment, with the
same settings, in turn: Scrapy by ``scrapy runspider``, this framework by ``crawler run``. The program fails if the
items of a page differ. A figure is the median of the rounds and counts the whole process: start of the interpreter,
imports, crawl, exit. `pages free` is the ratio if the pages took no time at all: a bound that the start sets.
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
from measure import ROOT, Program, Sites, build, measure, served
from sites import DEFAULT, SITES

IDIOMS = ("extractor", "follow", "distinct", "elements", "urljoin", "loader", "rules")
ROW = "| {} | {} | {} | {} | {} | {} |"


def bridge(concurrency: int, idiom: str, checkout: Path = ROOT) -> Program:
    """Return this framework, as a checkout has it, with the Scrapy spider."""
    for folder in ("crawler", "plugins"):
        compileall.compile_dir(checkout / folder, quiet=1)
    python = sys.executable if checkout == ROOT else checkout / ".venv/bin/python"
    names = scrapy_ratio.SETTINGS | {
        "CONCURRENT_REQUESTS": concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency,
    }
    spider, arguments = scrapy_ratio.spider_of(idiom)

    def command(url: str, output: Path) -> list[str | Path]:
        words: list[str | Path] = [python, "-P", "-m", "crawler", "run", spider, "--quiet", "-o", output]
        words += ["-a", f"front={url}", *arguments, "--log-level", "error"]
        for name, value in names.items():
            words += ["-s", f"{name}={value}"]
        return words

    return Program(f"bridge {idiom}" if checkout == ROOT else f"before {idiom}", command)


def compare(package: str, sites: Sites, idiom: str, options: argparse.Namespace) -> tuple[str, float]:
    """Measure both with one idiom on one site; return the row of the table, and the ratio."""
    other = (
        bridge(options.concurrency, idiom, options.against)
        if options.against
        else scrapy_ratio.scrapy(Path(sys.executable), options.concurrency, idiom)
    )
    programs = [other, bridge(options.concurrency, idiom)]
    print(f"\n{package}, {idiom}")
    figures = measure(programs, sites, options.rounds)
    theirs, ours = (figures[program.name] for program in programs)
    ratio = ours.rate / theirs.rate
    pages = len(theirs.runs[0].pages)
    bound = pages / ours.start / theirs.rate
    return ROW.format(package, idiom, f"{theirs.rate:.0f}", f"{ours.rate:.0f}", f"{ratio:.2f}", f"{bound:.1f}"), ratio


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="crawls by each program (3)")
    parser.add_argument("--concurrency", type=int, default=16, help="requests in flight (16)")
    parser.add_argument(
        "--site", choices=tuple(SITES), action="append", help=f"a Debian package ({', '.join(DEFAULT)})"
    )
    parser.add_argument("--idiom", choices=IDIOMS, action="append", help="how spiders find links (all)")
    parser.add_argument("--against", type=Path, help="another checkout with a .venv, in the place of Scrapy")
    options = parser.parse_args(arguments)
    name = "before" if options.against else "Scrapy"
    rows, ratios = [], []
    for package in options.site or DEFAULT:
        with served(package) as sites:
            for idiom in options.idiom or IDIOMS:
                row, ratio = compare(package, sites, idiom, options)
                rows.append(row)
                ratios.append(ratio)
    print(f"\nPages per CPU second, whole process, and times {name}. {build()}\n")
    print(ROW.format("site", "idiom", name, "this framework", "times", "pages free"))
    print(ROW.format("---", "---", *["---:"] * 4))
    print(*rows, sep="\n")
    print(f"\nmedian {median(ratios):.2f} x {name}, worst {min(ratios):.2f} x, best {max(ratios):.2f} x")


if __name__ == "__main__":
    main()
