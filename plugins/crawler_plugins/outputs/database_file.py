"""`DatabaseFile`: the base class of outputs to a database that is a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from crawler import ConfigError
from crawler.sinks import IfExists, SqlSink

__all__ = ["DatabaseFile"]


class DatabaseFile(SqlSink):
    """Items in a table of a database file.

    Parameters:
        path: The database file. It is created if it does not exist; its folder must exist.
        table: See `SqlSink`.
        if_exists: See `SqlSink`.

    Raises:
        ConfigError: The folder does not exist, or the name of the file has fields.
    """

    placeholder = "?"
    max_name = 1000

    def __init__(self, path: Path, *, table: str = "items", if_exists: IfExists = "error") -> None:
        super().__init__(str(path), table=table, if_exists=if_exists)
        self.path = Path(path)
        if "%(" in self.path.name:
            raise ConfigError(
                f"{self.path}: names of databases have no fields; ?table=%(type)s makes a table for each class of items"
            )
        if not self.path.parent.is_dir():
            raise ConfigError(f"no such folder: {self.path.parent} (for {self.path})")

    def add(self, table: str, columns: Mapping[str, str]) -> Iterable[str]:
        """Return an ``ADD COLUMN`` for each column: the library takes one at a time."""
        return [f"ALTER TABLE {table} ADD COLUMN {column} {kind}" for column, kind in columns.items()]

    def upsert(self, table: str, columns: Sequence[str]) -> str:
        """Return an ``INSERT OR REPLACE``."""
        marks = ", ".join("?" * len(columns))
        return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})"
