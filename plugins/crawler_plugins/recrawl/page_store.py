"""`PageStore`: the pages that crawls have found, in an SQLite file, each as it is now and as it was a round before.

A *round* is one crawl of everything. A page is compared with what the round before knew of it, so a visit may be
written before the job commits it: if the process is killed in between, the next visit of the same round makes the same
comparison, and replaces what was written.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from crawler import ConfigError
from crawler_plugins.recrawl.snapshot import Snapshot

__all__ = ["PageStore", "Record"]

APPLICATION_ID: Final = 0x63727267
"""Marks the file (``application_id``)."""
VERSION: Final = 1
TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE page (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, handlers TEXT NOT NULL, request BLOB NOT NULL,
    round INTEGER NOT NULL DEFAULT 0, now BLOB, before BLOB, change TEXT NOT NULL DEFAULT '',
    reported INTEGER NOT NULL DEFAULT 0);
CREATE TABLE body (
    key BLOB, digest BLOB, fields BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (key, digest)) WITHOUT ROWID;
"""
BATCH: Final = 500
"""Pages that are read together."""
NEVER: Final = Snapshot()


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Record:
    """A page to write."""

    key: bytes
    """Identifies its request."""
    handlers: str
    """Names of callback and errback."""
    request: bytes
    """The request, as JSON."""
    snapshot: Snapshot | None = None
    """The page after a visit; `None` leaves it as the round before knew it."""
    content: tuple[list[tuple[str, str]], bytes] | None = None
    """Header fields, and the body as `zlib` compresses it, if they are to be kept."""


class PageStore:
    """The file. A change takes about 0.1 ms, so it is made on the event loop. One process at a time may use it.

    Parameters:
        path: The file; it is created, readable by its owner only, if it does not exist.
        spider: Name of the spider that it belongs to.
        sync: Whether each change survives a power failure.

    Raises:
        ConfigError: It cannot be opened, is in use, is another file, or belongs to another spider.
    """

    def __init__(self, path: Path, spider: str, *, sync: bool) -> None:
        self._path = path
        try:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(path, timeout=0.0, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"recrawl: cannot open {path}: {_reason(error)}") from None
        with ExitStack() as stack:
            stack.callback(self._database.close)
            try:
                self._open(spider, sync=sync)
            except sqlite3.Error as error:
                if "locked" in str(error):
                    raise ConfigError(f"recrawl: {path} is in use by another crawl") from None
                raise ConfigError(f"recrawl: {path} is not a file of the plugin recrawl: {error}") from None
            stack.pop_all()

    def _open(self, spider: str, *, sync: bool) -> None:
        execute = self._database.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")
        [found] = execute("PRAGMA application_id").fetchone()
        if not found and not execute("SELECT 1 FROM sqlite_master").fetchone():
            execute("PRAGMA journal_mode = WAL")
            self._database.executescript(
                f"BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT"
            )
            self._set("spider", spider)
        elif found != APPLICATION_ID or execute("PRAGMA user_version").fetchone()[0] != VERSION:
            raise ConfigError(f"recrawl: {self._path} is not a file of this version of the plugin recrawl")
        execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
        owner = self._get("spider")
        if owner != spider:
            raise ConfigError(
                f"recrawl: {self._path} belongs to the spider {owner}, not to {spider}: name another file"
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # ---- rounds ------------------------------------------------------------------------------------------------------

    def begin_round(self) -> int:
        """Begin a round, and return its number. Visits of one that was not ended are undone.

        Pages that are gone for good are forgotten.
        """
        last = int(self._get("round") or 0)
        with self.transaction():
            if self._get("open"):
                self._database.execute("UPDATE page SET now = before, round = 0 WHERE round = ?", (last,))
            self._set("round", last + 1)
            self._set("open", 1)
            gone = [
                (key,)
                for key, data in self._database.execute("SELECT key, now FROM page WHERE now IS NOT NULL")
                if _snapshot(data).is_forgotten
            ]
            self._database.executemany("DELETE FROM page WHERE key = ?", gone)
            self._database.executemany("DELETE FROM body WHERE key = ?", gone)
        return last + 1

    def end_round(self) -> None:
        """Keep that the round has ended."""
        self._set("open", 0)

    def forget_reports(self, number: int, length: int) -> None:
        """Forget what was reported in a round after a length of the report, which is cut there."""
        self._database.execute(
            "UPDATE page SET change = '', reported = 0 WHERE round = ? AND reported > ?", (number, length)
        )

    # ---- pages -------------------------------------------------------------------------------------------------------

    def find(self, key: bytes, number: int) -> Snapshot | None:
        """Return a page as it was before a round; `None` if it is not known."""
        query = "SELECT CASE WHEN round = ? THEN before ELSE now END FROM page WHERE key = ?"
        row = self._database.execute(query, (number, key)).fetchone()
        return None if row is None else _snapshot(row[0])

    def reported(self, key: bytes, number: int) -> tuple[str, int]:
        """Return the change of a page that was reported in a round, and the length of the report after it."""
        query = "SELECT change, reported FROM page WHERE key = ? AND round = ?"
        row = self._database.execute(query, (key, number)).fetchone()
        return ("", 0) if row is None else (row[0], row[1])

    def unvisited(self, number: int) -> Iterator[tuple[bytes, Snapshot]]:
        """Yield the requests, as JSON, and the pages that are known now and that a round has not visited."""
        last, [end] = 0, self._database.execute("SELECT max(id) FROM page").fetchone()
        query = "SELECT id, request, now FROM page WHERE round <> ? AND id > ? AND id <= ? ORDER BY id LIMIT ?"
        while rows := self._database.execute(query, (number, last, end or 0, BATCH)).fetchall():
            for last, request, data in rows:  # noqa: B007 - the next batch begins after the last one
                yield request, _snapshot(data)

    def handlers(self) -> dict[str, int]:
        """Return the number of pages for each name of a callback or errback."""
        counts: dict[str, int] = {}
        for names, count in self._database.execute("SELECT handlers, count(*) FROM page GROUP BY handlers"):
            for name in names.split():
                counts[name] = counts.get(name, 0) + count
        return counts

    def body(self, key: bytes, digest: bytes) -> tuple[list[tuple[str, str]], bytes] | None:
        """Return the header fields and the body of a page with a content; `None` if they are not kept."""
        query = "SELECT fields, body FROM body WHERE key = ? AND digest = ?"
        row = self._database.execute(query, (key, digest)).fetchone()
        if row is None:
            return None
        return [(name, value) for name, value in msgspec.json.decode(row[0])], zlib.decompress(row[1])

    # ---- changes -----------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make changes all or none of them."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def write(self, number: int, record: Record, report: tuple[str, int] | None = None) -> None:
        """Write a page that a round has found or visited.

        Parameters:
            number: The round.
            record: The page.
            report: The change that is reported now, and the length of the report after it. `None` means that nothing
                is reported, or was before in this round.
        """
        execute = self._database.execute
        row = execute("SELECT round, now, before FROM page WHERE key = ?", (record.key,)).fetchone()
        if row is None:
            execute(
                "INSERT INTO page (key, handlers, request) VALUES (?, ?, ?)",
                (record.key, record.handlers, record.request),
            )
            row = (0, None, None)
        visited, now, before = row
        if visited != number:
            before = now
        if record.snapshot is None:
            execute("UPDATE page SET now = before, round = 0 WHERE key = ? AND round = ?", (record.key, number))
            return
        change, length = report or self.reported(record.key, number)
        execute(
            "UPDATE page SET handlers = ?, request = ?, round = ?, now = ?, before = ?, change = ?, reported = ? "
            "WHERE key = ?",
            (
                record.handlers, record.request, number, msgspec.msgpack.encode(record.snapshot), before,
                change, length, record.key,
            ),
        )  # fmt: skip
        digests = (record.snapshot.digest, _snapshot(before).digest)
        execute("DELETE FROM body WHERE key = ? AND digest NOT IN (?, ?)", (record.key, *digests))
        if record.content is not None:
            fields, body = record.content
            execute(
                "INSERT OR REPLACE INTO body VALUES (?, ?, ?, ?)",
                (record.key, digests[0], msgspec.json.encode(fields), body),
            )

    def _get(self, name: str) -> Any:
        row = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _set(self, name: str, value: Any) -> None:
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def _snapshot(data: bytes | None) -> Snapshot:
    return NEVER if data is None else msgspec.msgpack.decode(data, type=Snapshot)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
