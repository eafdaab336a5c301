"""`ResponseStore`: responses in an SQLite file, by key."""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path
from typing import Final

import attrs
import msgspec

from crawler import ConfigError

__all__ = ["ResponseStore", "Stored"]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS response (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, at REAL NOT NULL, request TEXT NOT NULL,
    status INTEGER NOT NULL, fields TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS response_key ON response (key);
"""
Fields = list[tuple[str, str]]


@attrs.frozen(kw_only=True)
class Stored:
    """A response in the store."""

    id: int = 0
    """Number of the row; 0 before it is stored."""
    at: float
    """When it was fetched, in seconds since the epoch."""
    request_fields: Fields
    """Header fields of the request."""
    status: int
    """HTTP status code."""
    fields: Fields
    """Header fields, as received."""
    body: bytes
    """The decoded body."""


class ResponseStore:
    """Responses in an SQLite file. Several processes may use it at the same time.

    Parameters:
        path: The file; it is created if it is missing.
        plugin: The name of the plugin, for messages.

    Raises:
        ConfigError: The file cannot be opened, or is not such a store.
    """

    def __init__(self, path: Path, plugin: str) -> None:
        try:
            self._database = sqlite3.connect(path, timeout=30.0, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(SCHEMA)
            self._database.execute("SELECT id, key, at, request, status, fields, body FROM response LIMIT 0")
        except sqlite3.Error as error:
            raise ConfigError(f"{plugin}: cannot use {path} as a cache: {error}; name another file") from error

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def find(self, key: bytes) -> list[Stored]:
        """Return the responses under a key, the newest first."""
        rows = self._database.execute(
            "SELECT id, at, request, status, fields, body FROM response WHERE key = ? ORDER BY id DESC", (key,)
        )
        return [
            Stored(
                id=number,
                at=at,
                request_fields=msgspec.json.decode(request, type=Fields),
                status=status,
                fields=msgspec.json.decode(fields, type=Fields),
                body=zlib.decompress(body),
            )
            for number, at, request, status, fields, body in rows
        ]

    def add(self, key: bytes, stored: Stored, *, replaces: bool) -> None:
        """Store a response.

        Parameters:
            key: Its key.
            stored: The response.
            replaces: Whether it replaces all others under the key.
        """
        encode = msgspec.json.encode
        row = (
            key, stored.at, encode(stored.request_fields).decode(), stored.status, encode(stored.fields).decode(),
            zlib.compress(stored.body, 1),
        )  # fmt: skip
        self._database.execute("BEGIN IMMEDIATE")
        try:
            if replaces:
                self._database.execute("DELETE FROM response WHERE key = ?", (key,))
            self._database.execute(
                "INSERT INTO response (key, at, request, status, fields, body) VALUES (?, ?, ?, ?, ?, ?)", row
            )
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def update(self, number: int, fields: Fields) -> None:
        """Replace the header fields of a response."""
        data = msgspec.json.encode(fields).decode()
        self._database.execute("UPDATE response SET fields = ? WHERE id = ?", (data, number))

    def remove(self, number: int) -> None:
        """Remove a response."""
        self._database.execute("DELETE FROM response WHERE id = ?", (number,))
