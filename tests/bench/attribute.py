"""Where the CPU time of a page goes: µs per page for libcurl, trio, the parser, links, limits, commits, and so on.

::

    apt-get install nginx-light python3.13-doc
    python tests/bench/attribute.py [--site PACKAGE] [--idiom follow_all] [--rounds 3] [--functions 20]
    python tests/bench/attribute.py --small 2000
    python tests/bench/attribute.py --small 320 --together 16 --instructions

A crawl is interrupted about 1,500 times a second. Each interruption charges the CPU time since the last one to the
innermost frame of this package, of trio, or of the spider; the time of a C function counts for the line that called it.
Unlike a profile of calls, this adds almost nothing to the cost of small functions. The garbage collector is timed by
its callbacks. What runs before the event loop is `start-up`.

``--small N`` crawls N pages of 2 kB without links, whose handler does nothing: the cost of a request. With
``--together 16`` their server responds to 16 requests at once, so that the counts of two runs differ by less than 1 %.
``--instructions`` counts instructions instead, which do not depend on what else the machine does. It runs crawls of N
and of 2 N pages in valgrind (``apt-get install valgrind``) and divides the difference by N; the kernel is not counted.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import compileall
import dis
import gc
import json
import linecache
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import CodeType, FrameType
from typing import Any, Final

from grouped_responses import responding_together
from measure import ROOT, build, positive, serve
from sites import DEFAULT, SITES, folder
from spider_crawler import IDIOMS

PERIOD: Final = (0.0004, 0.0010)
"""Seconds between two interruptions: at random, so that they do not keep step with the pages."""
SMALL: Final = f"<!doctype html><title>A small page</title><p>{'word ' * 380}"
LIBCURL: Final = re.compile(
    r"\.(socket_action|info_read|add_handle|remove_handle|getinfo|reset|perform|timeout)\(|setopt\("
)
"""Lines of the transport that call libcurl."""
PARSER: Final = re.compile(r"turbohtml\.|html\.parse\(|[^_]parse\(")
OWN: Final = re.compile(rf"{re.escape(str(ROOT))}/(crawler|tests)/|/(trio|trio_util|outcome)/")
"""Files whose frames are charged."""
PARTS: Final = (
    ("libcurl", ("crawler/transport/",), LIBCURL),
    ("trio", ("/trio/", "/trio_util/", "/outcome/"), None),
    ("transport", ("crawler/transport/",), None),
    ("headers", ("crawler/headers.py", "crawler/http/cookies.py", "crawler/fetch/request_fields.py"), None),
    ("downloader", ("crawler/fetch/", "crawler/http/"), None),
    ("parse", ("crawler/html/parse", "crawler/messages/page_body.py"), PARSER),
    ("parse", ("crawler/content/", "crawler/html/parse"), None),
    ("dedup and scope", ("crawler/scope/", "engine/admission.py", "messages/page_links.py"), None),
    ("links", ("crawler/html/links.py", "html/live.py", "crawler/urls.py", "crawler/messages/"), None),
    ("handler", ("crawler/html/", "tests/bench/", "crawler/spiders/"), None),
    ("pages and items", ("engine/page.py", "engine/callbacks.py", "engine/handler_results.py", "crawler/hooks/"), None),
    ("outcome and commit", ("engine/writer.py", "engine/checkpointer.py", "crawler/store/"), None),
    ("sinks", ("engine/sinks.py", "crawler/sinks/"), None),
    ("statistics", ("crawler/stats.py",), None),
    ("limits and frontier", ("crawler/limits/", "crawler/frontier/", "crawler/clock.py"), None),
    ("engine", ("crawler/engine/",), None),
)
"""Part, files, and which of their lines: the first match counts."""


# ---- inside of the crawl ---------------------------------------------------------------------------------------------


class Sampler:
    """Charges CPU time to places of the code."""

    def __init__(self) -> None:
        self.spent: Counter[tuple[CodeType, int]] = Counter()
        self.collected = self._in_collector = self.started = 0
        self._last = time.process_time_ns()

    def start(self) -> None:
        """Begin to sample."""
        gc.callbacks.append(self._on_collection)
        signal.set_wakeup_fd = lambda *_args, **_options: -1  # an interruption must not wake the event loop
        signal.signal(signal.SIGALRM, self._on_alarm)
        self._arm()

    def stop(self) -> None:
        """Stop sampling."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _arm(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(*PERIOD))

    def _on_alarm(self, _number: int, frame: FrameType | None) -> None:
        spent = time.process_time_ns() - self._last - self._in_collector
        if frame is not None and _has_just_begun(frame):
            frame = frame.f_back  # the time is that of the caller, such as libcurl when it calls back
        place: tuple[CodeType, int] | None = None
        in_loop = False
        while frame is not None and not in_loop:
            name = frame.f_code.co_filename
            if place is None and OWN.search(name):
                place = frame.f_code, frame.f_lineno or 0
            in_loop = name.endswith("trio/_core/_run.py")
            frame = frame.f_back
        if in_loop and place is not None:
            self.spent[place] += spent
        else:
            self.started += spent
        self._in_collector = 0
        self._arm()
        self._last = time.process_time_ns()

    def _on_collection(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._since = time.process_time_ns()
        else:
            took = time.process_time_ns() - self._since
            self.collected += took
            self._in_collector += took

    def report(self) -> dict[str, Any]:
        """Return the seconds by place, of the start-up and of the garbage collector."""
        places = [(code.co_filename, code.co_qualname, line, ns / 1e9) for (code, line), ns in self.spent.items()]
        return {"places": places, "started": self.started / 1e9, "collected": self.collected / 1e9}


def crawl_sampled(report: Path, words: list[str]) -> int:
    """Run the command line in this process, and write where its time went."""
    sampler = Sampler()
    sampler.start()
    from crawler.__main__ import main as command  # noqa: PLC0415 - the import is a part of the measurement

    sys.argv = ["crawler", *words]
    code = command()
    sampler.stop()
    report.write_text(json.dumps(sampler.report() | {"cpu": time.process_time()}))
    return code


def _has_just_begun(frame: FrameType) -> bool:
    """Return whether a function is at its first instruction, where it looks for signals before it does anything."""
    return dis.opname[frame.f_code.co_code[frame.f_lasti]] == "RESUME"


# ---- the parts -------------------------------------------------------------------------------------------------------


def part_of(file: str, line: int) -> str:
    """Return the part that a line belongs to."""
    for part, files, lines in PARTS:
        if any(name in file for name in files) and (lines is None or lines.search(linecache.getline(file, line))):
            return part
    return "other"


def by_part(report: dict[str, Any]) -> Counter[str]:
    """Return the seconds by part."""
    seconds: Counter[str] = Counter()
    for file, _, line, spent in report["places"]:
        seconds[part_of(file, line)] += spent
    seconds["garbage collector"] = report["collected"]
    seconds["start-up"] = report["started"]
    return seconds


def by_function(report: dict[str, Any]) -> Counter[str]:
    """Return the seconds by function, calls of libcurl apart."""
    seconds: Counter[str] = Counter()
    for file, name, line, spent in report["places"]:
        suffix = " (libcurl)" if part_of(file, line) == "libcurl" else ""
        seconds[f"{'/'.join(Path(file).parts[-2:])} {name}{suffix}"] += spent
    return seconds


# ---- crawls ----------------------------------------------------------------------------------------------------------


@contextmanager
def site(options: argparse.Namespace, pages: int) -> Iterator[list[str]]:
    """Serve a site, and yield the words of the command line that crawls it."""
    with tempfile.TemporaryDirectory(prefix="attribute-") as name, served(options, pages, Path(name)) as front:
        spider = f"{ROOT / 'tests/bench/spider_crawler.py'}:{'Small' if options.small else 'Manual'}"
        words = ["run", spider, "--quiet", "-a", f"front={front}"]
        words += ["-a", f"pages={pages}"] if options.small else ["-a", f"idiom={options.idiom}"]
        # With more than it needs, no delay of a busy machine teaches the crawl to make fewer requests at once.
        per_host = options.concurrency * (4 if options.together else 1)
        words += ["-s", f"workers={options.concurrency}", "-s", f"per_host={per_host}"]
        yield [*words, "--overwrite", "-o", str(Path(name) / "pages.jsonl")]


@contextmanager
def served(options: argparse.Namespace, pages: int, scratch: Path) -> Iterator[str]:
    """Serve the site that the options name, and yield its URL."""
    if options.small and options.together:
        with responding_together(options.together, SMALL) as url:
            yield url
        return
    if options.small:
        root = scratch / "site"
        root.mkdir()
        for number in range(pages):
            (root / f"{number}.html").write_text(SMALL)
    else:
        root = folder(options.site)
    with serve({"site": root}) as urls:
        yield urls["site"]


def sample(options: argparse.Namespace) -> None:
    """Crawl in turn, and print the medians."""
    reports: list[dict[str, Any]] = []
    pages = options.small or 0
    with site(options, options.small or 0) as words, tempfile.NamedTemporaryFile() as report:
        for _ in range(options.rounds):
            subprocess.run([sys.executable, __file__, "--sampled", report.name, *words], check=True, cwd=ROOT)
            reports.append(json.loads(Path(report.name).read_bytes()))
        output = Path(words[-1])
        pages = pages or len(output.read_bytes().splitlines())
    print(build())
    print(f"{pages} pages, {median(each['cpu'] for each in reports) / pages * 1e6:.0f} µs of CPU a page")
    _print([by_part(report) for report in reports], pages)
    if options.functions:
        print()
        _print([by_function(report) for report in reports], pages, options.functions)


def _print(rounds: list[Counter[str]], pages: int, most: int | None = None) -> None:
    names = set().union(*rounds)
    table = {name: median(each[name] for each in rounds) / pages * 1e6 for name in names}
    whole = sum(table.values())
    for name, spent in sorted(table.items(), key=lambda pair: -pair[1])[:most]:
        print(f"{spent:8.1f} µs {spent / whole:6.1%}  {name}")


def count_instructions(options: argparse.Namespace) -> None:
    """Print the instructions of a page, by library."""
    counts = []
    for pages in (options.small, 2 * options.small):
        with site(options, pages) as words, tempfile.NamedTemporaryFile() as output:
            command = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={output.name}"]
            environment = os.environ | {"PYTHONHASHSEED": "0"}
            subprocess.run([*command, sys.executable, "-m", "crawler", *words], check=True, cwd=ROOT, env=environment)
            counts.append(by_library(Path(output.name)))
    one, two = counts
    pages = options.small
    print(build())
    print(f"{(two.total() - one.total()) / pages:12,.0f} instructions a page")
    print(f"{2 * one.total() - two.total():12,.0f} instructions for start and end")
    for name, count in (two - one).most_common(8):
        print(f"{count / pages:12,.0f} a page in {name}")


def by_library(output: Path) -> Counter[str]:
    """Return the instructions by library from a file of callgrind (format of version 1)."""
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    library, is_inclusive = "", False
    for line in output.open(encoding="utf-8"):
        if line[0].isdigit() or line[0] in "+-*":
            if not is_inclusive:
                counts[library] += int(line.split()[1])
            is_inclusive = False
        elif line.startswith("calls="):
            is_inclusive = True  # the next line repeats what the called function cost
        elif line.startswith(("ob=", "cob=")):
            number, _, name = line.partition("=")[2].strip().partition(" ")
            name = names.setdefault(number, Path(name).name)
            library = name if line.startswith("ob=") else library
    return counts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--site", choices=tuple(SITES), default=DEFAULT[0], help=f"a Debian package ({DEFAULT[0]})")
    parser.add_argument("--idiom", choices=tuple(IDIOMS), default="follow_all", help="see spider_crawler.py")
    parser.add_argument("--small", type=positive, metavar="N", help="N pages of 2 kB without links instead of a site")
    parser.add_argument("--together", type=positive, metavar="N", help="respond to N requests at once (with --small)")
    parser.add_argument("--instructions", action="store_true", help="count instructions (with --small)")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="list the N most costly functions (0)")
    parser.add_argument("--rounds", type=positive, default=3, help="crawls (3)")
    parser.add_argument("--concurrency", type=positive, default=16, help="requests in flight (16)")
    options = parser.parse_args()
    compileall.compile_dir(ROOT / "crawler", quiet=1)
    if options.instructions:
        options.small = options.small or 300
        count_instructions(options)
    else:
        sample(options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sampled"]:
        sys.exit(crawl_sampled(Path(sys.argv[2]), sys.argv[3:]))
    main()
