"""The tables of a job, and the form in which requests are stored in them."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from crawler.frontier import Pending
from crawler.messages import Request
from crawler.messages.request import copy_unchecked, has_options, plain_get

__all__ = [
    "APPLICATION_ID",
    "CREATE_PENDING",
    "CREATE_STAGED",
    "DELETE_PENDING",
    "INSERT_PENDING",
    "SCHEMA",
    "SELECT_AFTER",
    "UPDATE_ATTEMPT",
    "VERSION",
    "fingerprint",
    "pack",
    "unpack",
]

APPLICATION_ID: Final = 0x63726177
"""Marks a SQLite file as a job of ours (``application_id``)."""
VERSION: Final = 2
"""Version of the job format (``user_version``)."""
CREATE_PENDING: Final = """
CREATE TABLE pending (
    lane INTEGER, tier INTEGER, number INTEGER,
    url TEXT NOT NULL, depth INTEGER NOT NULL, callback TEXT, rest BLOB, attempts INTEGER, not_before REAL,
    PRIMARY KEY (lane, tier, number)) WITHOUT ROWID;
"""
"""The requests that are not settled."""
SCHEMA: Final = (
    """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE lane (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, state BLOB);
CREATE TABLE seen (host INTEGER, print INTEGER, PRIMARY KEY (host, print)) WITHOUT ROWID;
CREATE TABLE failed (
    lane INTEGER, tier INTEGER, number INTEGER,
    url TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL, traceback TEXT NOT NULL, attempts INTEGER NOT NULL,
    at REAL NOT NULL, request BLOB NOT NULL,
    PRIMARY KEY (lane, tier, number)) WITHOUT ROWID;
CREATE TABLE state (owner TEXT, name TEXT, value BLOB NOT NULL, PRIMARY KEY (owner, name)) WITHOUT ROWID;
CREATE TABLE cookie (
    session TEXT, domain TEXT, path TEXT, name TEXT, value BLOB NOT NULL,
    PRIMARY KEY (session, domain, path, name)) WITHOUT ROWID;
CREATE TABLE robots (origin TEXT PRIMARY KEY, status INTEGER NOT NULL, body BLOB NOT NULL, at REAL NOT NULL)
    WITHOUT ROWID;
CREATE TABLE sink (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL, place INTEGER NOT NULL, position BLOB)
    WITHOUT ROWID;
CREATE TABLE content (digest BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE run (
    number INTEGER PRIMARY KEY, spider TEXT NOT NULL, began REAL NOT NULL, before BLOB NOT NULL, after BLOB,
    seconds REAL, finished TEXT, complete INTEGER NOT NULL, problems INTEGER NOT NULL);
"""
    + CREATE_PENDING
)
"""`seen` is clustered by host, since most links of a page stay on its host. A request with an open ticket is still in
`pending`, so that a crash needs no repair. `content` has digests of page bodies, if the crawl skips repeated ones."""

CREATE_STAGED: Final = """
CREATE TEMP TABLE staged (stage INTEGER NOT NULL, item BLOB, request BLOB, type TEXT);
CREATE INDEX temp.staged_by_stage ON staged (stage);
"""
"""Effects of pages whose callbacks are still running: a temporary table, which ends with the process."""
INSERT_PENDING: Final = "INSERT INTO pending VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)"
"""Parameters: lane, tier, number and the result of `pack`."""
SELECT_AFTER: Final = (
    "SELECT tier, number, url, depth, callback, rest, attempts, not_before FROM pending "
    "WHERE lane = ? AND (tier, number) > (?, ?) ORDER BY tier, number LIMIT ?"
)
"""The next requests of a lane after a place. Parameters: lane, tier, number, and how many."""
UPDATE_ATTEMPT: Final = "UPDATE pending SET attempts = ?, not_before = ? WHERE lane = ? AND tier = ? AND number = ?"
"""Keep the next attempt of a request. Parameters: attempts, time, lane, tier, number."""
DELETE_PENDING: Final = "DELETE FROM pending WHERE lane = ? AND tier = ? AND number = ?"
"""Settle a request. Parameters: lane, tier, number."""


def fingerprint(key: str) -> int:
    """Return 64 bits of the hash of a request's key, as a signed integer, which SQLite stores."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def pack(request: Request, lane: str) -> tuple[str, int, str | None, bytes | None]:
    """Return the columns ``url depth callback rest`` of a request. Fields with their default values take no space."""
    url = request.url
    short = url[len(lane) :] if url.startswith(lane + "/") else url
    rest = request.to_json() if has_options(request) else None
    return short, request.depth, request.callback, rest


def unpack(lane: str, row: tuple[Any, ...]) -> Pending:
    """Return the request of a row of `pending`.

    Parameters:
        lane: The name of its lane.
        row: The columns ``tier number url depth callback rest attempts not_before``.
    """
    tier, number, url, depth, callback, rest, attempts, not_before = row
    if rest is not None:
        request = Request.from_json(rest)
    else:
        request = plain_get(lane + url if url.startswith("/") else url, callback, depth)
        if tier:
            request = copy_unchecked(request, priority=-tier)
    pending = Pending((tier, number), request, lane, attempts or 0)
    if not_before is not None:
        pending.not_before = not_before
    return pending
