"""Commits a second of each store: a page with fifty links, of which about half are known, and an item.

::

    python tests/bench/stores.py [--commits 2000] [--batch 1 8] [--workers 4] [--stores memory,sqlite,postgresql,redis]

PostgreSQL, Redis and Valkey are started here. In PostgreSQL, each commit waits for the disk; the others sync their
append-only files each second, and with ``redis power`` at each commit. Each is shared by `--workers` workers in this
process. The CPU time of Python is that of this process, that of the
server is of all its processes, on the same machine. A commit has the outcomes of `--batch` pages.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, cast

import trio
from msgspec import Struct

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crawler_plugins.stores.postgres.store import PostgresStore
from crawler_plugins.stores.redis.opening import open_store
from integration.databases.servers import Server, postgresql, redis
from support.stores import done

from crawler.frontier import Pending
from crawler.messages import Request
from crawler.messages.request import plain_get
from crawler.store import ItemRow, MemoryStore, Store
from crawler.store.sqlite import SqliteStore

LINKS = 50
HOSTS = 200
COLUMNS = "{:<12} {:>7} {:>6} {:>9} {:>9} {:>11} {:>11}"
NAMES = ("store", "workers", "batch", "commits/s", "links/s", "Python us", "server us")
ITEM = b'{"title": "The title of a page", "price": 12.5, "text": "' + b"x" * 200 + b'"}'


def links(chance: random.Random, page: int) -> list[Request]:
    """Return the links of a page as `follow_all` makes them; about half are on every page of the host."""
    host = f"https://host{page % HOSTS}.test"
    fresh = [f"/page/{chance.getrandbits(48):x}" for _ in range(LINKS // 2)]
    paths = [*fresh, *(f"/menu/{n}" for n in range(LINKS - LINKS // 2))]
    return [plain_get(host + path, None, 1) for path in paths]


class Held(Struct):
    """What a store needs of a ticket."""

    pending: Pending
    epoch: int

    @property
    def request(self) -> Request:
        """The request."""
        return self.pending.request


async def work(store: Store, pages: Iterator[int], batch: int, seed: int) -> None:
    """Commit pages in batches until there are none."""
    chance = random.Random(seed)
    waiting: deque[Held] = deque()
    epochs: dict[str, int] = {}
    while numbers := list(itertools.islice(pages, batch)):
        while len(waiting) < batch:
            claimed = await store.claim(100, 100)
            epochs |= {group.name: group.epoch for group in claimed.groups}
            waiting += [Held(pending, group.epoch) for group in claimed.groups for pending in group.head]
        outcomes = [
            done(cast("Any", waiting.popleft()), items=[ItemRow(ITEM)], discovered=links(chance, number))
            for number in numbers
        ]
        committed = await store.commit(outcomes)
        waiting += [Held(pending, epochs[pending.group]) for pending in committed.fresh]


async def measure(
    name: str, stores: Sequence[Store], commits: int, batch: int, server_cpu: Callable[[], float]
) -> tuple[str, ...]:
    """Return a row of the table."""
    await stores[0].ingest([Request(f"https://host{number}.test/{n}") for number in range(HOSTS) for n in range(10)])
    pages = iter(range(commits * batch))
    began, cpu, servers = time.perf_counter(), time.process_time(), server_cpu()
    async with trio.open_nursery() as nursery:
        for seed, store in enumerate(stores):
            nursery.start_soon(work, store, pages, batch, seed)
    seconds = time.perf_counter() - began
    python = (time.process_time() - cpu) / commits
    server = (server_cpu() - servers) / commits
    rate = commits / seconds
    return (
        name, str(len(stores)), str(batch), f"{rate:.0f}", f"{rate * batch * LINKS:,.0f}", f"{1e6 * python:.0f}",
        f"{1e6 * server:.0f}" if server else "-",
    )  # fmt: skip


@asynccontextmanager
async def opened(name: str, workers: int, server: Server | None, number: int) -> AsyncIterator[list[Store]]:
    """Open a store, or the stores of some workers of one job."""
    async with AsyncExitStack() as stack:
        if name == "memory":
            yield [stack.enter_context(closing(MemoryStore()))]
        elif name.startswith("sqlite"):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stores-")))
            yield [stack.enter_context(SqliteStore(folder / "job", power="power" in name))]
        else:
            assert server is not None
            place, _, query = server.url.partition("?")
            url = f"{place}/bench{number}?{query}"
            opening = PostgresStore.open if name == "postgresql" else partial(open_store, power="power" in name)
            yield [await stack.enter_async_context(opening(url)) for _ in range(workers)]


def serving(name: str) -> AbstractContextManager[Server | None]:
    """Start the server of a store that has one."""
    if name == "postgresql":
        return postgresql(durable=True)
    program, _, power = name.partition(" ")
    if program in ("redis", "valkey"):
        return redis(f"{program}-server", "--appendfsync", "always" if power else "everysec")
    return nullcontext()


def cpu_of(server: Server | None) -> float:
    """Return the CPU time of a server and its children so far, those that have ended included, in seconds."""
    if server is None or server.process is None:
        return 0.0
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if server.process.pid in (int(stat.parent.name), int(fields[1])):
            own = slice(11, 15) if int(stat.parent.name) == server.process.pid else slice(11, 13)
            total += sum(map(int, fields[own]))
    return total / 100


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--commits", type=int, default=2000, help="of each store (2000)")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8], help="pages in one commit (1 8)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4], help="of a shared job (1 4)")
    parser.add_argument("--stores", default="memory,sqlite,sqlite power,postgresql,redis,redis power,valkey")
    options = parser.parse_args()
    names = options.stores.split(",")
    print(COLUMNS.format(*NAMES), flush=True)
    number = 0
    for name in names:
        with serving(name) as server:
            for workers in options.workers if server is not None else [1]:
                for batch in options.batch:
                    number += 1

                    async def run(name: str = name, workers: int = workers, batch: int = batch, n: int = number) -> Any:
                        async with opened(name, workers, server, n) as stores:
                            return await measure(name, stores, options.commits, batch, lambda: cpu_of(server))

                    print(COLUMNS.format(*trio.run(run)), flush=True)


if __name__ == "__main__":
    main()
