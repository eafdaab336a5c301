"""`HandlerCounts`: how many pending requests name each callback and each errback.

A job stores them with every commit, so opening a job of millions of requests finds a renamed method without reading
the requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from crawler.messages import Request

if TYPE_CHECKING:
    import sqlite3

__all__ = ["HANDLERS_ROW", "HandlerCounts"]

HANDLERS_ROW: Final = "handlers"
"""The name of the row of the table `meta` that holds the counts."""
DEFAULT_CALLBACK: Final = "parse"
COUNT_CALLBACKS: Final = "SELECT coalesce(callback, ?), count(*) FROM pending GROUP BY 1"
COUNT_ERRBACKS: Final = """
SELECT json_extract(CAST(rest AS TEXT), '$.errback') AS errback, count(*) FROM pending
WHERE rest IS NOT NULL GROUP BY 1 HAVING errback IS NOT NULL
"""


class HandlerCounts(Struct):
    """Numbers of pending requests by the names of their handlers. A count that reaches 0 is removed."""

    callbacks: dict[str, int] = {}
    """By name of the callback; `parse` includes the requests that name none."""
    errbacks: dict[str, int] = {}
    """By name of the errback."""

    def add(self, request: Request, n: int = 1) -> None:
        """Count a request that becomes pending.

        Parameters:
            request: The request.
            n: 1, or -1 if it is no longer pending.
        """
        _add(self.callbacks, request.callback or DEFAULT_CALLBACK, n)
        if request.errback is not None:
            _add(self.errbacks, request.errback, n)

    def copy(self) -> HandlerCounts:
        """Return a copy, to return to if a transaction fails."""
        return HandlerCounts(self.callbacks.copy(), self.errbacks.copy())

    def to_json(self) -> bytes:
        """Return the counts as they are stored."""
        return msgspec.json.encode([self.callbacks, self.errbacks])

    @classmethod
    def load(cls, database: sqlite3.Connection, stored: bytes | None, live: int) -> HandlerCounts:
        """Return the counts of a job.

        Parameters:
            database: Of the job.
            stored: The stored counts; `None` in a job of an earlier version.
            live: The number of pending requests. Counts that do not add up to it are those of a version that did not
                update them, and the requests are counted again.
        """
        if stored is not None:
            counts = cls(*msgspec.json.decode(stored, type=tuple[dict[str, int], dict[str, int]]))
            if sum(counts.callbacks.values()) == live:
                return counts
        return cls(
            dict(database.execute(COUNT_CALLBACKS, (DEFAULT_CALLBACK,)).fetchall()),
            dict(database.execute(COUNT_ERRBACKS).fetchall()),
        )


def _add(counts: dict[str, int], name: str, n: int) -> None:
    number = counts.get(name, 0) + n
    if number:
        counts[name] = number
    else:
        counts.pop(name, None)
