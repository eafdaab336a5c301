"""Inspect a job in PostgreSQL without joining it, and read its items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import psycopg

from crawler import JobError
from crawler import Row as Item
from crawler.store import FailedRequest, JobState, SharedJob, WorkerState, shown_arguments
from crawler_plugins.stores.postgres import binary
from crawler_plugins.stores.postgres.address import Address
from crawler_plugins.stores.postgres.connection import Connection, Statement
from crawler_plugins.stores.postgres.opening import check_version, job_exists
from crawler_plugins.stores.postgres.reading import row_of, runs_of, stats_of
from crawler_plugins.stores.postgres.server import Server

__all__ = ["inspect_job", "items_of", "retry_failed"]

MAX_LANES: Final = 100
MAX_FAILURES: Final = 21
ITEMS: Final = 1000
"""Items that are read at once."""
CRAWL: Final = Statement(
    "SELECT exhausted, (SELECT sum(live)::bigint FROM worker), (SELECT count(*) FROM item), "
    "(SELECT count(*) FROM run), "
    "(SELECT count(*) FROM past_worker WHERE was_lost), (SELECT count(*) FROM lane WHERE has_requests), "
    "(SELECT count(*) FROM lane WHERE has_requests AND owner IS NULL) FROM crawl"
)
WORKERS: Final = Statement(
    "SELECT id, name, clock() - joined, clock() - seen_at, (SELECT count(*) FROM lane WHERE owner = worker.id), pages, "
    "greatest(logged - coalesce(stored, logged), 0) FROM worker WHERE id > 0 ORDER BY id"
)
WAITING: Final = Statement(
    "SELECT lane.name, count(*) FROM pending JOIN lane ON lane.id = pending.lane "
    f"GROUP BY lane.name ORDER BY count(*) DESC, lane.name LIMIT {MAX_LANES}"
)
REASONS: Final = Statement("SELECT reason, count(*) FROM failed GROUP BY reason ORDER BY count(*) DESC, reason")
FAILURES: Final = Statement(
    f"SELECT url, reason, message, attempts, at, traceback FROM failed ORDER BY at LIMIT {MAX_FAILURES}"
)
ITEMS_AFTER: Final = Statement(
    "SELECT data, key, page, type, sinks, part, number FROM item WHERE (part, number) > ($1, $2) "
    f"ORDER BY part, number LIMIT {ITEMS}"
)


RETRY_FAILED: Final = Statement("SELECT retry_failed()")


@asynccontextmanager
async def _connected(url: str, *, read_only: bool = True) -> AsyncIterator[tuple[Server, Connection]]:
    """Connect to a job that exists. While reading, nothing changes."""
    server = Server(Address.parse(url))
    connection = await server.connect()
    try:
        if not await job_exists(server, connection):
            raise JobError(f"{server.address.shown} does not exist")
        await server.begin()
        if read_only:
            await connection.run_script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await check_version(server, connection)
        yield server, connection
    except psycopg.Error as error:
        raise JobError(f"cannot read {server.address.shown}: {server.describe(error)}") from None
    finally:
        server.close()


async def inspect_job(url: str) -> SharedJob:
    """Return the state of a job.

    Raises:
        JobError: The job cannot be reached, does not exist, or belongs to another version.
    """
    async with _connected(url) as (server, connection):
        exhausted, *numbers = (await connection.run(CRAWL))[0]
        live, items, runs, lost, groups, free = map(binary.read_int, numbers)
        identity: dict[str, Any] = msgspec.json.decode((await check_version(server, connection)).get("identity", b"{}"))
        waiting = await connection.run(WAITING)
        reasons = await connection.run(REASONS)
        return SharedJob(
            state=JobState(
                spider=identity.get("spider", ""),
                arguments=shown_arguments(identity),
                runs=runs,
                finished=live == 0 and binary.read_boolean(exhausted),
                waiting=live,
                items=items,
                stats=msgspec.json.decode(await stats_of(server)),
                waiting_by_lane={binary.read_text(name): binary.read_int(count) for name, count in waiting},
                failed_by_reason={binary.read_text(reason): binary.read_int(count) for reason, count in reasons},
            ),
            groups=groups,
            free=free,
            workers=[_worker(row) for row in await connection.run(WORKERS)],
            lost=lost,
            runs=await runs_of(server),
            failures=[_failure(row) for row in await connection.run(FAILURES)],
        )


def _worker(row: Any) -> WorkerState:
    owner, name, joined, seen, groups, pages, behind = row
    return WorkerState(
        owner=binary.read_int(owner),
        name=binary.read_text(name),
        joined=binary.read_double(joined),
        seen=max(0.0, binary.read_double(seen)),
        groups=binary.read_int(groups),
        pages=binary.read_int(pages),
        behind=binary.read_int(behind),
    )


def _failure(row: Any) -> FailedRequest:
    url, reason, message, attempts, at, traceback = row
    return FailedRequest(
        url=binary.read_text(url),
        reason=binary.read_text(reason),
        message=binary.read_text(message),
        attempts=binary.read_int(attempts),
        at=binary.read_double(at),
        traceback=binary.read_text(traceback),
    )


async def retry_failed(url: str) -> int:
    """Queue all requests again that failed permanently, and return their number.

    Raises:
        JobError: The job cannot be reached, does not exist, belongs to another version, or has workers.
    """
    async with _connected(url, read_only=False) as (server, connection):
        ((queued,),) = await connection.run(RETRY_FAILED)
        if queued is None:
            raise JobError(f"{server.address.shown} is in use by workers")
        return binary.read_int(queued)


@asynccontextmanager
async def items_of(url: str) -> AsyncIterator[Callable[[], Awaitable[list[Item]]]]:
    """Open the items of a job: by worker, and in the order of their commits.

    Raises:
        JobError: The job cannot be reached, does not exist, or belongs to another version.
    """
    part, number = 0, -1

    async def following() -> list[Item]:
        nonlocal part, number
        rows = await connection.run(ITEMS_AFTER, [binary.integer(part), binary.bigint(number)])
        if rows:
            part, number = binary.read_int(rows[-1][5]), binary.read_int(rows[-1][6])
        return [row_of(row[:5]) for row in rows]

    async with _connected(url) as (_, connection):
        yield following
