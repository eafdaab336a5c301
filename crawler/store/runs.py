"""The runs of a job: one row for each, written when it begins and again when it ends.

A row has the counts of the job at both times. A run that was killed has no second one: it lasted until the counts with
which the next run begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from crawler.stats import RunRecord

if TYPE_CHECKING:
    import sqlite3

__all__ = ["COUNTS", "MAX_READ", "RunRow", "end_last_run", "read_runs", "records_of", "write_run"]

COUNTS: Final = ("pages", "items", "requests", "failed", "dealt_with")
"""The counts of a job that the record of a run has."""
MAX_READ: Final = 1000
"""Runs that are read: the last ones."""


class RunRow(Struct, frozen=True, kw_only=True):
    """The record of one run, as a job stores it."""

    spider: str
    """The name of the spider."""
    began: float
    """When it began, in seconds since the epoch."""
    before: Mapping[str, int]
    """The `COUNTS` of the job when it began."""
    after: Mapping[str, int] | None = None
    """The `COUNTS` of the job when it ended; `None` before."""
    seconds: float | None = None
    """Its length in seconds; `None` before it ended."""
    finished: str | None = None
    """Why it ended; `None` before."""
    complete: bool = False
    """Whether nothing was left to do."""
    problems: int = 0
    """Number of problems that plugins have reported."""


def write_run(database: sqlite3.Connection, number: int, run: RunRow) -> None:
    """Write the row of a run, inside of a transaction."""
    after = None if run.after is None else msgspec.json.encode(run.after)
    database.execute(
        "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number, run.spider, run.began, msgspec.json.encode(run.before), after, run.seconds, run.finished,
            run.complete, run.problems,
        ),
    )  # fmt: skip


def end_last_run(database: sqlite3.Connection, counts: Mapping[str, Any]) -> None:
    """Write the counts of the job into the row of its last run, if that was killed: the next run begins at 0."""
    after = msgspec.json.encode({name: counts.get(name, 0) for name in COUNTS})
    database.execute(
        "UPDATE run SET after = ? WHERE after IS NULL AND number = (SELECT max(number) FROM run)", (after,)
    )


def read_runs(database: sqlite3.Connection, counts: Mapping[str, int]) -> list[RunRecord]:
    """Return the runs of a job in their order."""
    rows = database.execute("SELECT * FROM run ORDER BY number DESC LIMIT ?", (MAX_READ,)).fetchall()
    return records_of(rows, counts)


def records_of(rows: Iterable[Sequence[Any]], counts: Mapping[str, int]) -> list[RunRecord]:
    """Return the runs of a job in their order.

    Parameters:
        rows: The rows of the table ``run``, the last one first.
        counts: The counts with which a run without an end ended, if it is the last one.
    """
    found: list[RunRecord] = []
    next_before = counts
    for number, spider, began, before_json, after_json, seconds, finished, complete, problems in rows:
        before: dict[str, int] = msgspec.json.decode(before_json)
        after = next_before if after_json is None else msgspec.json.decode(after_json)
        found.append(
            RunRecord(
                number=number,
                spider=spider,
                began=began,
                seconds=seconds,
                finished=finished,
                complete=bool(complete),
                problems=problems or 0,
                **_difference(after, before),
            )
        )
        next_before = before
    return found[::-1]


def _difference(after: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts of one run. Failures that were queued again count as none."""
    return {name: max(0, after.get(name, 0) - before.get(name, 0)) for name in COUNTS}
