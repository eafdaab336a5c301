"""Reads parts of a job: groups and their requests, news of other owners, and the state to resume from."""

from __future__ import annotations

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
    News,
    Order,
    Pending,
    ResumeState,
    RobotsAnswer,
    RunRecord,
    Stats,
    records_of,
    unpack,
)
from crawler_plugins.stores.postgres import binary
from crawler_plugins.stores.postgres.connection import Row, Statement
from crawler_plugins.stores.postgres.server import Server

__all__ = ["Mark", "groups_of", "news_of", "pending_of", "resume_state", "row_of", "runs_of", "stats_of"]

MAX_COUNTED: Final = 100_000
"""Pending requests whose handlers are checked when a worker joins."""
COLUMNS: Final = "tier, number, url, depth, callback, rest, attempts, not_before"
HEADS: Final = Statement(
    "SELECT l.id, l.name, l.epoch, l.state, l.is_unclean, p.* FROM lane AS l LEFT JOIN LATERAL "
    f"(SELECT {COLUMNS} FROM pending WHERE lane = l.id ORDER BY tier, number LIMIT $3) AS p ON true "
    "WHERE l.id = ANY ($2) AND l.owner = $1 ORDER BY l.id, p.tier, p.number"
)
MORE: Final = Statement(
    f"SELECT {COLUMNS} FROM pending WHERE lane = $1 AND (tier, number) > ($2, $3) ORDER BY tier, number LIMIT $4"
)
ROBOTS: Final = Statement("SELECT origin, status, body, at FROM robots WHERE origin = ANY ($1)")
NEWS: Final = Statement("""
SELECT 'snapshot', pg_current_snapshot()::text, '', '', '', NULL::bytea, (SELECT version FROM crawl)
UNION ALL
SELECT 'cookie', session, domain, path, name, value, 0 FROM cookie
WHERE writer <> $1 AND change >= pg_snapshot_xmin($2::text::pg_snapshot)
    AND NOT pg_visible_in_snapshot(change, $2::text::pg_snapshot)
UNION ALL
SELECT 'state', owner, name, '', '', value, version FROM state WHERE version > $4 AND (writer <> $1 OR $5)
UNION ALL
SELECT 'note', name, '', '', '', value, 0 FROM note
WHERE writer <> $1 AND NOT pg_visible_in_snapshot(change, $3::text::pg_snapshot)
""")
"""The commits of other owners since two snapshots and a version. The first row has the present ones."""
SNAPSHOT: Final = Statement("SELECT pg_current_snapshot()::text, version, exhausted FROM crawl")
STATES: Final = Statement("SELECT owner, name, value FROM state WHERE value IS NOT NULL")
COOKIES: Final = Statement("SELECT session, value FROM cookie WHERE value IS NOT NULL")
COUNTS: Final = Statement(
    "SELECT counts FROM past_worker WHERE counts IS NOT NULL UNION ALL "
    "SELECT counts FROM worker WHERE counts IS NOT NULL"
)
HANDLERS: Final = Statement(f"""
SELECT callback, rest ->> 'errback', (
    SELECT string_agg(key, chr(10) ORDER BY key) FROM json_object_keys(
        CASE WHEN json_typeof(rest -> 'cb_kwargs') = 'object' THEN rest -> 'cb_kwargs' ELSE '{{}}' END
    ) AS key), count(*)
FROM (SELECT callback, convert_from(rest, 'UTF8')::json AS rest FROM pending LIMIT {MAX_COUNTED}) AS counted
GROUP BY 1, 2, 3
""")
RUNS: Final = Statement(f"""
SELECT r.number, r.spider, r.began, r.before, coalesce(r.after, w.counts, p.counts), r.seconds, r.finished, r.complete,
    r.problems
FROM run AS r LEFT JOIN worker AS w ON w.id = r.number LEFT JOIN past_worker AS p ON p.id = r.number
ORDER BY r.number DESC LIMIT {MAX_READ}
""")
GONE: Final = Statement(
    "SELECT part, name, position FROM sink WHERE position IS NOT NULL AND part NOT IN (SELECT id FROM worker)"
)
NOW: Final = Statement("SELECT clock()")
NO_SNAPSHOT: Final = "1:1:"
"""The snapshot before every transaction."""


async def groups_of(server: Server, me: bytes, lanes: bytes | None, n: int) -> list[Group]:
    """Return groups of an owner with their first requests.

    Parameters:
        server: The server.
        me: The owner, as a parameter.
        lanes: The numbers of their lanes, as a parameter.
        n: Number of requests of each.
    """
    rows, _ = await server.run(HEADS, [me, lanes, binary.bigint(n + 1)])
    found: dict[str, tuple[Row, list[Pending]]] = {}
    for row in rows:
        name = binary.read_text(row[1])
        _, head = found.setdefault(name, (row, []))
        if row[5] is not None:
            head.append(_pending(name, row[5:]))
    robots: dict[str, list[RobotsAnswer]] = {}
    for origin, status, body, at in (await server.run(ROBOTS, [binary.texts(found)]))[0]:
        answer = RobotsAnswer(binary.read_text(origin), binary.read_int(status), body or b"", binary.read_double(at))
        robots.setdefault(answer.origin, []).append(answer)
    return [
        Group(
            name=name,
            epoch=binary.read_int(row[2]),
            state=msgspec.json.decode(row[3]) if row[3] else {},
            head=head[:n],
            more=len(head) > n,
            robots=robots.get(name, ()),
            unclean=binary.read_boolean(row[4]),
        )
        for name, (row, head) in found.items()
    ]


async def pending_of(server: Server, lane: int, name: str, after: Order, n: int) -> list[Pending]:
    """Return the next requests of a lane after a place."""
    tier, number = after
    rows, _ = await server.run(MORE, [binary.bigint(part) for part in (lane, tier, number, n)])
    return [_pending(name, row) for row in rows]


def _pending(lane: str, row: Row) -> Pending:
    """Return the request of a row of `COLUMNS`."""
    tier, number, url, depth, callback, rest, attempts, not_before = row
    return unpack(
        lane,
        (
            binary.read_int(tier), binary.read_int(number), binary.read_text(url), binary.read_int(depth),
            None if callback is None else callback.decode(), rest,
            None if attempts is None else binary.read_int(attempts),
            None if not_before is None else binary.read_double(not_before),
        ),
    )  # fmt: skip


class Mark(Struct, frozen=True):
    """Where news begin: after the last answer to an owner."""

    cookies: str = NO_SNAPSHOT
    """The snapshot of the database that has the cookies."""
    notes: str = NO_SNAPSHOT
    """The snapshot that has the networks and origins."""
    version: int = 0
    """The version of the states."""


async def news_of(server: Server, me: bytes, mark: Mark, *, all_states: bool) -> tuple[News, Mark]:
    """Return what other owners have committed, and where the next news begin.

    Parameters:
        server: The server.
        me: The owner, as a parameter.
        mark: Where they begin.
        all_states: Whether all states are returned, also those of this owner.
    """
    rows, _ = await server.run(
        NEWS,
        [
            me, binary.text(mark.cookies), binary.text(mark.notes), binary.bigint(0 if all_states else mark.version),
            binary.boolean(all_states),
        ],
    )  # fmt: skip
    cookies: list[CookieChange] = []
    states: dict[str, dict[str, Any]] = {}
    notes: dict[str, list[bytes]] = {"networks": [], "origins": []}
    for kind, first, *others, value, _ in rows[1:]:
        name, domain, path, cookie = map(binary.read_text, (first, *others))
        if kind == b"cookie":
            cookies.append(CookieChange(session=name, domain=domain, path=path, name=cookie, value=value))
        elif kind == b"state":  # its name is in the second column
            states.setdefault(name, {})[domain] = MISSING if value is None else value
        elif value is not None:
            notes.setdefault(name, []).append(value)
    snapshot, current = binary.read_text(rows[0][1]), binary.read_int(rows[0][6])
    news = News(
        cookies=cookies,
        states=states,
        version=current,
        networks=notes["networks"],
        origins=notes["origins"],
    )
    return news, Mark(snapshot, snapshot, current)


async def resume_state(server: Server) -> tuple[ResumeState, Mark]:
    """Return the state of a job, and where the first news begin: with all networks and origins."""
    (snapshot, version, exhausted), *_ = (await server.run(SNAPSHOT))[0]
    states: dict[str, dict[str, Any]] = {}
    for owner, name, value in (await server.run(STATES))[0]:
        states.setdefault(binary.read_text(owner), {})[binary.read_text(name)] = msgspec.json.decode(value or b"")
    cookies = [(binary.read_text(session), value or b"") for session, value in (await server.run(COOKIES))[0]]
    gone: dict[int, dict[str, Any]] = {}
    for owner, name, position in (await server.run(GONE))[0]:
        gone.setdefault(binary.read_int(owner), {})[binary.read_text(name)] = msgspec.json.decode(position or b"")
    state = ResumeState(
        checkpoint=Checkpoint(stats=await stats_of(server), exhausted=binary.read_boolean(exhausted)),
        states=states,
        cookies=cookies,
        handlers=await _handlers(server),
        runs=await runs_of(server),
        gone=gone,
        version=binary.read_int(version),
        now=binary.read_double((await server.run(NOW))[0][0][0]),
    )
    return state, Mark(cookies=binary.read_text(snapshot), version=state.version)


def row_of(row: Row) -> Item:
    """Return the item of a row with the columns data, key, page, type and sinks."""
    data, key, page, kind, sinks = row
    return Item(
        data or b"", binary.read_text(key), binary.read_text(page), None, binary.read_text(kind),
        tuple(binary.read_texts(sinks)),
    )  # fmt: skip


async def stats_of(server: Server) -> bytes:
    """Return the sum of the counts of all owners, as JSON."""
    total = Stats()
    for (counts,) in (await server.run(COUNTS))[0]:
        one = Stats()
        one.restore(counts or b"{}")
        total.add(one)
    return total.to_json(lanes=True)


async def _handlers(server: Server) -> HandlerCounts:
    """Return how many of the first pending requests name each handler."""
    found = HandlerCounts()
    for callback, errback, keywords, number in (await server.run(HANDLERS))[0]:
        name = "parse" if callback is None else callback.decode()
        n = binary.read_int(number)
        found.callbacks[name] = found.callbacks.get(name, 0) + n
        if errback is not None:
            found.errbacks[errback.decode()] = found.errbacks.get(errback.decode(), 0) + n
        if keywords is not None:
            call = f"{name}\n{keywords.decode()}"
            found.keywords[call] = found.keywords.get(call, 0) + n
    return found


async def runs_of(server: Server) -> list[RunRecord]:
    """Return the runs of a job in their order."""
    rows = [
        (
            binary.read_int(number), binary.read_text(spider), binary.read_double(began), before, after,
            None if seconds is None else binary.read_double(seconds),
            None if finished is None else finished.decode(), binary.read_boolean(complete), binary.read_int(problems),
        )
        for number, spider, began, before, after, seconds, finished, complete, problems in (await server.run(RUNS))[0]
    ]  # fmt: skip
    return records_of(rows, {})
