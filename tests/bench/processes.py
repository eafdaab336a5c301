"""The speed of a crawl whose pages are fetched and handled in several processes, against that of one process.

::

    apt-get install nginx-light
    python tests/bench/processes.py [--processes 2] [--rounds 5] [--workers 64] [--pages 6000] [--links 97] [--size 37]
    python tests/bench/processes.py --site libglib2.0-doc
    python tests/bench/processes.py --pages 1500 --busy 5

A site of generated pages, or of a documentation package, is served by nginx on the same machine and crawled in turn by
one process and by several. ``--busy 5`` adds 5 ms of CPU time to each callback. The crawls must find the same items.

All of them and nginx share the same cores.

Besides pages a second, which depend on what else the machine does, the table has the CPU time of a page in µs: of the
first process, of those that run callbacks, and of nginx, and the largest memory of one of the processes. `most`
is the ratio that these times allow: all cores are busy all the time, except if the first process needs longer.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from measure import build, serve
from sites import SITES, folder

from crawler import Response, Settings, Spider, run
from crawler.cli.run import set_collector
from crawler.engine.processes.cores import usable_cores

COLUMNS = "{:<12} {:>8} {:>7} {:>5} {:>9} {:>10} {:>6} {:>8}"
NAMES = ("processes", "pages/s", "of one", "most", "first µs", "callbacks", "nginx", "MB each")
WORDS = ["crawl", "page", "link", "host", "path", "query", "field", "value", "robot", "limit"]


class Pages(Spider):
    """Yields the title and the number of links of each page, and follows all of them."""

    allowed_domains = ("127.0.0.1",)

    def __init__(self, front: str, busy: float) -> None:
        super().__init__()
        self.start_urls = [front]
        self.busy = busy

    def parse(self, response: Response) -> Iterator[Any]:
        """Yield the item of a page, and requests for its links."""
        until = time.thread_time() + self.busy / 1000 if self.busy else 0.0
        title = response.css("title::text").get() if response.is_html else None
        yield {"url": response.url, "title": title, "links": len(response.hrefs())}
        yield from response.follow_all()
        while self.busy and time.thread_time() < until:
            pass


def write_site(folder: Path, pages: int, links: int, size: int) -> None:
    """Write a site of `pages` pages of `size` kB; each links to `links` others, the next one among them."""
    chance = random.Random(1)
    length = size * 1000 // 7 // max(links, 1)
    texts = [" ".join(chance.choices(WORDS, k=length)) for _ in range(500)]
    for number in range(pages):
        others = [(number + 1) % pages, *(chance.randrange(pages) for _ in range(links - 1))]
        parts = [f"<!doctype html><html><head><title>Page {number}</title></head><body>"]
        for other in others:
            name = "index" if other == 0 else f"page-{other}"
            parts += [f'<p>{chance.choice(texts)} <a href="{name}.html">another page</a></p>']
        name = "index" if number == 0 else f"page-{number}"
        (folder / f"{name}.html").write_text("\n".join(parts))


def crawl(front: str, processes: int, workers: int, busy: float, output: str) -> None:
    """Crawl the site, and print the figures as JSON."""
    settings = Settings(processes=processes, workers=workers, per_host=workers, slow_start=False)
    set_collector(settings.workers)  # as the command line does
    before = time.process_time()
    report = run(Pages(front, busy), settings=settings, outputs=[output])
    first = time.process_time() - before
    others = report.cpu_seconds - first if processes > 1 else 0.0
    figures = {
        "rate": report.pages / report.seconds,
        "first": first / report.pages,
        "others": others / report.pages,
        "rss": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
        "pages": report.pages,
    }
    print(json.dumps(figures))


def measured(front: str, processes: int, workers: int, busy: float) -> tuple[dict[str, float], list[str]]:
    """Run one crawl in a process of its own; return its figures, and its items in the order of their URLs."""
    before = cpu_seconds_of_nginx()
    with tempfile.TemporaryDirectory(prefix="processes-") as name:
        output = Path(name) / "items.jsonl"
        words = [sys.executable, __file__, "--crawl", front, str(output), "--processes", str(processes)]
        words += ["--workers", str(workers), "--busy", str(busy)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        figures = json.loads(done.stdout)
        figures["nginx"] = (cpu_seconds_of_nginx() - before) / figures["pages"]
        return figures, sorted(output.read_text().splitlines())


def cpu_seconds_of_nginx() -> float:
    """Return the CPU seconds of the nginx that this process has started; 0 where there is no ``/proc``."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = path.read_text().rpartition(")")
            fields = rest.split()
            if name.endswith("(nginx") and int(fields[1]) == os.getpid():
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--processes", type=int, default=2, help="that run callbacks (2)")
    parser.add_argument("--rounds", type=int, default=5, help="crawls of each kind (5)")
    parser.add_argument("--workers", type=int, default=64, help="requests and pages in flight (64)")
    parser.add_argument("--site", choices=sorted(SITES), help="crawl the pages of a package")
    parser.add_argument("--pages", type=int, default=6000, help="of the generated site (6000)")
    parser.add_argument("--links", type=int, default=97, help="of each page (97)")
    parser.add_argument("--size", type=int, default=37, help="of each page, in kB (37)")
    parser.add_argument("--busy", type=float, default=0.0, help="CPU time of each callback, in ms (0)")
    parser.add_argument("--crawl", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.crawl:
        crawl(options.crawl[0], options.processes, options.workers, options.busy, options.crawl[1])
        return
    figures: dict[int, list[dict[str, float]]] = {1: [], options.processes: []}
    with tempfile.TemporaryDirectory(prefix="site-") as name:
        site = Path(name) if options.site is None else folder(options.site)
        if options.site is None:
            write_site(site, options.pages, options.links, options.size)
        print(build())
        print(COLUMNS.format(*NAMES))
        with serve({"site": site}) as urls:
            for _ in range(options.rounds):
                found: list[list[str]] = []
                for processes, runs in figures.items():
                    one, items = measured(urls["site"], processes, options.workers, options.busy)
                    runs.append(one)
                    found.append(items)
                if found[0] != found[-1]:
                    raise SystemExit("the items are not the same")
                for processes, runs in figures.items():
                    show(str(processes), runs[-1:], figures[1][-1:])
    for processes, runs in figures.items():
        show(f"{processes}, median", runs, figures[1])


def show(name: str, runs: list[dict[str, float]], base: list[dict[str, float]]) -> None:
    """Print a row; the ratio is the median of those of each round."""
    ratio = median(run["rate"] / one["rate"] for run, one in zip(runs, base, strict=True))
    names = ("rate", "first", "others", "nginx", "rss")
    rate, first, others, nginx, rss = (median(run[name] for run in runs) for name in names)
    one = median(run["first"] for run in base)
    most = one / max(first, (first + others + nginx) / usable_cores()) if others else 1.0
    times = (f"{seconds * 1e6:.0f}" for seconds in (first, others, nginx))
    row = (f"{rate:.0f}", f"{ratio:.2f}", f"{most:.2f}", *times, f"{rss / 1024:.0f}")
    print(COLUMNS.format(name, *row), flush=True)


if __name__ == "__main__":
    main()
