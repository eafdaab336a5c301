"""`SQLite`: items in a table of an SQLite database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from crawler_plugins.outputs.database_file import DatabaseFile

__all__ = ["SQLite"]

MAX_INTEGER: Final = 2**63
LOCKED: Final = 10.0
"""Seconds that one statement waits for another process that writes."""


class SQLite(DatabaseFile):
    """Items in a table of an SQLite database, one row each; fields become columns.

    Columns have no declared type: each value keeps its own. Lists and objects are stored as JSON text, truth values as
    0 and 1, integers of more than 64 bits as text.

    Parameters:
        path: The database file. It is created if it does not exist; its folder must exist.
    """

    guarantee = "exactly once: rows and cursor are written in one transaction, which waits for the disk"
    types = {"bool": "", "int": "", "float": "", "text": "", "key": "TEXT"}  # a type would turn "007" into 7

    def connect(self) -> sqlite3.Connection:
        """Open the database. Every commit waits for the disk, so the job never relies on rows that may be lost."""
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=LOCKED)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def is_lost(self, error: Exception) -> bool:
        """Return whether another process holds the database."""
        return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)

    def start(self, connection: Any) -> None:
        """Begin a transaction that may write."""
        connection.execute("BEGIN IMMEDIATE")

    def tables(self, connection: Any) -> Iterable[str]:
        """Return the names of all tables."""
        return [name for (name,) in self.execute(connection, "SELECT name FROM sqlite_schema WHERE type = 'table'")]

    def columns(self, connection: Any, table: str) -> dict[str, str]:
        """Return the columns of a table with their declared types."""
        return {row[1]: row[2] for row in self.execute(connection, f"PRAGMA table_info({self.quote(table)})")}

    def value(self, value: Any, kind: str) -> Any:
        """Return an integer of more than 64 bits as text."""
        return str(value) if isinstance(value, int) and not -MAX_INTEGER <= value < MAX_INTEGER else value

    def widen(self, table: str, column: str, kind: str) -> str:
        """Return nothing: a column takes any value."""
        return ""
