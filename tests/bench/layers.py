"""What each layer of a request costs, in instructions: libcurl, trio, the transport, the downloader, the whole crawl.

::

    apt-get install valgrind
    python tests/bench/layers.py [--pages 320] [--together 16]

The same requests are sent in several ways, each of which does what the one before does, and more. Their server responds
to several of them at once, as for ``attribute.py --small N --together 16``, which has the whole crawl. The difference
between runs of N and of 2 N requests is divided by N; the kernel is not counted.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import compileall
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from attribute import SMALL, by_library, site
from grouped_responses import responding_together
from layers_ways import WAYS
from measure import ROOT, build

CRAWL: Final = "crawl"
PROGRAM: Final = str(Path(__file__).with_name("layers_ways.py"))


def instructions(way: str, pages: int, together: int) -> int:
    """Return the instructions of one run."""
    if way == CRAWL:
        options = argparse.Namespace(small=pages, together=together, concurrency=together, idiom="")
        with site(options, pages) as words:
            return _count(["-m", "crawler", *words])
    with responding_together(together, SMALL) as url:
        return _count([PROGRAM, way, url, str(pages), str(together)])


def _count(words: list[str]) -> int:
    with tempfile.NamedTemporaryFile() as output:
        command = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={output.name}", sys.executable, *words]
        subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "0"})
        return by_library(Path(output.name)).total()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=int, default=320, help="requests of the shorter run (320)")
    parser.add_argument("--together", type=int, default=16, help="requests that get their responses at once (16)")
    options = parser.parse_args()
    compileall.compile_dir(ROOT / "crawler", quiet=1)
    print(build())
    below = 0
    for way in (*WAYS, CRAWL):
        one, two = (instructions(way, pages, options.together) for pages in (options.pages, 2 * options.pages))
        cost = round((two - one) / options.pages)
        print(f"{cost:9,} instructions a request, {cost - below:+9,}: {way}", flush=True)
        below = cost


if __name__ == "__main__":
    main()
