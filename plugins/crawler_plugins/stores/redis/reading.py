"""Values and rows of the server, read as objects."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from crawler import Row
from crawler.store import (
    MISSING,
    CookieChange,
    HandlerCounts,
    Pending,
    RobotsAnswer,
    RunRecord,
    RunRow,
    Stats,
    records_of,
    unpack,
)
from crawler_plugins.stores.redis.calls import ORDER_LENGTH, TIER_BIAS, Change

__all__ = [
    "cookies_of", "counts_of", "pairs", "pending_of", "robots_of", "rows_of", "runs_of", "states_of", "total",
    "values_of",
]  # fmt: skip


def pairs(values: Sequence[bytes]) -> list[tuple[str, str]]:
    """Return the fields and values of a hash."""
    return [(name.decode(), value.decode()) for name, value in zip(values[::2], values[1::2], strict=True)]


def counts_of(fields: Iterable[tuple[str, str]]) -> HandlerCounts:
    """Return the numbers of pending requests by their handlers."""
    counts = HandlerCounts()
    kinds = {"c": counts.callbacks, "k": counts.keywords, "e": counts.errbacks}
    for field, number in fields:
        kinds[field[0]][field[1:]] = int(number)
    return counts


def pending_of(group: str, row: bytes) -> Pending:
    """Return the request of a row of a group."""
    tier = int(row[:8], 16) - TIER_BIAS
    number = int(row[8:ORDER_LENGTH], 16)
    attempts, not_before, record = row[ORDER_LENGTH:].split(b"|", 2)
    has_options = record.startswith(b"{")
    url, depth, callback = ("", 0, None) if has_options else msgspec.json.decode(record)
    rest = record if has_options else None
    at = float(not_before) if not_before else None
    return unpack(group, (tier, number, url, depth, callback, rest, int(attempts), at))


def robots_of(origin: str, row: bytes) -> list[RobotsAnswer]:
    """Return the robots.txt file of an origin; none if the row is empty."""
    if not row:
        return []
    status, body, at = msgspec.json.decode(row)
    return [RobotsAnswer(origin, status, base64.b64decode(body), at)]


def states_of(changes: Iterable[Change]) -> dict[str, dict[str, Any]]:
    """Return changed states in the form of `Outcome.state`."""
    states: dict[str, dict[str, Any]] = {}
    for field, value in changes:
        owner, name = msgspec.json.decode(field)
        states.setdefault(owner, {})[name] = MISSING if value is None else value.encode()
    return states


def values_of(fields: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """Return the values of all states, by owner and name."""
    states: dict[str, dict[str, Any]] = {}
    for field, value in fields:
        owner, name = msgspec.json.decode(field)
        states.setdefault(owner, {})[name] = msgspec.json.decode(value)
    return states


def cookies_of(changes: Iterable[Change]) -> list[CookieChange]:
    """Return changed cookies."""
    found: list[CookieChange] = []
    for field, value in changes:
        session, domain, path, name = msgspec.json.decode(field)
        encoded = None if value is None else value.encode()
        found.append(CookieChange(session=session, domain=domain, path=path, name=name, value=encoded))
    return found


def rows_of(entries: Iterable[tuple[bytes, Sequence[bytes]]]) -> list[Row]:
    """Return items of the log."""
    rows: list[Row] = []
    for _, fields in entries:
        key, page, kind, data, sinks = fields[1::2]
        only = tuple(msgspec.json.decode(sinks, type=list[str]))
        rows.append(Row(data, key.decode(), page.decode(), None, kind.decode(), only))
    return rows


def total(rows: Any) -> Stats:
    """Return the sum of the counts of all owners."""
    found = Stats()
    for row in rows:
        one = Stats()
        one.restore(row)
        found.add(one)
    return found


def runs_of(runs: dict[str, str], counts: dict[str, str]) -> list[RunRecord]:
    """Return the runs of a job: one of each owner."""
    rows: list[Any] = []
    for owner in sorted(runs, key=int, reverse=True):
        run = msgspec.json.decode(runs[owner], type=RunRow)
        after = msgspec.json.encode(run.after) if run.after is not None else counts.get(owner, "{}")
        rows.append(
            (
                int(owner), run.spider, run.began, msgspec.json.encode(run.before), after, run.seconds, run.finished,
                run.complete, run.problems,
            )
        )  # fmt: skip
    return records_of(rows, {})
