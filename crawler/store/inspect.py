"""Inspect a job, running or not; read its items; and queue its failed requests again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec

from crawler.errors import JobError
from crawler.messages import Request, Row
from crawler.outages.failed_attempt import GIVEN_UP_END
from crawler.stats import RunRecord, without_failures
from crawler.store.checkpoint import STATS_NOTE, Checkpoint
from crawler.store.handler_counts import HANDLERS_ROW, HandlerCounts
from crawler.store.identity import shown_arguments
from crawler.store.job_folder import (
    DATABASE,
    SPOOL,
    SQLITE_ERRORS,
    check_is_job,
    connect,
    describe_error,
    locked_folder,
    owner_of,
)
from crawler.store.runs import read_runs
from crawler.store.schema import INSERT_PENDING, pack
from crawler.store.spool import read_rows

__all__ = [
    "DATABASE",
    "FailedRequest",
    "JobState",
    "failed_requests",
    "inspect_job",
    "owner_of",
    "queue_failed",
    "read_items",
    "retry_failed",
    "runs_of",
]


@attrs.frozen(kw_only=True)
class JobState:
    """The state of a job."""

    spider: str
    """The spider's name."""
    arguments: dict[str, Any]
    """The spider's arguments; secrets are hidden."""
    runs: int
    """Number of runs, including those that continued the job."""
    finished: bool
    """Whether nothing is left to do."""
    waiting: int
    """Number of requests that are not settled."""
    items: int
    """Number of committed items."""
    stats: dict[str, Any]
    """The counts so far, as in a report."""
    waiting_by_lane: dict[str, int]
    """Number of requests that are not settled, by lane: the hundred lanes with most requests, in descending order."""
    failed_by_reason: dict[str, int]
    """Number of requests that failed permanently, by kind of failure. ``incomplete``: pages that were cut and kept."""


@attrs.frozen(kw_only=True)
class FailedRequest:
    """A request that failed permanently."""

    url: str
    """Its URL."""
    reason: str
    """The kind of failure, such as ``connect_failed``."""
    message: str
    """One line."""
    attempts: int
    """Number of attempts."""
    at: float
    """Time of the failure, in seconds since the epoch."""
    traceback: str
    """The traceback of an exception in a callback or hook; otherwise empty."""


@contextmanager
def _reading(folder: Path, *, checked: bool = False) -> Iterator[sqlite3.Connection]:
    try:
        with closing(connect(folder, read_only=True, checked=checked)) as database:
            yield database
    except SQLITE_ERRORS as error:
        raise JobError(describe_error(folder / DATABASE, error)) from error


def inspect_job(folder: Path, *, brief: bool = False) -> JobState:
    """Return the state of a job, which may be running."""
    waiting_by_lane: dict[str, int] = {}
    failed_by_reason: dict[str, int] = {}
    with _reading(folder, checked=brief) as database:
        meta = dict(database.execute("SELECT name, value FROM meta"))
        if not brief:
            lanes = database.execute(
                "SELECT lane.name, count(*) FROM pending JOIN lane ON lane.id = pending.lane "
                "GROUP BY lane ORDER BY count(*) DESC, lane.name LIMIT 100"
            )
            waiting_by_lane.update(lanes)
            failed_by_reason.update(
                database.execute("SELECT reason, count(*) FROM failed GROUP BY reason ORDER BY count(*) DESC, reason")
            )
    identity = msgspec.json.decode(meta.get("identity", b"{}"))
    waiting = int(meta.get("live", 0))
    checkpoint = Checkpoint.from_rows(meta)
    return JobState(
        spider=identity.get("spider", ""),
        arguments=shown_arguments(identity),
        runs=int(meta.get("opened", 0)),
        finished=waiting == 0 and checkpoint.exhausted,
        waiting=waiting,
        items=int(meta.get("logged", 0)),
        stats=msgspec.json.decode(checkpoint.stats or b"{}"),
        waiting_by_lane=waiting_by_lane,
        failed_by_reason=failed_by_reason,
    )


def runs_of(folder: Path) -> list[RunRecord]:
    """Return the runs of a job in their order: the last thousand."""
    with _reading(folder) as database:
        row = database.execute("SELECT value FROM meta WHERE name = ?", (STATS_NOTE,)).fetchone()
        return read_runs(database, msgspec.json.decode(row[0]) if row else {})


def failed_requests(folder: Path) -> Iterator[FailedRequest]:
    """Iterate over the requests of a job that failed permanently, in the order of their failure."""
    with _reading(folder) as database:
        rows = database.execute("SELECT url, reason, message, attempts, at, traceback FROM failed ORDER BY at")
        for url, reason, message, attempts, at, traceback in rows:
            yield FailedRequest(url=url, reason=reason, message=message, attempts=attempts, at=at, traceback=traceback)


def read_items(folder: Path, n: int = 1000) -> Iterator[list[Row]]:
    """Iterate over all committed items of a job, in lists of at most `n`."""
    with _reading(folder) as database:
        row = database.execute("SELECT value FROM meta WHERE name = 'spool'").fetchone()
    length = int(row[0]) if row else 0
    offset = 0
    while offset < length:
        rows, ends = read_rows(folder / SPOOL, offset, n, length)
        offset = ends[-1]
        yield rows


def retry_failed(folder: Path) -> int:
    """Queue all requests again that failed permanently or were cut, and return their number."""
    check_is_job(folder)
    with locked_folder(folder), closing(connect(folder)) as database:
        try:
            return queue_failed(database)
        except SQLITE_ERRORS as error:
            raise JobError(describe_error(folder / DATABASE, error)) from error


def queue_failed(database: sqlite3.Connection, *, unreachable: bool = False) -> int:
    """Queue failed requests again: all, or those whose host was given up. Return their number."""
    which = (f"%{GIVEN_UP_END}", "") if unreachable else ("%", "%")  # a traceback is that of a callback
    database.execute("BEGIN IMMEDIATE")
    rows = database.execute(
        "SELECT failed.lane, name, tier, request FROM failed JOIN lane ON lane.id = failed.lane "
        "WHERE message LIKE ? AND traceback LIKE ? ORDER BY tier, number",
        which,
    ).fetchall()
    last = database.execute("SELECT value FROM meta WHERE name = 'number'").fetchone()
    # New numbers: the keys of items of an errback, which stay in the log, contain the old ones.
    first = int(last[0]) + 1 if last else 1
    stored = database.execute("SELECT value FROM meta WHERE name = ?", (HANDLERS_ROW,)).fetchone()
    handlers = HandlerCounts.from_json(stored and stored[0])
    for number, (lane, name, tier, data) in enumerate(rows, first):
        request = Request.from_json(data)
        handlers.add(request)
        database.execute(INSERT_PENDING, (lane, tier, number, *pack(request, name)))
    stats = database.execute("SELECT value FROM meta WHERE name = ?", (STATS_NOTE,)).fetchone()
    if rows and stats is not None:
        counts = without_failures(stats[0], unreachable=unreachable)
        database.execute("UPDATE meta SET value = ? WHERE name = ?", (counts, STATS_NOTE))
    if rows:
        database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (HANDLERS_ROW, handlers.to_json()))
        database.execute("UPDATE meta SET value = value + ? WHERE name IN ('number', 'live')", (len(rows),))
        database.execute("DELETE FROM failed WHERE message LIKE ? AND traceback LIKE ?", which)
    database.execute("COMMIT")
    return len(rows)
