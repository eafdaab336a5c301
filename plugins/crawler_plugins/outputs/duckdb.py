"""`DuckDB`: items in a table of a DuckDB database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crawler_plugins.outputs.database_file import DatabaseFile

if TYPE_CHECKING:
    import duckdb

__all__ = ["DuckDB"]


class DuckDB(DatabaseFile):
    """Items in a table of a DuckDB database, one row each; fields become columns.

    Lists and objects are stored as JSON text. One process at a time can use the file.

    Parameters:
        path: The database file. It is created if it does not exist; its folder must exist.
    """

    guarantee = "exactly once: rows and cursor are written in one transaction"
    requires = {"duckdb": "trio-crawler[duckdb]"}
    types = {"bool": "BOOLEAN", "int": "BIGINT", "float": "DOUBLE", "text": "VARCHAR", "key": "VARCHAR"}

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open the database."""
        import duckdb  # noqa: PLC0415 - an extra

        return duckdb.connect(str(self.path))

    def is_lost(self, error: Exception) -> bool:
        """Return whether another process holds the database."""
        import duckdb  # noqa: PLC0415 - an extra

        return isinstance(error, duckdb.IOException) and "lock" in str(error)

    def start(self, connection: Any) -> None:
        """Begin a transaction."""
        connection.execute("BEGIN")

    def execute(self, connection: Any, statement: str, rows: Sequence[Sequence[Any]] | None = None) -> list[Any]:
        """Execute a statement. A cursor of DuckDB would be another connection."""
        return list(connection.execute(statement, None if rows is None else rows[0]).fetchall())

    def insert(self, connection: Any, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows with one statement, which gets a list for each column: one for each row is six times as slow."""
        types = self.columns(connection, table)
        own = set(self.types.values())
        lists = ", ".join(f"unnest(?::{types[name] if types[name] in own else 'VARCHAR'}[])" for name in columns)
        quoted = ", ".join(map(self.quote, columns))
        connection.execute(
            f"INSERT OR REPLACE INTO {self.quote(table)} ({quoted}) SELECT {lists}",
            [list(values) for values in zip(*rows, strict=True)],
        )

    def widen(self, table: str, column: str, kind: str) -> str:
        """Return an ``ALTER COLUMN``."""
        return f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {self.types[kind]}"
