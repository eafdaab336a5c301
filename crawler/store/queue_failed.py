"""`queue_failed`: queues requests of a job again that failed: all, or those whose host was given up."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

import msgspec

from crawler.messages import Request
from crawler.outages.failed_attempt import GIVEN_UP_END
from crawler.store.checkpoint import STATS_NOTE
from crawler.store.handler_counts import HANDLERS_ROW, HandlerCounts
from crawler.store.schema import INSERT_PENDING, pack

__all__ = ["queue_failed"]


def queue_failed(database: sqlite3.Connection, *, unreachable: bool = False) -> int:
    """Queue failed requests again in the open transaction, and return their number."""
    end = f"%{GIVEN_UP_END}" if unreachable else "%"
    rows = database.execute(
        "SELECT failed.lane, name, tier, request FROM failed JOIN lane ON lane.id = failed.lane "
        "WHERE message LIKE ? ORDER BY tier, number",
        (end,),
    ).fetchall()
    if not rows:
        return 0
    last = database.execute("SELECT value FROM meta WHERE name = 'number'").fetchone()
    # New numbers: the keys of items of an errback, which stay in the log, contain the old ones.
    first = int(last[0]) + 1 if last else 1
    stored = database.execute("SELECT value FROM meta WHERE name = ?", (HANDLERS_ROW,)).fetchone()
    handlers = HandlerCounts.from_json(stored and stored[0])
    for number, (lane, name, tier, data) in enumerate(rows, first):
        request = Request.from_json(data)
        handlers.add(request)
        database.execute(INSERT_PENDING, (lane, tier, number, *pack(request, name)))
    database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (HANDLERS_ROW, handlers.to_json()))
    database.execute("UPDATE meta SET value = value + ? WHERE name = 'number'", (len(rows),))
    database.execute("DELETE FROM failed WHERE message LIKE ?", (end,))
    database.execute("UPDATE meta SET value = value + ? WHERE name = 'live'", (len(rows),))
    stats = database.execute("SELECT value FROM meta WHERE name = ?", (STATS_NOTE,)).fetchone()
    if stats is not None:
        counts = _without(msgspec.json.decode(stats[0]), unreachable=unreachable)
        database.execute("UPDATE meta SET value = ? WHERE name = ?", (msgspec.json.encode(counts), STATS_NOTE))
    return len(rows)


def _without(counts: dict[str, Any], *, unreachable: bool) -> dict[str, Any]:
    """Return the counts of a crawl without the failures that are queued again."""
    kinds = Counter(counts.get("kinds", {}))
    gone = Counter(counts.get("unreachable", {})) if unreachable else kinds
    classes = Counter(counts["failures"])
    for kind, count in gone.items():
        classes[kind.partition(".")[0]] -= count
    left: dict[str, dict[str, int]] = {"failures": {}, "kinds": {}}
    if unreachable:
        left = {"failures": +classes, "kinds": kinds - gone}
    without = (
        (counts["failures"].keys() | kinds.keys() | {"unreachable"}) - left["failures"].keys() - left["kinds"].keys()
    )
    samples = {kind: urls for kind, urls in counts["samples"].items() if kind not in without}
    failed = max(0, counts["failed"] - gone.total()) if unreachable else 0
    return counts | left | {"failed": failed, "unreachable": {}, "samples": samples}
