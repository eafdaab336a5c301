"""Instructions of a page: of this framework, also with a Scrapy spider, of the bare loop and of Scrapy, on real sites.

::

    apt-get install nginx-light valgrind python3.13-doc libglib2.0-doc
    python tests/bench/instructions.py [--site PACKAGE]... [--program NAME]... [--concurrency 16]

Instructions do not depend on what else the machine does, so one run is enough. The programs are those of
``scrapy_ratio.py``, ``scrapy_bridge.py`` and ``compare.py``, and run in valgrind, which takes 30 to 60 times as long:
Scrapy takes minutes. The kernel is not counted. `crawl only` subtracts the instructions of the same program for a site
of one page.

The watchdog looks five times a second, so fifty times as often a page as outside of valgrind: with ``LOOK`` of
`crawler.watchdog.watchdog` at ten seconds, the figures are those of a page.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from compare import bare_loop
from measure import ROOT, Program, build, framework, served
from scrapy_bridge import IDIOMS, bridge
from scrapy_ratio import OURS, SCRAPY, python_with, scrapy
from sites import SITES

DEFAULT_SITES: Final = ("python3.13-doc", "libglib2.0-doc")
BARE: Final = "bare"
THEIRS: Final = {f"scrapy-{idiom}": idiom for idiom in SCRAPY}
BRIDGED: Final = {f"bridge-{idiom}": idiom for idiom in IDIOMS}
DEFAULT_PROGRAMS: Final = (BARE, "follow", "follow_all", "scrapy-distinct")
VALGRIND: Final = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
COUNT: Final = re.compile(r"I\s+refs:\s+([\d,]+)")
COLUMNS: Final = "{:<16} {:<16} {:>6} {:>12} {:>14} {:>14}"


def program_of(name: str, concurrency: int) -> Program:
    """Return one of the programs."""
    if name == BARE:
        return bare_loop(concurrency)
    if name in THEIRS:
        return scrapy(python_with(["scrapy"], "scrapy"), concurrency, THEIRS[name])
    return bridge(concurrency, BRIDGED[name]) if name in BRIDGED else framework(concurrency, name)


def count(program: Program, url: str, output: Path) -> tuple[int, int]:
    """Crawl a site; return the instructions and the number of pages.

    Raises:
        SystemExit: The program failed.
    """
    output.unlink(missing_ok=True)
    command = [str(word) for word in (*VALGRIND, *program.command(url, output))]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    found = COUNT.search(done.stderr)
    if done.returncode != 0 or found is None:
        raise SystemExit(f"{program.name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return int(found[1].replace(",", "")), len(output.read_bytes().splitlines())


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--site", choices=tuple(SITES), action="append", help=f"a Debian package ({', '.join(DEFAULT_SITES)})"
    )
    parser.add_argument(
        "--program", choices=(BARE, *OURS, *THEIRS, *BRIDGED), action="append", help=f"({', '.join(DEFAULT_PROGRAMS)})"
    )
    parser.add_argument("--concurrency", type=int, default=16, help="requests in flight (16)")
    options = parser.parse_args()
    print(build())
    print(COLUMNS.format("site", "program", "pages", "start, M", "a page, k", "crawl only, k"))
    for site in options.site or DEFAULT_SITES:
        with served(site) as sites, tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "pages.jsonl"
            for name in options.program or DEFAULT_PROGRAMS:
                program = program_of(name, options.concurrency)
                start, _ = count(program, sites.one_page, output)
                whole, pages = count(program, sites.manual, output)
                numbers = (
                    f"{start / 1e6:,.0f}",
                    f"{whole / pages / 1e3:,.0f}",
                    f"{(whole - start) / pages / 1e3:,.0f}",
                )
                print(COLUMNS.format(site, name, pages, *numbers), flush=True)


if __name__ == "__main__":
    main()
