"""`FileIndex`: the files that a folder has, by URL and by digest, and what is known of unfinished ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

__all__ = ["FileIndex"]

TABLES: Final = """
CREATE TABLE IF NOT EXISTS files (
    variant TEXT, url TEXT, digest TEXT, stored_at REAL, facts BLOB, PRIMARY KEY (variant, url)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_digest ON files (variant, digest);
CREATE TABLE IF NOT EXISTS unfinished (url TEXT PRIMARY KEY, validator TEXT) WITHOUT ROWID;
"""
BUSY_TIMEOUT: Final = 5.0
"""Seconds to wait for another process that writes."""


class FileIndex:
    """An SQLite database in the folder of the files. A change takes 0.1 ms, so it is made on the event loop.

    Parameters:
        path: The database; it is created if it does not exist.
        sync: Whether each change survives a power failure. Unfinished files of earlier runs do not: they start again.

    Raises:
        sqlite3.Error: It cannot be opened.
    """

    def __init__(self, path: Path, *, sync: bool) -> None:
        self._database = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
            self._database.executescript(TABLES)
            if sync:  # what was not on the disk at a power failure may be holes now
                self._database.execute("DELETE FROM unfinished")
        except sqlite3.Error:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def by_url(self, variant: str, url: str, since: float) -> dict[str, Any] | None:
        """Return the facts of the file of a URL; `None` if it has none.

        Parameters:
            variant: What was done with the file, such as a conversion. Files of different variants are different.
            url: The canonical URL.
            since: Seconds since the epoch; files that were stored earlier are too old.
        """
        query = "SELECT facts FROM files WHERE variant = ? AND url = ? AND stored_at >= ?"
        row = self._database.execute(query, (variant, url, since)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    def by_digest(self, variant: str, digest: str) -> Iterator[dict[str, Any]]:
        """Yield the facts of the files with a content, the oldest first."""
        query = "SELECT facts FROM files WHERE variant = ? AND digest = ? ORDER BY stored_at"
        for (facts,) in self._database.execute(query, (variant, digest)):
            yield msgspec.json.decode(facts)

    def add(self, variant: str, url: str, facts: dict[str, Any], now: float) -> None:
        """Keep the facts of a file, of which ``digest`` is one, and forget that it was unfinished."""
        row = (variant, url, facts["digest"], now, msgspec.json.encode(facts))
        self._database.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", row)
        self._database.execute("DELETE FROM unfinished WHERE url = ?", (url,))

    def validator(self, url: str) -> str:
        """Return the validator of an unfinished file, as ``If-Range`` takes it; empty if it has none."""
        row = self._database.execute("SELECT validator FROM unfinished WHERE url = ?", (url,)).fetchone()
        return row[0] if row else ""

    def set_validator(self, url: str, validator: str) -> None:
        """Keep the validator of an unfinished file; an empty one means that it cannot be continued."""
        if validator:
            self._database.execute("INSERT OR REPLACE INTO unfinished VALUES (?, ?)", (url, validator))
        else:
            self._database.execute("DELETE FROM unfinished WHERE url = ?", (url,))
