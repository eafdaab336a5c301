"""Shared by the benchmarks: run crawling programs in turn, count pages and CPU seconds, compare.

A program is a command that crawls the site at a URL and writes JSON Lines: ``url``, ``title``, and ``links``, the
number of distinct web URLs (without fragments) of its ``<a href>``. It runs as a child process whose CPU seconds, user
and system, are read with `os.wait4`, so they do not include those of nginx and of this process.

**The headline is the whole process**: start of the interpreter, imports, crawl, exit. *Crawl only* subtracts the CPU
seconds of the same program for a site of one page (median of three).
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from integration.nginx.nginx import free_ports, running, serve  # noqa: E402
from sites import DEFAULT, folder  # noqa: E402

__all__ = [
    "Figures", "Program", "Run", "Sites", "build", "framework", "free_ports", "measure", "running", "serve", "served",
]  # fmt: skip

ONE_PAGE = "<!doctype html><title>One page</title><p>No links.</p>"
FEW = 5
"""Maximum difference between the link counts of two programs for a whole site."""
COLUMNS = "{:<16} {:>7} {:>6} {:>8} {:>8} {:>13} {:>13}"


@dataclass(frozen=True)
class Program:
    """A crawler that can be run as a command."""

    name: str
    command: Callable[[str, Path], Sequence[str | Path]]
    """The command that crawls a URL into a file."""
    writes_items: bool = True
    """Whether there is a file to compare; without one, the pages of the first program count."""
    exit_codes: tuple[int, ...] = (0,)
    """Exit codes of a crawl that succeeded."""


@dataclass(frozen=True)
class Run:
    """One crawl by one program."""

    pages: Mapping[str, tuple[str, int]]
    """Title (white space collapsed) and number of links, by URL without fragment."""
    wall: float
    """Seconds from start to exit."""
    cpu: float
    """CPU seconds of the process, user and system."""


@dataclass
class Figures:
    """All measurements of one program."""

    start: float
    """CPU seconds for a site of one page (median of three)."""
    runs: list[Run] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Return the pages per CPU second of the whole process (median): the headline."""
        return median(len(run.pages) / run.cpu for run in self.runs)

    @property
    def crawl_rate(self) -> float:
        """Return the pages per CPU second without the start-up (median)."""
        return median(len(run.pages) / (run.cpu - self.start) for run in self.runs)


@dataclass(frozen=True)
class Sites:
    """The base URLs of the served sites."""

    manual: str
    """A manual; that of Python has about 540 pages, 48 MB of HTML and 90,000 links."""
    one_page: str


@contextmanager
def served(package: str = DEFAULT[0]) -> Iterator[Sites]:
    """Serve a manual (by default that of Python) and a site of one page with nginx on loopback."""
    with tempfile.TemporaryDirectory(prefix="one-page-") as name:
        one_page = Path(name)
        (one_page / "index.html").write_text(ONE_PAGE)
        with serve({"manual": folder(package), "one_page": one_page}) as urls:
            yield Sites(**urls)


def positive(text: str) -> int:
    """Return the value of an option that is a number of at least 1.

    Raises:
        argparse.ArgumentTypeError: It is not.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return int(text)


def build() -> str:
    """Return the build of Python and whether its compiler used profiles: they change every figure."""
    flags = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = "PGO" if "--enable-optimizations" in flags else "no PGO"
    return f"Python {platform.python_version()} ({optimised}, {platform.python_compiler()}), {os.cpu_count()} cores"


def framework(concurrency: int, idiom: str = "follow_all", *, durable: bool = False) -> Program:
    """Return this framework with the spider of ``spider_crawler.py``; compile its bytecode as an installer does.

    Parameters:
        concurrency: requests in flight.
        idiom: one of `spider_crawler.IDIOMS`, or ``rules``.
        durable: whether to use a job folder, so that the crawl survives ``kill -9``.
    """
    compileall.compile_dir(ROOT / "crawler", quiet=1)
    spider = f"{ROOT / 'tests/bench/spider_crawler.py'}:{'ByRules' if idiom == 'rules' else 'Manual'}"

    def command(url: str, output: Path) -> list[str | Path]:
        words: list[str | Path] = [sys.executable, "-m", "crawler", "run", spider, "--quiet", "-a", f"front={url}"]
        words += [] if idiom == "rules" else ["-a", f"idiom={idiom}"]
        words += ["-o", output, "-s", f"workers={concurrency}", "-s", f"per_host={concurrency}"]
        if durable:
            words += ["--job", tempfile.mkdtemp(prefix="job-", dir=output.parent)]
        return words

    return Program(f"{idiom} --job" if durable else idiom, command)


def measure(programs: Sequence[Program], sites: Sites, rounds: int) -> dict[str, Figures]:
    """Run the programs in turn, `rounds` times each; print every figure, then the medians.

    Raises:
        SystemExit: A program failed, or two of them found different pages, titles or links.
    """
    figures: dict[str, Figures] = {}
    print(build())
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        output = Path(name) / "pages.jsonl"
        for program in programs:
            starts = [_run(program, sites.one_page, output).cpu for _ in range(3)]
            figures[program.name] = Figures(start=median(starts))
        print(COLUMNS.format("program", "round", "pages", "wall s", "CPU s", "pages/CPU-s", "crawl only"))
        for turn in range(1, rounds + 1):
            for program in programs:
                measured = figures[program.name]
                measured.runs.append(_run(program, sites.manual, output))
                first = programs[0].name
                if program.writes_items:
                    _check_same(first, figures[first].runs[0], program.name, measured.runs[-1])
                else:
                    measured.runs[-1] = replace(measured.runs[-1], pages=figures[first].runs[0].pages)
                _print(program.name, str(turn), Figures(measured.start, measured.runs[-1:]))
    for name, measured in figures.items():
        _print(name, "median", measured)
    for name, measured in figures.items():
        print(f"{name}: one page takes {measured.start:.2f} CPU-s, which `crawl only` leaves out")
    return figures


def _run(program: Program, url: str, output: Path) -> Run:
    """Crawl `url` once; read and remove the output file."""
    output.unlink(missing_ok=True)
    command = [str(word) for word in program.command(url, output)]
    begun = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in program.exit_codes:
        raise SystemExit(f"{program.name} ended with {process.returncode}: {' '.join(command)}")
    pages: dict[str, tuple[str, int]] = {}
    if not program.writes_items:
        shutil.rmtree(output.with_suffix(".mirror"), ignore_errors=True)
        return Run(pages=pages, wall=wall, cpu=usage.ru_utime + usage.ru_stime)
    with output.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            pages[row["url"].partition("#")[0]] = (" ".join((row["title"] or "").split()), row["links"])
    output.unlink()
    return Run(pages=pages, wall=wall, cpu=usage.ru_utime + usage.ru_stime)


def _check_same(one: str, theirs: Run, other: str, ours: Run) -> None:
    """Fail if two programs did not do the same work.

    Pages and titles must be equal. Links may differ by `FEW`, or by one in a thousand: Scrapy does not normalise URLs,
    so ``https://example.com`` and ``https://example.com/`` are two links.
    """
    if missing := theirs.pages.keys() ^ ours.pages.keys():
        raise SystemExit(f"{one} and {other} found different pages, {len(missing)} of them: {sorted(missing)[:5]}")
    if wrong := [url for url, (title, _) in theirs.pages.items() if ours.pages[url][0] != title]:
        raise SystemExit(f"{one} and {other} read {len(wrong)} titles differently: {wrong[:5]}")
    links = [sum(count for _, count in run.pages.values()) for run in (theirs, ours)]
    if abs(links[0] - links[1]) > max(FEW, links[0] / 1000):
        raise SystemExit(f"{one} and {other} counted different links: {links[0]} and {links[1]}")


def _print(name: str, turn: str, figures: Figures) -> None:
    runs = figures.runs
    wall, cpu = median(run.wall for run in runs), median(run.cpu for run in runs)
    numbers = (f"{wall:.2f}", f"{cpu:.2f}", f"{figures.rate:.1f}", f"{figures.crawl_rate:.1f}")
    print(COLUMNS.format(name, turn, len(runs[0].pages), *numbers), flush=True)
