"""The cost of plugins that override no hook: instructions a page, with 0 and with 10 of them.

::

    python tests/bench/idle_plugins.py

It needs valgrind. The same crawl runs over 100 and over 300 pages in memory; the difference of the instructions that
callgrind counts is that of 200 pages, without the start. Unlike times, instructions hardly differ from run to run: one
page costs the same within 0.1 %.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import trio

PLUGINS = (0, 10)
PAGES = (100, 300)
MOST = 0.02
"""The share of the instructions of a page that ten idle plugins may cost."""


def crawl_pages(plugins: int, pages: int) -> None:
    """Crawl a site in memory with so many idle plugins. Each page links to the next and holds some text."""
    from crawler import Plugin, Settings, Spider, crawl  # noqa: PLC0415 - only the child needs it
    from crawler.testing import FakeSite  # noqa: PLC0415

    class Pages(Spider):
        start_urls = ["https://site.test/0"]
        settings = Settings(obey_robots=False)

        def parse(self, response):
            yield {"url": response.url, "title": response.css("title::text").get()}
            yield from response.follow_all()

    text = "<p>" + "Some words of a paragraph. " * 40 + "</p>"
    site = FakeSite({f"/{n}": f"<title>{n}</title>{text * 10}<a href='/{n + 1}'>next</a>" for n in range(pages)})
    idle = [type(f"Idle{number}", (Plugin,), {})() for number in range(plugins)]
    report = trio.run(lambda: crawl(Pages(), plugins=idle, transport=site.transport))
    assert report.pages == pages, report


def instructions(plugins: int, pages: int) -> int:
    """Return the instructions of a crawl in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", sys.executable, __file__]
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(
            [*command, str(plugins), str(pages)], env=environment, capture_output=True, text=True, check=False
        )
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode or found is None:
            raise RuntimeError(done.stderr)
        return int(found[1])


def main() -> None:
    """Compare the plugins, and fail if they cost more than `MOST`."""
    few, many = PAGES
    costs = []
    for plugins in PLUGINS:
        cost = (instructions(plugins, many) - instructions(plugins, few)) / (many - few)
        print(f"{plugins:>2} idle plugins: {cost:>12,.0f} instructions a page")
        costs.append(cost)
    share = costs[1] / costs[0] - 1
    print(f"ten idle plugins cost {share:+.2%} (at most {MOST:.0%})")
    if share > MOST:
        raise SystemExit(1)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        crawl_pages(int(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
