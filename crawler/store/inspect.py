"""Looking at a job that is not running, or runs elsewhere; and putting its failures back."""

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
from crawler.store.job_folder import DATABASE, SPOOL, connect, locked_folder, told
from crawler.store.schema import INSERT, pack
from crawler.store.spool import read_rows

__all__ = ["FailedRequest", "JobState", "failures", "items", "look", "retry_failed"]


@attrs.frozen(kw_only=True)
class JobState:
    """What a job is and where it stands."""

    spider: str
    """Its spider."""
    arguments: dict[str, Any]
    """What the spider was made with."""
    runs: int
    """How often it was begun or continued."""
    finished: bool
    """Whether nothing is left to do."""
    waiting: int
    """Requests that are not settled."""
    items: int
    """Items that were kept."""
    stats: dict[str, Any]
    """The counts so far, as in a report."""
    waiting_by_lane: dict[str, int]
    """Requests that are not settled, by lane; the longest first, at most a hundred lanes."""
    failed_by_reason: dict[str, int]
    """Requests that failed for good, by kind."""


@attrs.frozen(kw_only=True)
class FailedRequest:
    """A request that failed for good."""

    url: str
    """What was asked for."""
    reason: str
    """The kind of failure."""
    message: str
    """One line."""
    attempts: int
    """Attempts that were made."""
    at: float
    """Seconds since the epoch."""
    traceback: str
    """Of what a handler raised."""


@contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(connect(folder, read_only=True)) as database:
            yield database
    except sqlite3.Error as error:
        raise JobError(told(folder / DATABASE, error)) from error


def look(folder: Path) -> JobState:
    """Where a job stands.

    Raises:
        JobError: it is none, or is damaged.
    """
    with _reading(folder) as database:
        meta = dict(database.execute("SELECT name, value FROM meta"))
        lanes = database.execute(
            "SELECT lane.name, count(*) FROM pending JOIN lane ON lane.id = pending.lane "
            "GROUP BY lane ORDER BY count(*) DESC, lane.name LIMIT 100"
        )
        waiting_by_lane = dict(lanes.fetchall())
        reasons = database.execute("SELECT reason, count(*) FROM failed GROUP BY reason ORDER BY count(*) DESC, reason")
        failed_by_reason = dict(reasons.fetchall())
    identity = msgspec.json.decode(meta.get("identity", b"{}"))
    waiting = int(meta.get("live", 0))
    return JobState(
        spider=identity.get("spider", ""),
        arguments=identity.get("arguments", {}),
        runs=int(meta.get("opened", 0)),
        finished=waiting == 0 and "note:exhausted" in meta,
        waiting=waiting,
        items=int(meta.get("logged", 0)),
        stats=msgspec.json.decode(meta.get("note:stats", b"{}")),
        waiting_by_lane=waiting_by_lane,
        failed_by_reason=failed_by_reason,
    )


def failures(folder: Path) -> Iterator[FailedRequest]:
    """The requests of a job that failed for good, in the order of their failing.

    Raises:
        JobError: it is none, or is damaged.
    """
    with _reading(folder) as database:
        rows = database.execute("SELECT url, reason, message, attempts, at, traceback FROM failed ORDER BY at")
        for url, reason, message, attempts, at, traceback in rows:
            yield FailedRequest(url=url, reason=reason, message=message, attempts=attempts, at=at, traceback=traceback)


def items(folder: Path, n: int = 1000) -> Iterator[list[Row]]:
    """All items that a job has kept, `n` at a time.

    Raises:
        JobError: it is none, or is damaged.
    """
    with _reading(folder) as database:
        row = database.execute("SELECT value FROM meta WHERE name = 'spool'").fetchone()
    length = int(row[0]) if row else 0
    place = 0
    while place < length:
        rows, places = read_rows(folder / SPOOL, place, n, length)
        place = places[-1]
        yield rows


def retry_failed(folder: Path) -> int:
    """Puts the requests that failed for good back among those that wait; gives how many.

    Raises:
        JobError: it is in use, is none, or is damaged.
    """
    if not (folder / DATABASE).is_file():
        raise JobError(f"{folder} is no job: it has no {DATABASE}")
    with locked_folder(folder), closing(connect(folder)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
            rows = database.execute(
                "SELECT failed.lane, name, tier, request FROM failed JOIN lane ON lane.id = failed.lane "
                "ORDER BY tier, number"
            ).fetchall()
            last = database.execute("SELECT value FROM meta WHERE name = 'number'").fetchone()
            # A new number for each: those of an errback's items, which are kept, are keys that stay theirs.
            first = int(last[0]) + 1 if last else 1
            for number, (lane, name, tier, data) in enumerate(rows, first):
                database.execute(INSERT, (lane, tier, number, *pack(Request.from_json(data), name)))
            database.execute("UPDATE meta SET value = value + ? WHERE name = 'number'", (len(rows),))
            database.execute("DELETE FROM failed")
            database.execute("UPDATE meta SET value = value + ? WHERE name = 'live'", (len(rows),))
            stats = database.execute("SELECT value FROM meta WHERE name = 'note:stats'").fetchone()
            if stats is not None:
                counts = msgspec.json.decode(stats[0])
                failed = counts["failures"].keys() | counts.get("kinds", {}).keys()
                samples = {kind: urls for kind, urls in counts["samples"].items() if kind not in failed}
                counts |= {"failed": 0, "failures": {}, "kinds": {}, "samples": samples}
                database.execute("UPDATE meta SET value = ? WHERE name = 'note:stats'", (msgspec.json.encode(counts),))
            database.execute("COMMIT")
        except sqlite3.Error as error:
            raise JobError(told(folder / DATABASE, error)) from error
    return len(rows)
