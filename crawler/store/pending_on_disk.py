"""`PendingOnDisk`: the pending requests of a crawl without a job that do not fit into memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from crawler.errors import CrawlFailed
from crawler.frontier import Pending
from crawler.frontier.ticket import Order
from crawler.store.schema import (
    CREATE_PENDING,
    DELETE_PENDING,
    INSERT_PENDING,
    SELECT_AFTER,
    UPDATE_ATTEMPT,
    pack,
    unpack,
)

__all__ = ["PendingOnDisk"]


class PendingOnDisk:
    """Pending requests in a temporary file, which has no name and ends with the process.

    SQLite creates it in the folder that ``SQLITE_TMPDIR`` or ``TMPDIR`` names, else in ``/var/tmp`` or ``/tmp``.
    Lanes are given by number. Every method raises `CrawlFailed` if the file cannot be written.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        # SQLite keeps 8 MiB of the file in memory.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-8192"):
            self._execute(f"PRAGMA {pragma}")
        self._execute(CREATE_PENDING)
        self._execute("BEGIN")  # and never COMMIT, which takes ten times as long as a statement

    def close(self) -> None:
        """Delete the file."""
        self._database.close()

    def add(self, lane: int, pending: Pending) -> None:
        """Add a request that has not been attempted."""
        self._execute(INSERT_PENDING, (lane, *pending.order, *pack(pending.request, pending.group)))

    def requests_after(self, lane: int, name: str, after: Order, n: int) -> list[Pending]:
        """Return the first `n` requests of a lane that come after `after` in order."""
        return [unpack(name, row) for row in self._execute(SELECT_AFTER, (lane, *after, n)).fetchall()]

    def put_off(self, lane: int, order: Order, attempts: int, not_before: float) -> bool:
        """Store the attempts of a request and the time of the next one, and return whether the request is here."""
        return self._execute(UPDATE_ATTEMPT, (attempts, not_before, lane, *order)).rowcount > 0

    def remove(self, lane: int, order: Order) -> bool:
        """Remove a request, and return whether it was here."""
        return self._execute(DELETE_PENDING, (lane, *order)).rowcount > 0

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.Error as error:
            message = f"the pending requests do not fit into memory, nor into a temporary file ({error})"
            raise CrawlFailed(f"{message}: set TMPDIR to a folder with more space, or use --job") from error
