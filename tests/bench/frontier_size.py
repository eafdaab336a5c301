"""How fast, how large and how flat: a durable crawl that comes to know millions of URLs.

::

    python tests/bench/frontier_size.py [--urls 3000000]

*Store*: commits of 50 pages with 50 new links each, straight into `SqliteStore`, on a thousand hosts; URLs are 73 bytes
long. *Crawl*: the whole framework with everything a durable crawl does, its pages made up by an httpx transport, 50 new
links each. Both run as child processes with a hundredth of the URLs and with all of them: what counts is that the peak
of memory stays what it is. The rate of the store counts the time in `commit` alone, the rate of the crawl everything.
"""
# printing is what it is for

from __future__ import annotations

import random
import time
from pathlib import Path

from crawler import Request, Settings
from crawler.frontier import Frontier, Pending, Ticket
from crawler.store import Kind, Outcome, SqliteStore

HOSTS = 1000
PAGES = 50
"""Pages in one commit."""
LINKS = 50
"""Links on one page."""
STRANGERS = 10
"""Of these: to other hosts."""
WINDOW = 8
"""Requests of a host that are read at once."""
CHECKS = 20
"""Commits that bring nothing new."""
COLUMNS = "{:<8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>12} {:>8}"


def url(number: int) -> str:
    """The URL of a number; consecutive ones are on different hosts."""
    article = number * 2654435761 % 2**32
    return f"https://www.host-{number % HOSTS:04d}.example/news/articles/{article:010d}/page-{number:09d}"


def links(page: int, first: int) -> list[str]:
    """New links of the page of a number: most of them on its own host."""
    host = page % HOSTS
    own = ((first + index) * HOSTS + host for index in range(LINKS - STRANGERS))
    others = ((first + index) * HOSTS + (host + 1 + index) % HOSTS for index in range(LINKS - STRANGERS, LINKS))
    return [url(number) for number in (*own, *others)]


# The store alone


class Pages:
    """Pending requests of all hosts, host by host, with the right to commit them."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._frontier = Frontier(Settings())

    async def begin(self) -> None:
        """A first request on each host."""
        await self._store.ingest([Request(url(host)) for host in range(HOSTS)])
        claimed = await self._store.claim("bench", HOSTS, WINDOW, 60.0)
        self._lanes = [self._frontier.open(g.name, epoch=g.epoch, head=(), more=False) for g in claimed.groups]
        self._heads: list[list[Pending]] = [list(group.head) for group in claimed.groups]
        self._turn = 0

    async def take(self) -> Ticket:
        """The next one."""
        self._turn = (self._turn + 1) % len(self._lanes)
        lane, head = self._lanes[self._turn], self._heads[self._turn]
        pending = head.pop(0)
        if not head:
            head += await self._store.more(lane.name, lane.epoch, pending.order, WINDOW)
        return Ticket(pending, lane, lane.epoch, 0.0)


async def fill(folder: Path, urls: int) -> dict[str, float]:
    """Commits until so many URLs are known."""
    with SqliteStore(folder, {"spider": "bench"}) as store:
        pages = Pages(store)
        await pages.begin()
        known, first, spent, longest = HOSTS, 1, 0.0, 0.0
        while known < urls:
            outcomes = []
            for _ in range(PAGES):
                ticket = await pages.take()
                number = int(ticket.request.url[-9:])
                found = [Request(link) for link in links(number, first)]
                first += LINKS
                outcomes.append(Outcome(kind=Kind.DONE, ticket=ticket, attempts=1, page=True, discovered=found))
            seconds = await committed(store, outcomes)
            spent, longest = spent + seconds, max(longest, seconds)
            if known == HOSTS:  # each host needs more than one that waits
                pages._heads = [[*head] for head in pages._heads]
            known += PAGES * LINKS
        before, checked = store.live, 0.0
        chance = random.Random(1)
        for _ in range(CHECKS):
            outcomes = [
                Outcome(
                    kind=Kind.DONE,
                    ticket=await pages.take(),
                    attempts=1,
                    page=True,
                    discovered=[Request(url(chance.randrange(1, first) * HOSTS)) for _ in range(LINKS)],
                )
                for _ in range(PAGES)
            ]
            checked += await committed(store, outcomes)
        assert store.live <= before
    return {
        "known": known,
        "rate": (known - HOSTS) / spent,
        "longest": longest,
        "checked": CHECKS * PAGES * LINKS / checked,
        "bytes": size(folder) / known,
    }


async def committed(store: SqliteStore, outcomes: list[Outcome]) -> float:
    """Seconds of one commit."""
    begun = time.perf_counter()
    await store.commit(outcomes)
    return time.perf_counter() - begun


def size(folder: Path) -> int:
    """Bytes of everything in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())
