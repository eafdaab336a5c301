"""Pages per CPU second of this framework and of other crawlers, on the same real sites, in every idiom.

::

    apt-get install nginx-light python3.13-doc sqlite3-doc postgresql-doc-17 libglib2.0-doc libboost1.83-doc wget2
    python tests/bench/scrapy_ratio.py [--site PACKAGE]... [--rounds 3] [--concurrency 16] [--crawlee] [--wget2]

The program installs Scrapy (and Crawlee) in virtual environments in the user's cache. For each site it serves the
documentation with nginx, and all programs crawl it in turn with the same number of requests in flight and the same job:
write URL, title and number of links of each page as JSON Lines, follow every ``<a href>`` on the host, obey robots.txt.
It fails if two of them do not find the same pages.

This framework runs in the idioms ``follow``, ``follow_all``, ``request`` and ``rules`` (``spider_crawler.py``). Each is
divided by the idiom in which Scrapy needs the least CPU time on that site (``spider_scrapy.py``), which a first round
finds out. Scrapy runs with its default reactor (asyncio) and without slow features: no delay, no AutoThrottle, no
cookies, no telnet console, only errors logged. A figure is the median of the rounds and counts the whole process: start
of the interpreter, imports, crawl, exit.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from measure import ROOT, Program, build, framework, measure, served
from sites import DEFAULT, SITES

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trio-crawler-bench"
BENCH = ROOT / "tests/bench"
OURS = ("follow", "follow_all", "request", "rules")
SCRAPY = ("extractor", "follow", "distinct", "rules")
SETTINGS = {
    "AUTOTHROTTLE_ENABLED": False,
    "COOKIES_ENABLED": False,
    "DOWNLOAD_DELAY": 0,
    "LOG_LEVEL": "ERROR",
    "REMOTE_CONTROL_ENABLED": False,
    "RETRY_ENABLED": True,
    "ROBOTSTXT_OBEY": True,
    "TELNETCONSOLE_ENABLED": False,
}
ROW = "| {} | " + " | ".join(["{}"] * 8) + " |"


def python_with(packages: Sequence[str], module: str) -> Path:
    """Return the interpreter of an environment with some packages; create the environment at the first call."""
    folder = CACHE / module
    python = folder / "bin" / "python"
    if not python.exists():
        venv.EnvBuilder(with_pip=True, upgrade_deps=True).create(folder)
    if subprocess.run([python, "-c", f"import {module}"], check=False, capture_output=True).returncode != 0:
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True
        )
    return python


def spider_of(idiom: str) -> tuple[Path, list[str]]:
    """Return the file of the Scrapy spider for an idiom, and the arguments that select it."""
    if idiom == "rules":
        return BENCH / "spider_scrapy_rules.py", []
    return BENCH / "spider_scrapy.py", ["-a", f"idiom={idiom}"]


def scrapy(python: Path, concurrency: int, idiom: str) -> Program:
    """Return Scrapy with a spider of ``spider_scrapy.py``, or of ``spider_scrapy_rules.py``."""
    spider, arguments = spider_of(idiom)
    settings = SETTINGS | {"CONCURRENT_REQUESTS": concurrency, "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency}

    def command(url: str, output: Path) -> list[str | Path]:
        words: list[str | Path] = [python, "-m", "scrapy", "runspider", spider, "-o", f"{output}:jsonlines"]
        words += ["-a", f"front={url}", *arguments]
        for name, value in settings.items():
            words += ["-s", f"{name}={value}"]
        return words

    return Program(f"Scrapy {idiom}", command)


def crawlee(python: Path, concurrency: int) -> Program:
    """Return Crawlee with the spider of ``spider_crawlee.py``."""
    return Program("Crawlee", lambda url, output: [python, BENCH / "spider_crawlee.py", url, output, str(concurrency)])


def wget2(concurrency: int) -> Program:
    """Return wget2, a mirror in C. It writes no items, so its pages are not compared."""
    program = shutil.which("wget2")
    if program is None:
        raise SystemExit("wget2 is missing; install it with: apt-get install wget2")

    def command(url: str, output: Path) -> list[str | Path]:
        words: list[str | Path] = [program, "--quiet", "--recursive", "--level=0", "--no-parent", "--follow-tags=a"]
        return [*words, f"--max-threads={concurrency}", "-P", output.with_suffix(".mirror"), url]

    return Program("wget2", command, writes_items=False, exit_codes=(0, 8))  # 8: a link was dead


def measure_site(package: str, options: argparse.Namespace) -> tuple[list[str], list[float]]:
    """Measure one site; return its row of the table, and the four ratios."""
    python = python_with(["scrapy"], "scrapy")
    theirs = [scrapy(python, options.concurrency, idiom) for idiom in SCRAPY]
    ours = [framework(options.concurrency, idiom) for idiom in OURS]
    others: list[Program] = []
    if options.crawlee:
        others.append(crawlee(python_with(["crawlee[parsel]"], "crawlee"), options.concurrency))
    if options.wget2:
        others.append(wget2(options.concurrency))
    with served(package) as sites:
        print(f"\n{package}: which idiom of Scrapy is the fastest?")
        first = measure(theirs, sites, 1)
        best = max(theirs, key=lambda program: first[program.name].rate)
        print(f"\n{package}: this framework and {best.name}")
        figures = measure([best, *ours, *others], sites, options.rounds)
    base = figures[best.name]
    values = [figures[idiom].rate / base.rate for idiom in OURS]
    row = [package, str(len(base.runs[0].pages)), f"{base.rate:.0f} ({best.name.removeprefix('Scrapy ')})"]
    row += [f"{figures[idiom].rate:.0f} ({value:.1f} x)" for idiom, value in zip(OURS, values, strict=True)]
    for name in ("Crawlee", "wget2"):
        row.append(f"{figures[name].rate:.0f}" if name in figures else "–")
    return row, values


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="crawls by each program (3)")
    parser.add_argument("--concurrency", type=int, default=16, help="requests in flight (16)")
    parser.add_argument(
        "--site", choices=tuple(SITES), action="append", help=f"a Debian package ({', '.join(DEFAULT)})"
    )
    parser.add_argument("--crawlee", action="store_true", help="measure Crawlee for Python as well")
    parser.add_argument("--wget2", action="store_true", help="measure wget2 as well")
    options = parser.parse_args(arguments)
    rows, values = [], []
    for package in options.site or DEFAULT:
        row, ratios_of_site = measure_site(package, options)
        rows.append(row)
        values += ratios_of_site
    print(f"\nPages per CPU second, whole process; times the best idiom of Scrapy. {build()}\n")
    print(ROW.format("site", "pages", "Scrapy (idiom)", *OURS, "Crawlee", "wget2"))
    print(ROW.format("---", *["---:"] * 8))
    for row in rows:
        print(ROW.format(*row))
    print(f"\nmedian of the cells {median(values):.1f} x Scrapy, worst {min(values):.1f} x, best {max(values):.1f} x")


if __name__ == "__main__":
    main()
