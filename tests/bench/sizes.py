"""Memory and disk that a job takes in each store, per million URLs.

::

    python tests/bench/sizes.py [--urls 200000] [--stores sqlite,postgresql,redis,valkey]

URLs of 75 bytes on a thousand hosts are added, and measured while all of them wait, and once all of them are settled.
*disk* is the folder of the job, the schema, or the append-only file after a rewrite; *memory* is that of the server for
its data. PostgreSQL is measured after a ``VACUUM FULL``: what vacuums leave for later rows does not count.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import coredis
import psycopg
import trio
from msgspec import Struct

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crawler_plugins.stores.postgres.store import PostgresStore
from crawler_plugins.stores.redis.opening import open_store
from integration.databases.servers import PASSWORD, Server, postgresql, redis

from crawler.frontier import Pending
from crawler.messages import Request
from crawler.store import Kind, Outcome, Store
from crawler.store.sqlite import SqliteStore

HOSTS = 1000
BATCH = 500
COLUMNS = "{:<12} {:>22} {:>22} {:>22} {:>22}"
NAMES = ("store", "waiting: memory MB", "disk MB", "settled: memory MB", "disk MB")


class Held(Struct):
    """The part of a ticket that a store needs."""

    pending: Pending
    epoch: int

    @property
    def request(self) -> Request:
        """The request."""
        return self.pending.request


def requests(urls: int) -> Iterator[list[Request]]:
    """Yield the requests in batches."""
    for first in range(0, urls, BATCH):
        yield [
            Request(f"https://www.host-{n % HOSTS:04d}.example/articles/{n * 2654435761 % 2**32:010d}/page-{n:09d}")
            for n in range(first, min(first + BATCH, urls))
        ]


async def settle(store: Store) -> None:
    """Settle all requests of a job."""
    while store.live:
        for group in (await store.claim(HOSTS, 10_000)).groups:
            for first in range(0, len(group.head), BATCH):
                held = [cast("Any", Held(pending, group.epoch)) for pending in group.head[first : first + BATCH]]
                await store.commit([Outcome(kind=Kind.REFUSED, ticket=ticket) for ticket in held])
            await store.release(group.name, group.epoch, {})


async def size_of_folder(folder: Path) -> tuple[int, int]:
    """Return the memory and the disk that a folder takes."""
    return 0, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def size_of_schema(server: Server) -> tuple[int, int]:
    """Return the memory and the disk that the tables of a job take."""
    with psycopg.connect(server.url, autocommit=True) as database:
        tables = "SELECT oid, oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = %s::regnamespace"
        found = database.execute(tables, ["crawler_sizes"]).fetchall()
        for _, name in found:
            database.execute(f"VACUUM FULL {name}")  # type: ignore[arg-type]  # a name of its own
        total = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE oid = ANY (%s)"
        return 0, int(database.execute(total, [[oid for oid, _ in found]]).fetchone()[0])  # type: ignore[index]  # a row


async def size_of_data(server: Server) -> tuple[int, int]:
    """Return the memory and the disk that the data of a server of Redis take."""
    host, port = server.url.rpartition("@")[2].split(":")
    async with coredis.Redis(host, int(port), password=PASSWORD) as client:
        await client.bgrewriteaof()
        while True:
            await trio.sleep(0.2)
            info = await client.info("memory", "persistence")
            if not info["aof_rewrite_in_progress"] and not info.get("aof_rewrite_scheduled"):
                return int(info["used_memory_dataset"]), int(info["aof_current_size"])


@asynccontextmanager
async def opened(name: str) -> AsyncIterator[tuple[Store, Any]]:
    """Open a store; yield it, and a function that returns its sizes."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="sizes-") as folder, SqliteStore(Path(folder, "job")) as store:
            yield store, partial(size_of_folder, Path(folder))
    elif name == "postgresql":
        with postgresql() as server:
            place, _, query = server.url.partition("?")
            async with PostgresStore.open(f"{place}/sizes?{query}") as shared:
                yield shared, partial(size_of_schema, server)
    else:
        with redis(f"{name}-server", "--appendfsync", "everysec") as server:
            async with open_store(f"{server.url}/sizes") as shared:
                yield shared, partial(size_of_data, server)


async def measure(name: str, urls: int) -> None:
    """Print the row of a store."""
    async with opened(name) as (store, size):
        empty = await size()
        for batch in requests(urls):
            await store.ingest(batch)
        await store.checkpoint()
        waiting = await size()
        await settle(store)
        await store.checkpoint()
        settled = await size()
    pairs = [pair for found in (waiting, settled) for pair in zip(found, empty, strict=True)]
    shown = [f"{(now - before) / urls:,.0f}" if now else "-" for now, before in pairs]
    print(COLUMNS.format(name, *shown), flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--urls", type=int, default=200_000)
    parser.add_argument("--stores", default="sqlite,postgresql,redis,valkey")
    options = parser.parse_args()
    print(COLUMNS.format(*NAMES))
    began = time.perf_counter()
    for name in options.stores.split(","):
        trio.run(measure, name, options.urls)
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
