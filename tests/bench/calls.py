"""The calls of a request without page work: every function that runs, how often, and how many bytecode instructions.

::

    python tests/bench/calls.py [--pages 160] [--together 16] [--c] [--least 0.5]

The functions are listed in the order in which the crawl first calls them. Runs of N and of 2 N pages are compared, as
by ``attribute.py --small N --together 16 --instructions``, which has the instructions of the machine: about 80 for each
one of the bytecode without profile-guided optimisation, calls and allocations included, but up to 1,000 for one that
reads an attribute in a general way. A coroutine counts each time that it is resumed. ``--c`` lists the calls of C
functions, by their callers.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from attribute import site
from measure import ROOT, build

Counts = dict[str, int]


def crawl_counted(report: Path, kind: str, words: list[str]) -> int:
    """Run the command line in this process, and write the calls (`call` or `c`) or the bytecode (`opcode`)."""
    counts: Counter[str] = Counter()
    names: dict[CodeType, str] = {}

    def name_of(code: CodeType) -> str:
        if code not in names:
            names[code] = f"{'/'.join(Path(code.co_filename).parts[-2:])} {code.co_qualname}"
        return names[code]

    def profile(frame: FrameType, event: str, function: Any) -> None:
        if event == "call" and kind == "call":
            counts[name_of(frame.f_code)] += 1
        elif event == "c_call" and kind == "c":
            counts[f"{name_of(frame.f_code)} → {function.__qualname__}"] += 1

    def trace(frame: FrameType, event: str, _value: Any) -> Any:
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            counts[name_of(frame.f_code)] += 1
        return trace

    from crawler.__main__ import main as command  # noqa: PLC0415 - only the process that crawls needs it

    sys.argv = ["crawler", *words]
    if kind == "opcode":
        sys.settrace(trace)
    else:
        sys.setprofile(profile)
    code = command()
    sys.setprofile(None)
    sys.settrace(None)
    report.write_text(json.dumps(counts))
    return code


def count(kind: str, options: argparse.Namespace) -> dict[str, float]:
    """Return what one request adds, by function."""
    found: list[Counts] = []
    for pages in (options.pages, 2 * options.pages):
        crawl = argparse.Namespace(small=pages, together=options.together, concurrency=options.together, idiom="")
        with site(crawl, pages) as words, tempfile.NamedTemporaryFile() as report:
            subprocess.run([sys.executable, __file__, "--counted", report.name, kind, *words], check=True, cwd=ROOT)
            found.append(json.loads(Path(report.name).read_bytes()))
    one, two = found
    return {name: (n - one.get(name, 0)) / options.pages for name, n in two.items()}


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=int, default=160, help="requests of the shorter run (160)")
    parser.add_argument("--together", type=int, default=16, help="requests that get their responses at once (16)")
    parser.add_argument("--c", action="store_true", help="list the calls of C functions")
    parser.add_argument("--least", type=float, default=0.5, help="calls of a function that is listed, at least (0.5)")
    options = parser.parse_args()
    print(build())
    calls = count("c" if options.c else "call", options)
    opcodes = {} if options.c else count("opcode", options)
    print(f"{sum(calls.values()):8.1f} {sum(opcodes.values()):8.0f}  all: calls, bytecode instructions")
    for name, n in calls.items():
        if n >= options.least:
            print(f"{n:8.2f} {opcodes.get(name, 0):8.0f}  {name}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--counted"]:
        sys.exit(crawl_counted(Path(sys.argv[2]), sys.argv[3], sys.argv[4:]))
    main()
