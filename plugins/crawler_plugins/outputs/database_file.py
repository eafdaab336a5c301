"""`DatabaseFile`: the base class of outputs to a database that is a file."""

from __future__ import annotations

from collections.abc import Sequence
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
        ConfigError: The folder does not exist.
    """

    placeholder = "?"
    max_name = 1000

    def __init__(self, path: Path, *, table: str = "items", if_exists: IfExists = "error") -> None:
        super().__init__(str(path), table=table, if_exists=if_exists)
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise ConfigError(f"no such directory: {self.path.parent} (for {self.path})")

    def upsert(self, table: str, columns: Sequence[str]) -> str:
        """Return an ``INSERT OR REPLACE``."""
        marks = ", ".join("?" * len(columns))
        return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})"
