"""Inspect a job in Redis without joining it, and read its items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

from crawler import JobError, Row
from crawler.store import FailedRequest, JobState, SharedJob, WorkerState, shown_arguments
from crawler_plugins.stores.redis.address import Address
from crawler_plugins.stores.redis.connection import Connection
from crawler_plugins.stores.redis.opening import check_version
from crawler_plugins.stores.redis.reading import pairs, rows_of, runs_of, total

__all__ = ["inspect_job", "items_of", "retry_failed"]

MAX_LANES: Final = 100
MAX_FAILURES: Final = 21
ITEMS: Final = 1000
"""Items that are read at once."""


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    """Connect to a job that exists."""
    async with Connection(Address.parse(url), power=False) as connection:
        values, _ = await connection.call("open", {})
        shown = connection.address.shown
        if not values:
            raise JobError(f"{shown} does not exist: crawler run SPIDER --job {shown} begins it")
        check_version(dict(pairs(values)), shown)
        yield connection


async def inspect_job(url: str) -> SharedJob:
    """Return the state of a job."""
    async with _connected(url) as connection:
        answer = await connection.call("inspect", {"failures": MAX_FAILURES})
    values, workers, groups, free, waiting, reasons, failures, stats, runs = answer
    meta = dict(pairs(values))
    identity: dict[str, Any] = msgspec.json.decode(meta.get("identity", "{}"))
    counts = dict(pairs(stats))
    live = int(meta.get("live", 0))
    by_lane = sorted(((name.decode(), n) for name, n in waiting if n), key=lambda lane: (-lane[1], lane[0]))
    return SharedJob(
        state=JobState(
            spider=identity.get("spider", ""),
            arguments=shown_arguments(identity),
            runs=len(runs) // 2,
            finished=live == 0 and "exhausted" in meta,
            waiting=live,
            items=int(meta.get("items", 0)),
            stats=msgspec.json.decode(total(counts.values()).to_json(lanes=True)),
            waiting_by_lane=dict(by_lane[:MAX_LANES]),
            failed_by_reason={
                reason: int(n) for reason, n in sorted(pairs(reasons), key=lambda row: (-int(row[1]), row[0]))
            },
        ),
        groups=groups,
        free=free,
        workers=[_worker(row) for row in workers],
        lost=int(meta.get("lost", 0)),
        runs=runs_of(dict(pairs(runs)), counts),
        failures=[_failure(fields[1]) for _, fields in failures],
    )


def _worker(row: Any) -> WorkerState:
    owner, name, joined, seen, groups, pages, behind = row
    return WorkerState(
        owner=int(owner),
        name=name.decode(),
        joined=float(joined),
        seen=float(seen),
        groups=groups,
        pages=pages,
        behind=behind,
    )


def _failure(row: bytes) -> FailedRequest:
    return FailedRequest(**msgspec.json.decode(row))


async def retry_failed(url: str) -> int:
    """Queue all requests again that failed permanently, and return their number."""
    async with _connected(url) as connection:
        queued: int = await connection.call("retry_failed", {})
        if queued < 0:
            raise JobError(f"{connection.address.shown} is in use by workers")
        answer = await connection.call("inspect", {"failures": 1})
        rows = [(owner, without_failures(counts)) for owner, counts in pairs(answer[7])]
        await connection.call("replace_stats", {"rows": rows})
    return queued


def without_failures(counts: str) -> str:
    """Return counts without those of the requests that failed."""
    stats: dict[str, Any] = {name: n for name, n in msgspec.json.decode(counts).items() if name != "incomplete"}
    failed = stats["failures"].keys() | stats.get("kinds", {}).keys() | {"incomplete"}
    samples = {kind: urls for kind, urls in stats["samples"].items() if kind not in failed}
    return msgspec.json.encode(stats | {"failed": 0, "failures": {}, "kinds": {}, "samples": samples}).decode()


@asynccontextmanager
async def items_of(url: str) -> AsyncIterator[Callable[[], Awaitable[list[Row]]]]:
    """Open the items of a job: by worker, and in the order of their commits."""
    owner, after = 1, 0

    async def following() -> list[Row]:
        nonlocal owner, after
        while True:
            dropped, owners, entries = await connection.call("items", {"owner": str(owner), "after": after, "n": ITEMS})
            if dropped:
                raise JobError(
                    f"{connection.address.shown} does not have its items: the server keeps them until the outputs "
                    "of the workers have stored them"
                )
            if entries:
                after = int(entries[-1][0].partition(b"-")[0])
                return rows_of(entries)
            if owner >= int(owners):
                return []
            owner, after = owner + 1, 0

    async with _connected(url) as connection:
        yield following
