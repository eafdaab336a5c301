"""Items go where you want: a plugin that writes them into an SQLite database.

::

    python -m crawler run examples/sqlite_sink.py
    cd examples && python -m crawler run quotes.py -p sqlite_sink:Sqlite -P sqlite.path=quotes.sqlite

``persist`` sees items that are kept for good, many at once, in a task of its own: a slow database makes the crawl wait,
but blocks nothing. If it raises, the same items come again after a while.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from typing import Any

from quotes import Quotes

from crawler import Crawl, Plugin, Row


class Sqlite(Plugin):
    """Adds items to the table ``items`` of a database.

    Parameters:
        path: the file; it is made if it does not exist.
    """

    def __init__(self, path: str = "items.sqlite") -> None:
        self.path = path

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """The database is open as long as the crawl runs."""
        with closing(sqlite3.connect(self.path)) as self.database:
            self.database.execute("CREATE TABLE IF NOT EXISTS items (page TEXT, data TEXT)")
            yield

    async def persist(self, batch: Sequence[Row]) -> Any:
        """One transaction for each batch: all of its items are written, or none."""
        with self.database:
            rows = [(row.page, row.data.decode()) for row in batch]
            self.database.executemany("INSERT INTO items VALUES (?, ?)", rows)


class QuotesToSqlite(Quotes):
    """The quotes, in a database."""

    plugins = [Sqlite()]
