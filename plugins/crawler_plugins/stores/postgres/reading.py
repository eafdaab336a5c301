"""Reads parts of a job: groups and their requests, changes of other owners, and the state to resume from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from crawler import Row as Item
from crawler.store import (
    MAX_READ,
    MISSING,
    Checkpoint,
    CookieChange,
    Group,
    HandlerCounts,
    Order,
    Pending,
    RemoteChanges,
    ResumeState,
    RobotsAnswer,
    RunRecord,
    Stats,
    records_of,
    unpack,
)
from crawler_plugins.stores.postgres.connection import Row
from crawler_plugins.stores.postgres.server import Server

__all__ = ["Mark", "changes_of", "groups_of", "item_of", "pending_of", "resume_state", "runs_of", "stats_of"]

MAX_COUNTED: Final = 100_000
"""Pending requests whose handlers are checked when a worker joins."""
COLUMNS: Final = "tier, number, url, depth, callback, rest, attempts, not_before"
HEADS: Final = f"""
SELECT l.name, l.epoch, l.state, l.is_unclean, p.* FROM lane AS l LEFT JOIN LATERAL (
    SELECT {COLUMNS} FROM pending WHERE lane = l.id ORDER BY tier, number LIMIT $3
) AS p ON true
WHERE l.id = ANY ($2::bigint[]) AND l.owner = $1 ORDER BY l.id, p.tier, p.number
"""
MORE: Final = f"""
SELECT {COLUMNS} FROM pending WHERE lane = $1 AND (tier, number) > ($2, $3) ORDER BY tier, number LIMIT $4
"""
ROBOTS: Final = "SELECT origin, status, body, at FROM robots WHERE origin = ANY ($1::text[])"
NEWS: Final = """
SELECT 'snapshot', pg_current_snapshot()::text, '', '', '', NULL, (SELECT version FROM crawl)
UNION ALL
SELECT 'cookie', session, domain, path, name, value, 0 FROM cookie
WHERE writer <> $1 AND change >= pg_snapshot_xmin($2::text::pg_snapshot)
    AND NOT pg_visible_in_snapshot(change, $2::text::pg_snapshot)
UNION ALL
SELECT 'state', owner, name, '', '', value, version FROM state WHERE version > $4 AND (writer <> $1 OR $5)
UNION ALL
SELECT 'note', name, '', '', '', value, 0 FROM note
WHERE writer <> $1 AND NOT pg_visible_in_snapshot(change, $3::text::pg_snapshot)
"""
"""The commits of other owners since two snapshots and a version. The first row has the present ones."""
SNAPSHOT: Final = "SELECT pg_current_snapshot()::text, version, exhausted, clock() FROM crawl"
STATES: Final = "SELECT owner, name, value FROM state WHERE value IS NOT NULL"
COOKIES: Final = "SELECT session, value FROM cookie WHERE value IS NOT NULL"
COUNTS: Final = """
SELECT counts FROM past_worker WHERE counts IS NOT NULL UNION ALL SELECT counts FROM worker WHERE counts IS NOT NULL
"""
HANDLERS: Final = f"""
SELECT coalesce(callback, 'parse'), rest ->> 'errback', (
    SELECT string_agg(key, chr(10) ORDER BY key) FROM json_object_keys(
        CASE WHEN json_typeof(rest -> 'cb_kwargs') = 'object' THEN rest -> 'cb_kwargs' ELSE '{{}}' END
    ) AS key), count(*)
FROM (SELECT callback, rest::json AS rest FROM pending LIMIT {MAX_COUNTED}) AS counted GROUP BY 1, 2, 3
"""
RUNS: Final = f"""
SELECT r.number, r.spider, r.began, r.before, coalesce(r.after, w.counts, p.counts), r.seconds, r.finished, r.complete,
    r.problems
FROM run AS r LEFT JOIN worker AS w ON w.id = r.number LEFT JOIN past_worker AS p ON p.id = r.number
ORDER BY r.number DESC LIMIT {MAX_READ}
"""
GONE: Final = """
SELECT part, name, position FROM sink WHERE position IS NOT NULL AND part NOT IN (SELECT id FROM worker)
"""
NO_SNAPSHOT: Final = "1:1:"
"""The snapshot before every transaction."""


async def groups_of(server: Server, me: int, lanes: Sequence[int], n: int) -> list[Group]:
    """Return groups of an owner, by the numbers of their lanes, with the first `n` requests of each."""
    rows, _ = await server.run(HEADS, [me, lanes, n + 1])
    found: dict[str, tuple[Row, list[Pending]]] = {}
    for row in rows:
        name, _, _, _, *pending = row
        _, head = found.setdefault(name, (row, []))
        if pending[0] is not None:
            head.append(_pending(name, pending))
    answers, _ = await server.run(ROBOTS, [list(found)])
    robots = {origin: RobotsAnswer(origin, status, body, at) for origin, status, body, at in answers}
    return [
        Group(
            name=name,
            epoch=row[1],
            state=msgspec.json.decode(row[2]) if row[2] else {},
            head=head[:n],
            more=len(head) > n,
            robots=[robots[name]] if name in robots else (),
            unclean=row[3],
        )
        for name, (row, head) in found.items()
    ]


async def pending_of(server: Server, lane: int, name: str, after: Order, n: int) -> list[Pending]:
    """Return the next requests of a lane after a place."""
    rows, _ = await server.run(MORE, [lane, *after, n])
    return [_pending(name, row) for row in rows]


def _pending(lane: str, row: Sequence[Any]) -> Pending:
    """Return the request of a row of `COLUMNS`."""
    return unpack(lane, tuple(row))


class Mark(Struct, frozen=True):
    """Where changes begin: after the last answer to an owner."""

    cookies: str = NO_SNAPSHOT
    """The snapshot of the database that has the cookies."""
    notes: str = NO_SNAPSHOT
    """The snapshot that has the networks and origins."""
    version: int = 0
    """The version of the states."""


async def changes_of(server: Server, me: int, mark: Mark, *, all_states: bool) -> tuple[RemoteChanges, Mark]:
    """Return what other owners have committed, and where the next changes begin; with all states, also one's own."""
    rows, _ = await server.run(NEWS, [me, mark.cookies, mark.notes, 0 if all_states else mark.version, all_states])
    cookies: list[CookieChange] = []
    states: dict[str, dict[str, Any]] = {}
    notes: dict[str, list[bytes]] = {"networks": [], "origins": []}
    for kind, first, second, path, name, text, _ in rows[1:]:
        value = None if text is None else text.encode()
        if kind == "cookie":
            cookies.append(CookieChange(session=first, domain=second, path=path, name=name, value=value))
        elif kind == "state":
            states.setdefault(first, {})[second] = MISSING if value is None else value
        elif value is not None:
            notes[first].append(value)
    snapshot, version = rows[0][1], rows[0][6]
    changes = RemoteChanges(
        cookies=cookies, states=states, version=version, networks=notes["networks"], origins=notes["origins"]
    )
    return changes, Mark(snapshot, snapshot, version)


async def resume_state(server: Server) -> tuple[ResumeState, Mark]:
    """Return the state of a job, and where the first changes begin: with all networks and origins."""
    [(snapshot, version, exhausted, now)], _ = await server.run(SNAPSHOT)
    states: dict[str, dict[str, Any]] = {}
    for owner, name, value in (await server.run(STATES))[0]:
        states.setdefault(owner, {})[name] = msgspec.json.decode(value)
    gone: dict[int, dict[str, Any]] = {}
    for part, name, position in (await server.run(GONE))[0]:
        gone.setdefault(part, {})[name] = msgspec.json.decode(position)
    state = ResumeState(
        checkpoint=Checkpoint(stats=await stats_of(server), exhausted=exhausted),
        states=states,
        cookies=[(session, value.encode()) for session, value in (await server.run(COOKIES))[0]],
        handlers=await _handlers(server),
        runs=await runs_of(server),
        gone=gone,
        version=version,
        now=now,
    )
    return state, Mark(cookies=snapshot, version=version)


def item_of(row: Sequence[Any]) -> Item:
    """Return the item of a row with the columns data, key, page, type and sinks."""
    data, key, page, kind, sinks = row
    return Item(data.encode(), key, page, None, kind, tuple(sinks))


async def stats_of(server: Server) -> bytes:
    """Return the sum of the counts of all owners, as JSON."""
    total = Stats()
    for (counts,) in (await server.run(COUNTS))[0]:
        one = Stats()
        one.restore(counts)
        total.add(one)
    return total.to_json(lanes=True)


async def _handlers(server: Server) -> HandlerCounts:
    """Return how many of the first pending requests name each handler."""
    found = HandlerCounts()
    for name, errback, keywords, n in (await server.run(HANDLERS))[0]:
        found.callbacks[name] = found.callbacks.get(name, 0) + n
        if errback is not None:
            found.errbacks[errback] = found.errbacks.get(errback, 0) + n
        if keywords is not None:
            call = f"{name}\n{keywords}"
            found.keywords[call] = found.keywords.get(call, 0) + n
    return found


async def runs_of(server: Server) -> list[RunRecord]:
    """Return the runs of a job in their order."""
    rows, _ = await server.run(RUNS)
    return records_of(rows, {})
