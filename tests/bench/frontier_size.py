"""Speed, disk space and memory of a crawl that discovers millions of URLs.

::

    python tests/bench/frontier_size.py [--urls 3000000] [store] [crawl] [memory]

*store*: commits of 50 pages with 50 new links each to `SqliteStore`; only the time in `commit` is measured. *crawl*:
the whole framework with generated pages of 50 new links each; everything is measured. *memory*: the same without a
job. All use a thousand hosts and URLs of 75 bytes, and run as a child process with a hundredth of the URLs and with all
of them: memory use is constant if both runs have the same peak.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import trio
from measure import build

from crawler import Produced, Response, Settings, Spider, crawl
from crawler.frontier import Frontier, Lane, PageTicket
from crawler.frontier.ticket import Order
from crawler.messages import Request
from crawler.store import Kind, Outcome
from crawler.store.identity import Identity
from crawler.store.sqlite import SqliteStore

HOSTS = 1000
PAGES = 50
"""Pages in one commit."""
LINKS = 50
"""Links on one page."""
OWN = 40
"""Links of a page to its own host."""
CHECKS = 20
"""Commits without new URLs."""
WHAT = ("store", "crawl", "memory")
COLUMNS = "{:<6} {:>10} {:>10} {:>11} {:>10} {:>11} {:>9} {:>7} {:>7}"
NAMES = ("what", "known", "links/s", "longest ms", "known/s", "bytes/URL", "peak MB", "CPU s", "wall s")

Figures = dict[str, float]


def url(page: int) -> str:
    """Return the URL of a page. The first `HOSTS` pages are on one host each."""
    return f"https://www.host-{host(page):04d}.example/articles/{page * 2654435761 % 2**32:010d}/page-{page:09d}"


def host(page: int) -> int:
    """Return the host of a page: that of the page that links to it, or one after it."""
    if page < HOSTS:
        return page
    parent, index = divmod(page - HOSTS, LINKS)
    return (parent % HOSTS + (0 if index < OWN else index)) % HOSTS


def links(turn: int) -> list[str]:
    """Return the links of the page that is fetched at `turn`, which is on host ``turn % HOSTS``."""
    return [url(HOSTS + turn * LINKS + index) for index in range(LINKS)]


# The store alone


class Hosts:
    """Issues the pending requests of all hosts in turn."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._frontier = Frontier(Settings())
        self._lanes: list[Lane] = []
        self._heads: list[Sequence[PageTicket]] = [()] * HOSTS
        self._after: list[Order] = [(-(2**62), -1)] * HOSTS

    async def begin(self) -> None:
        """Add a first request to each host."""
        await self._store.ingest([Request(url(page)) for page in range(HOSTS)])
        claimed = await self._store.claim(HOSTS, 1)
        groups = sorted(claimed.groups, key=lambda group: group.name)
        self._lanes = [
            self._frontier.lanes.open(group.name, epoch=group.epoch, head=(), more=False) for group in groups
        ]

    async def take(self, turn: int) -> PageTicket:
        """Return a ticket for the next request of host ``turn % HOSTS``."""
        number = turn % HOSTS
        if not self._heads[number]:
            lane = self._lanes[number]
            found = await self._store.more(lane.name, lane.epoch, self._after[number], 16)
            self._heads[number] = [
                PageTicket(pending, lane, lane.epoch, 0.0, self._frontier.budgets.permit(lane, pending.request))
                for pending in found
            ]
            self._after[number] = found[-1].order
        first, *self._heads[number] = self._heads[number]
        return first


async def fill(folder: Path, urls: int) -> Figures:
    """Commit pages until `urls` URLs are known, then pages with known links; return the figures."""
    with SqliteStore(folder, Identity(crawl={"spider": "bench", "arguments": {}})) as store:
        hosts = Hosts(store)
        await hosts.begin()
        spent = [0.0]
        turn = 0
        while HOSTS + turn * LINKS < urls:
            turns = range(turn, turn + PAGES)
            spent.append(await commit(store, [(await hosts.take(turn), links(turn)) for turn in turns]))
            turn += PAGES
        known, live = HOSTS + turn * LINKS, store.live
        assert live == known - turn
        chance, again = random.Random(1), 0.0
        for _ in range(CHECKS):
            turns = range(turn, turn + PAGES)
            old = [[url(chance.randrange(known)) for _ in range(LINKS)] for _ in turns]
            again += await commit(store, [(await hosts.take(turn), old) for turn, old in zip(turns, old, strict=True)])
            turn += PAGES
        assert store.live == live - CHECKS * PAGES
    return {
        "known": known,
        "links/s": (known - HOSTS) / sum(spent),
        "longest ms": max(spent) * 1000,
        "known/s": CHECKS * PAGES * LINKS / again,
    }


async def commit(store: SqliteStore, pages: Sequence[tuple[PageTicket, Sequence[str]]]) -> float:
    """Commit pages that link to these URLs; return the seconds that it took."""
    outcomes = [
        Outcome(kind=Kind.DONE, ticket=ticket, attempts=1, page=True, discovered=[Request(link) for link in found])
        for ticket, found in pages
    ]
    begun = time.perf_counter()
    await store.commit(outcomes)
    return time.perf_counter() - begun


# The whole framework


class Endless(Spider):
    """Follows every link and yields no items."""

    start_urls = [url(page) for page in range(HOSTS)]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> Produced:
        """Follow all links of a page."""
        return response.follow_all()


class MadeUp(httpx.AsyncBaseTransport):
    """Responds to every request with a page of new links."""

    def __init__(self) -> None:
        self._turns = [0] * HOSTS

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the next page of the host."""
        await trio.lowlevel.checkpoint()
        number = int(request.url.host[9:13])
        found = links(self._turns[number] * HOSTS + number)
        self._turns[number] += 1
        body = "".join(f'<li><a href="{link}">a link</a>' for link in found)
        return httpx.Response(200, html=f"<!doctype html><title>A page</title><ul>{body}</ul>")


async def go(folder: Path | None, urls: int) -> Figures:
    """Crawl until `urls` URLs are known; return the figures."""
    pages = (urls - HOSTS) // LINKS
    report = await crawl(Endless(), settings=Settings(max_pages=pages), job=folder, transport=MadeUp())
    known = HOSTS + report.pages * LINKS
    return {"known": known, "links/s": (known - HOSTS) / report.seconds, "CPU s": report.cpu_seconds}


# Parent and children


def child(what: str, urls: int, folder: Path) -> None:
    """Measure in this child process and print the figures as JSON."""
    begun = time.monotonic()
    if what == "store":
        figures = trio.run(fill, folder, urls)
    else:
        figures = trio.run(go, None if what == "memory" else folder, urls)
    figures["wall s"] = time.monotonic() - begun
    if folder.exists():
        figures["bytes/URL"] = sum(path.stat().st_size for path in folder.iterdir()) / figures["known"]
    figures["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps(figures))


def main() -> None:
    """Run the child processes one after another and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--urls", type=int, default=3_000_000, help="number of URLs to discover (3000000)")
    parser.add_argument("what", nargs="*", help=f"what to measure: {', '.join(WHAT)} (all of it)")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], options.urls, Path(options.child[1]))
        return
    print(build())
    print(COLUMNS.format(*NAMES))
    for what in options.what or WHAT:
        for urls in (options.urls // 100, options.urls):
            with tempfile.TemporaryDirectory(prefix="frontier-") as folder:
                arguments = ["--urls", str(urls), "--child", what, str(Path(folder, "job"))]
                command = [sys.executable, __file__, *arguments]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            figures: Figures = json.loads(done.stdout)
            cells = [f"{figures[name]:.1f}" if name in figures else "-" for name in NAMES[2:]]
            print(COLUMNS.format(what, f"{figures['known']:.0f}", *cells), flush=True)


if __name__ == "__main__":
    main()
