"""Requests, tickets and outcomes for the tests of stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from crawler.frontier import Frontier, Lane, PageTicket, Pending
from crawler.messages import Request
from crawler.settings import Settings
from crawler.store import FailureRow, Kind, Outcome, Store

__all__ = ["A", "B", "claimed", "done", "execute", "failed", "paths", "requests", "ticket"]

A, B = "http://a.test", "http://b.test"


def requests(*paths: str, host: str = A, **options: Any) -> list[Request]:
    """Return one request for each path."""
    return [Request(f"{host}/{path}", **options) for path in paths]


def ticket(pending: Pending, epoch: int) -> PageTicket:
    """Return a ticket for a request, as the frontier would issue it."""
    frontier = Frontier(Settings())
    lane: Lane = frontier.lanes.open(pending.group, epoch=epoch, head=(), more=False)
    return PageTicket(pending, lane, epoch, 0.0, frontier.budgets.permit(lane, pending.request))


async def claimed(store: Store, n: int = 100) -> list[PageTicket]:
    """Claim all groups, and return tickets for the first `n` requests of each."""
    found = await store.claim(100, n)
    return [ticket(pending, group.epoch) for group in found.groups for pending in group.head]


def done(held: PageTicket, **effects: Any) -> Outcome:
    """Return the outcome of a page whose callback succeeded."""
    return Outcome(kind=Kind.DONE, ticket=held, attempts=1, page=True, **effects)


def failed(held: PageTicket, message: str = "refused", **effects: Any) -> Outcome:
    """Return the outcome of a request after its last attempt."""
    failure = FailureRow(reason="connect_failed", message=message, traceback=message)
    return Outcome(kind=Kind.FAILED, ticket=held, attempts=3, failure=failure, **effects)


def paths(rows: Sequence[Pending | PageTicket]) -> list[str]:
    """Return the last path segment of each URL."""
    return [row.request.url.rpartition("/")[2] for row in rows]


def execute(job: Path, statement: str) -> list[Any]:
    """Run an SQL statement on the database of a job as another program would, and return its rows."""
    with closing(sqlite3.connect(job / "job.sqlite")) as database, database:
        return database.execute(statement).fetchall()
