"""Pages per CPU second and memory of the plugin `browser`, Chromium included.

::

    python tests/bench/browser.py [--pages 1000] [--tabs 6]

The site is in the memory of this process, so its CPU seconds are those of Python. Each page has a script of its own and
one that all share, and draws what it fetches. Memory is the proportional set size of Chromium's processes and of this
one, sampled once a second.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crawler_plugins.browser import Browser

from crawler import Request, Response, Settings, Spider, crawl
from crawler.testing import FakeSite, Page

TICKS = os.sysconf("SC_CLK_TCK")
LIBRARY = (
    "const draw = items => { for (const item of items) { const p = document.createElement('p');"
    " p.className = 'item'; p.textContent = item; app.append(p) } };\n" + "// padding\n" * 5000
)
PAGE = """\
<!doctype html><title>page {0}</title><link rel=stylesheet href=/style.css><script src=/library.js></script>
<nav><a href=/0>home</a></nav><div id=app></div><img src=/a.jpg>
<script>fetch('/api?page={0}').then(r => r.json()).then(draw)</script>
"""  # fmt: skip


class Shop(Spider):
    """Keeps the number of items that were drawn."""

    settings = Settings(obey_robots=False)

    def __init__(self, pages: int) -> None:
        super().__init__()
        self.pages = pages
        self.drawn: list[int] = []

    def start(self) -> Iterator[Request]:
        """Yield the pages."""
        for number in range(self.pages):
            yield Request(f"https://shop.test/{number}")

    def parse(self, response: Response) -> None:
        """Count the items."""
        self.drawn.append(len(response.css(".item")))


class Sampler:
    """The CPU time and the memory of a process group.

    Parameters:
        plugin: The plugin whose browser is watched.
    """

    def __init__(self, plugin: Browser) -> None:
        self.plugin = plugin
        self.ticks: dict[int, int] = {}
        self.memory: list[int] = []

    def look(self) -> None:
        """Take a sample."""
        groups = {browser.pid for browser in self.plugin._pool.browsers}
        total = _pss(os.getpid())
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[2]) in groups:
                    number = int(stat.parent.name)
                    self.ticks[number] = int(fields[11]) + int(fields[12])
                    total += _pss(number)
        self.memory.append(total)

    async def run(self) -> None:
        """Take a sample every second."""
        while True:
            self.look()
            await trio.sleep(1.0)


def _pss(number: int) -> int:
    """Return the proportional set size of a process, in kB."""
    with suppress(OSError):
        for line in Path(f"/proc/{number}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


async def measure(pages: int, tabs: int) -> None:
    """Crawl, and print the figures."""
    site = FakeSite(
        {f"/{number}": PAGE.format(number) for number in range(pages)}
        | {
            "/api": Page([f"item {number}" for number in range(20)]),
            "/library.js": Page(LIBRARY, headers={"Content-Type": "text/javascript"}),
            "/style.css": Page("p { color: red }", headers={"Content-Type": "text/css"}),
        },
        host="https://shop.test",
    )
    spider, plugin = Shop(pages), Browser(tabs=tabs)
    sampler = Sampler(plugin)
    began, cpu = time.perf_counter(), time.process_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sampler.run)
        report = await crawl(spider, plugins=[plugin], transport=site.transport)
        nursery.cancel_scope.cancel()
    seconds, python = time.perf_counter() - began, time.process_time() - cpu
    chromium = sum(sampler.ticks.values()) / TICKS
    print(f"{report.pages} pages with {tabs} tabs in {seconds:.1f} s, {spider.drawn.count(20)} with all items")
    print(f"CPU seconds: {python:.1f} of Python, {chromium:.1f} of Chromium")
    each = 1000 * python / report.pages
    print(f"{report.pages / (python + chromium):.1f} pages per CPU second; {each:.1f} ms of Python a page")
    quarter = max(1, len(sampler.memory) // 4)
    means = [
        sum(part) / len(part) / 1024
        for part in (sampler.memory[at : at + quarter] for at in range(0, 4 * quarter, quarter))
        if part
    ]
    print("MB in each quarter:", " ".join(f"{mean:.0f}" for mean in means))
    print(report.counters)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--tabs", type=int, default=6)
    trio.run(measure, *vars(parser.parse_args()).values())
