"""Inspect a job in PostgreSQL without joining it, read its items, and queue its failed requests again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import psycopg

from crawler import JobError
from crawler import Row as Item
from crawler.store import FailedRequest, JobState, SharedJob, WorkerState, shown_arguments
from crawler_plugins.stores.postgres.address import Address
from crawler_plugins.stores.postgres.connection import Connection
from crawler_plugins.stores.postgres.opening import check_version, job_exists
from crawler_plugins.stores.postgres.reading import item_of, runs_of, stats_of
from crawler_plugins.stores.postgres.server import Server

__all__ = ["inspect_job", "items_of", "retry_failed"]

MAX_LANES: Final = 100
MAX_FAILURES: Final = 21
ITEMS: Final = 1000
"""Items that are read at once."""
CRAWL: Final = """
SELECT exhausted, (SELECT sum(live)::bigint FROM worker), (SELECT count(*) FROM item), (SELECT count(*) FROM run),
    (SELECT count(*) FROM past_worker WHERE was_lost), (SELECT count(*) FROM lane WHERE has_requests),
    (SELECT count(*) FROM lane WHERE has_requests AND owner IS NULL)
FROM crawl
"""
WORKERS: Final = """
SELECT id, name, clock() - joined, greatest(clock() - seen_at, 0.0),
    (SELECT count(*) FROM lane WHERE owner = worker.id), pages, greatest(logged - coalesce(stored, logged), 0)
FROM worker WHERE id > 0 ORDER BY id
"""
WAITING: Final = f"""
SELECT lane.name, count(*) FROM pending JOIN lane ON lane.id = pending.lane
GROUP BY lane.name ORDER BY count(*) DESC, lane.name LIMIT {MAX_LANES}
"""
REASONS: Final = "SELECT reason, count(*) FROM failed GROUP BY reason ORDER BY count(*) DESC, reason"
FAILURES: Final = f"SELECT url, reason, message, attempts, at, traceback FROM failed ORDER BY at LIMIT {MAX_FAILURES}"
ITEMS_AFTER: Final = f"""
SELECT part, number, data::text, key, page, type, sinks FROM item WHERE (part, number) > ($1, $2)
ORDER BY part, number LIMIT {ITEMS}
"""


@asynccontextmanager
async def _connected(url: str, *, read_only: bool = True) -> AsyncIterator[tuple[Server, Connection, dict[str, bytes]]]:
    """Connect to a job that exists, and read its table `meta`. While reading, nothing changes."""
    server = Server(Address.parse(url))
    connection = await server.connect()
    try:
        if not await job_exists(server, connection):
            raise JobError(f"{server.address.shown} does not exist")
        await server.begin()
        if read_only:
            await connection.run_script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield server, connection, await check_version(server, connection)
    except psycopg.Error as error:
        raise JobError(f"cannot read {server.address.shown}: {server.describe(error)}") from None
    finally:
        server.close()


async def inspect_job(url: str) -> SharedJob:
    """Return the state of a job."""
    async with _connected(url) as (server, connection, meta):
        [(exhausted, live, items, runs, lost, groups, free)] = await connection.run(CRAWL)
        identity: dict[str, Any] = msgspec.json.decode(meta.get("identity", b"{}"))
        return SharedJob(
            state=JobState(
                spider=identity.get("spider", ""),
                arguments=shown_arguments(identity),
                runs=runs,
                finished=live == 0 and exhausted,
                waiting=live,
                items=items,
                stats=msgspec.json.decode(await stats_of(server)),
                waiting_by_lane=dict(await connection.run(WAITING)),
                failed_by_reason=dict(await connection.run(REASONS)),
            ),
            groups=groups,
            free=free,
            workers=[_worker(*row) for row in await connection.run(WORKERS)],
            lost=lost,
            runs=await runs_of(server),
            failures=[_failure(*row) for row in await connection.run(FAILURES)],
        )


def _worker(owner: int, name: str, joined: float, seen: float, groups: int, pages: int, behind: int) -> WorkerState:
    return WorkerState(owner=owner, name=name, joined=joined, seen=seen, groups=groups, pages=pages, behind=behind)


def _failure(url: str, reason: str, message: str, attempts: int, at: float, traceback: str) -> FailedRequest:
    return FailedRequest(url=url, reason=reason, message=message, attempts=attempts, at=at, traceback=traceback)


async def retry_failed(url: str) -> int:
    """Queue all requests again that failed permanently, and return their number."""
    async with _connected(url, read_only=False) as (server, connection, _):
        queued: int | None
        [(queued,)] = await connection.run("SELECT retry_failed()")
        if queued is None:
            raise JobError(f"{server.address.shown} is in use by workers")
        return queued


@asynccontextmanager
async def items_of(url: str) -> AsyncIterator[Callable[[], Awaitable[list[Item]]]]:
    """Open the items of a job: by worker, and in the order of their commits."""
    place = (0, -1)

    async def following() -> list[Item]:
        nonlocal place
        rows = await connection.run(ITEMS_AFTER, place)
        if rows:
            place = rows[-1][:2]
        return [item_of(row[2:]) for row in rows]

    async with _connected(url) as (_, connection, _):
        yield following
