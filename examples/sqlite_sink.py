"""Write items to an SQLite database with a sink of your own.

::

    python -m crawler run examples/sqlite_sink.py
    cd examples && python -m crawler run quotes.py -p sqlite_sink:Sqlite -P sqlite.path=quotes.sqlite

``persist`` gets committed items in batches. It is a plain function, so it runs in a worker thread, and a slow database
does not block the crawl. If ``persist`` raises, the same batch is passed again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing

from quotes import Quotes

from crawler import Crawl, Row, Sink


class Sqlite(Sink):
    """Sink that stores items in the table ``items`` of a database.

    Parameters:
        path: The database file. It is created if it does not exist.
    """

    def __init__(self, path: str = "items.sqlite") -> None:
        self.path = path

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Keep the database open while the crawl runs."""
        # `persist` uses the connection in another thread.
        with closing(sqlite3.connect(self.path, check_same_thread=False)) as self.database:
            self.database.execute("CREATE TABLE IF NOT EXISTS items (key TEXT PRIMARY KEY, page TEXT, data TEXT)")
            yield

    def persist(self, batch: Sequence[Row]) -> None:
        """Write a batch in one transaction. The key makes the write idempotent: a repeated batch changes nothing."""
        with self.database:
            rows = [(row.key, row.page, row.data.decode()) for row in batch]
            self.database.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", rows)


class QuotesToSqlite(Quotes):
    """Quotes, stored in a database."""

    plugins = [Sqlite()]
