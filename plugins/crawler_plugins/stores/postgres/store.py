"""`PostgresStore`: the store of a job that many workers share, in a PostgreSQL database.

Each call is one function of the database (`functions`), so it takes one round trip and takes effect as a whole. Calls
that change something are numbered: the database recognizes one that is repeated because its answer was lost.
"""

from __future__ import annotations

import itertools
import math
import os
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import psycopg
import trio

from crawler import JobError, JobLost, Request, Row
from crawler.store import (
    COMMIT_RESULTS,
    Claimed,
    CommitResult,
    Committed,
    Extended,
    Identity,
    Ingested,
    ItemRow,
    Observations,
    Order,
    Outcome,
    RemoteChanges,
    ResumeState,
    RunRow,
    ServerStore,
)
from crawler_plugins.stores.postgres import calls
from crawler_plugins.stores.postgres.address import Address
from crawler_plugins.stores.postgres.connection import Connection
from crawler_plugins.stores.postgres.opening import open_job
from crawler_plugins.stores.postgres.reading import Mark, changes_of, groups_of, item_of, pending_of, resume_state
from crawler_plugins.stores.postgres.server import Server

__all__ = ["PostgresStore"]

MAX_LANES: Final = 65_536
"""Lanes whose numbers are kept in memory."""
MAX_READ: Final = 8 * 1024 * 1024
"""Size in the database, in bytes, of the items that are read at once; a single one may be larger."""
POLL: Final = 5.0
"""Seconds after which `changed` returns without a notification."""
LEAVE: Final = 5.0
"""Seconds that the last call may take."""

JOIN: Final = "SELECT me, totals(me), (SELECT round FROM crawl) FROM join_job($1, $2) AS me"
LEAVE_JOB: Final = "SELECT leave_job($1)"
EXTEND: Final = "SELECT e.*, advance($1, $4::json) FROM extend_lease($1, $2, $3) AS e"
CLAIM: Final = "SELECT * FROM claim_lanes($1, $2, $3, $4, $5::bigint[], $6::text[])"
RELEASE: Final = "SELECT release_lane($1, $2, $3, $4, $5, $6)"
INGEST: Final = "SELECT * FROM ingest($1, $2, $3, $4, $5::json, json_populate_record(NULL::links, $6::json))"
COMMIT: Final = """
SELECT c.*, observe($1, c.verdicts, c.repeated, json_populate_record(NULL::observations, $5::json))
FROM commit_outcomes($1, $2, $3, json_populate_record(NULL::batch, $4::json)) AS c
"""
WROTE: Final = "WITH noted AS (UPDATE worker SET wrote = $2 WHERE id = $1)"
STAGE_ITEMS: Final = f"""
{WROTE} INSERT INTO staged (owner, stage, number, type, item) SELECT $1, $3, $4 + place, type, data
FROM ROWS FROM (json_to_recordset($5::json) AS (type text, data json)) WITH ORDINALITY AS s (type, data, place)
WHERE EXISTS (SELECT FROM worker WHERE id = $1) ON CONFLICT DO NOTHING
"""
STAGE_REQUESTS: Final = f"""
{WROTE} INSERT INTO staged (owner, stage, number, key, lane, tier, url, depth, callback, rest)
SELECT $1, $3, $4 + place, key, lane, tier, url, depth, callback, rest
FROM json_populate_record(NULL::links, $5::json) AS l,
    unnest(l.keys, l.lanes, l.tiers, l.urls, l.depths, l.callbacks, l.rests) WITH ORDINALITY
        AS s (key, lane, tier, url, depth, callback, rest, place)
WHERE EXISTS (SELECT FROM worker WHERE id = $1) ON CONFLICT DO NOTHING
"""
ADD_LANES: Final = f"{WROTE} SELECT add_lanes($3::json)"
HAS_BODY: Final = "SELECT true FROM content WHERE digest = $1"
BEGIN_AGAIN: Final = "SELECT round, totals($1) FROM begin_again($1, $2) AS round"
FOLLOW: Final = "SELECT follow($1, $2, $3)"
READ: Final = """
SELECT data::text, key, page, type, sinks FROM (
    SELECT *, sum(pg_column_size(data)) OVER (ORDER BY number) - pg_column_size(data) AS before FROM (
        SELECT * FROM item WHERE part = $1 AND number >= $2 AND EXISTS (SELECT FROM worker WHERE id = $1)
        ORDER BY number LIMIT $3
    ) AS next
) AS sized WHERE before < $4 ORDER BY number
"""
RECORD_RUN: Final = """
INSERT INTO run VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (number) DO UPDATE SET
after = EXCLUDED.after, seconds = EXCLUDED.seconds, finished = EXCLUDED.finished, complete = EXCLUDED.complete,
problems = EXCLUDED.problems
"""


class PostgresStore(ServerStore):
    """The access of one worker to a job in PostgreSQL. The methods are those of `Store`. Use `open`."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__(server.address.lease, name)
        self._server = server
        self._lanes = calls.LaneNumbers(MAX_LANES)
        self._held: set[str] = set()
        self._calls = itertools.count(1)
        self._staged = 0  # number of effects of pages so far
        # Calls about requests follow each other, so that their answers arrive in the order in which they took effect:
        # requests that were read before a group grew must not arrive after the answer that says so.
        self._ordered = trio.Lock()
        self._sinks: dict[str, tuple[int, Any]] = {}
        self._advanced: set[str] = set()
        self._mark = Mark()
        self._listener: Connection | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, identity: Identity | None = None, *, override: bool = False
    ) -> AsyncIterator[PostgresStore]:
        """Join a job, which is created if it does not exist, and leave it at the end of the block."""
        server = Server(Address.parse(url))
        try:
            store = cls(server, await open_job(server, identity, override=override))
            await store._join()
            try:
                yield store
            finally:
                with trio.move_on_after(LEAVE, shield=True):
                    await store._leave()
        finally:
            server.close()

    async def _join(self) -> None:
        name = f"{socket.gethostname()}:{os.getpid()}"
        [(self.owner, totals, self.round)], _ = await self._server.run(JOIN, [name, self.lease])
        self._server.owner = self.owner
        self._server.job_name = self.job_name
        self._answer(totals)

    async def _leave(self) -> None:
        if self._listener is not None:
            self._listener.end()
        self._server.acknowledged = 0  # a database that has lost commits of this owner frees its groups as well
        with suppress(JobError, JobLost):  # the others remove this owner when its lease ends
            await self._server.run(LEAVE_JOB, [self.owner])

    async def _write(self, statement: str, parameters: Sequence[Any]) -> tuple[list[Any], bool]:
        """Run a statement that stores the number of the call; its first parameters are this owner and the number."""
        number = next(self._calls)
        answer = await self._server.run(statement, [self.owner, number, *parameters])
        self._server.acknowledged = number
        return answer

    def _answer(self, totals: Sequence[int]) -> None:
        """Keep what an answer says of the job."""
        live, exhausted, self.behind, pages, items, failed, self.logged = totals
        self.live, self.exhausted = live, bool(exhausted)
        self.others = {"pages": pages, "items": items, "failed": failed}

    # ---- the lease ---------------------------------------------------------------------------------------------------

    async def extend(self) -> Extended | None:
        """Renew the lease of this owner. `None`: it was removed."""
        async with self._ordered:
            sinks = calls.sinks_of(self._take_advanced())
            [row], repeated = await self._write(EXTEND, [self.lease, sinks and calls.dumped(sinks)])
        alive, grew, wanted, surplus, totals, free, _ = row
        if not alive:
            return None
        self._answer(totals)
        self.unclaimed = self.unclaimed or free
        return Extended(
            grew=list(self._held) if repeated else grew or (),
            wanted=wanted,
            surplus=surplus,
            changes=await self._take_changes(),
        )

    async def changed(self) -> None:
        """Wait for a notification, or a few seconds."""
        with trio.move_on_after(POLL):
            try:
                if self._listener is None or self._listener.closed:
                    self._listener = await self._server.listen()
                await self._listener.notified()
            except psycopg.Error:
                await trio.sleep_forever()

    async def claim(self, groups: int, n: int, names: Collection[str] = ()) -> Claimed:
        """Lease groups."""
        wanted = list(names)
        parameters = [self.lease, groups, [self._lanes[name] for name in wanted], wanted]
        async with self._ordered:
            [(lanes, short, next_at, seeds, totals)], _ = await self._write(CLAIM, parameters)
            if totals is None:
                self.unclaimed = False
                return Claimed(groups=[])
            claimed = await groups_of(self._server, self.owner, lanes, n) if lanes else []
            changes = await self._take_changes()
        self._answer(totals)
        self.unclaimed = not short
        self._held.update(group.name for group in claimed)
        self._lanes.add_stored([group.name for group in claimed])
        return Claimed(
            groups=claimed,
            next_at=math.inf if next_at is None else next_at,
            seeds=seeds,
            changes=changes,
        )

    async def release(self, group: str, epoch: int, state: dict[str, Any], wait: float = 0.0) -> None:
        """End the lease of a group."""
        stored = calls.dumped(state) if state else None
        async with self._ordered:
            await self._write(RELEASE, [self._lanes[group], epoch, stored, wait])
        self._held.discard(group)

    async def _take_changes(self, *, all_states: bool = False) -> RemoteChanges:
        """Return what other owners have committed since the last changes."""
        changes, self._mark = await changes_of(self._server, self.owner, self._mark, all_states=all_states)
        return changes

    # ---- requests ----------------------------------------------------------------------------------------------------

    async def ingest(self, requests: Sequence[Request], *, exhausted: bool = False) -> Ingested:
        """Add requests that are not known."""
        links = calls.Links(self._lanes, self.known)
        links.add(requests)
        new = links.new_lanes()
        parameters = [self.lease, exhausted, calls.dumped(new) if new else None, calls.dumped(links.columns())]
        async with self._ordered:
            [row], _ = await self._write(INGEST, parameters)
        alive, repeated, fresh, places, numbers, free, totals = row
        if not alive:
            return Ingested()
        self._answer(totals)
        self.unclaimed = self.unclaimed or free
        self._lanes.add_stored(new)
        self.known.update(links.keys({0}))
        return Ingested(fresh=links.pending(places, numbers), grew=set(self._held) if repeated else set(), added=fresh)

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Any]:
        """Return the next requests of a group."""
        async with self._ordered:
            return await pending_of(self._server, self._lanes[group], group, after, n)

    async def stage(self, stage: int, items: Sequence[ItemRow], requests: Sequence[Request]) -> None:
        """Store effects of a page whose callback is still running."""
        first, self._staged = self._staged, self._staged + len(items) + len(requests)
        if items:
            async with self._ordered:
                await self._write(STAGE_ITEMS, [stage, first, calls.staged_items(items)])
        if requests:
            links = calls.Links(self._lanes, frozenset())
            links.add(requests)
            async with self._ordered:
                if new := links.new_lanes():
                    await self._write(ADD_LANES, [calls.dumped(new)])
                    self._lanes.add_stored(new)
                await self._write(STAGE_REQUESTS, [stage, first + len(items), calls.dumped(links.columns())])

    async def has_body(self, digest: bytes) -> bool:
        """Return whether a page whose body has this digest is committed."""
        rows, _ = await self._server.run(HAS_BODY, [digest])
        return bool(rows)

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Commit outcomes, all in one transaction."""
        seen = observations or Observations()
        links = calls.Links(self._lanes, self.known)
        repeats = [links.add(outcome.discovered, page) for page, outcome in enumerate(outcomes, 1)]
        new = links.new_lanes()
        batch = calls.batch(self.job_name, outcomes, seen.states, self._lanes, links)
        async with self._ordered:
            observed = calls.observed(outcomes, seen, self._lanes, self._take_advanced())
            [row], _ = await self._write(COMMIT, [self.lease, batch, observed])
        verdicts, repeated, known, grew, places, numbers, free, totals, _ = row
        made = Committed(results=[COMMIT_RESULTS[number] for number in verdicts])
        if totals is None:
            return made
        self._answer(totals)
        self.unclaimed = self.unclaimed or free
        kept = {page for page, verdict in enumerate(made.results, 1) if verdict is CommitResult.OK}
        if kept.issuperset(links.pages) and links.pages:
            self._lanes.add_stored(new)
        self.known.update(links.keys(kept))
        for outcome in outcomes:
            outcome.ticket.pending.attempts = outcome.attempts
        made.fresh = links.pending(places, numbers)
        made.grew = set(self._held) if repeated else set(grew or ())
        made.duplicates = known + sum(repeats[page - 1] for page in kept)
        if CommitResult.CONFLICT in made.results:
            made.changes = await self._take_changes(all_states=True)
        return made

    # ---- the job as a whole ------------------------------------------------------------------------------------------

    async def resume_state(self) -> ResumeState:
        """Return the state of the job."""
        state, self._mark = await resume_state(self._server)
        return state

    async def begin_again(self) -> None:
        """Begin a finished crawl again, unless another owner has done so."""
        async with self._ordered:
            [(self.round, totals)], _ = await self._write(BEGIN_AGAIN, [])
        self._answer(totals)
        self.known.clear()

    async def record_run(self, run: RunRow) -> None:
        """Record what this run of the job does."""
        after = None if run.after is None else calls.dumped(run.after)
        await self._server.run(
            RECORD_RUN,
            [
                self.owner, run.spider, run.began, calls.dumped(run.before), after, run.seconds, run.finished,
                run.complete, run.problems,
            ],
        )  # fmt: skip

    # ---- items -------------------------------------------------------------------------------------------------------

    async def follow(self, sink: str) -> tuple[int, Any]:
        """Register a sink, and return the number of its next item and its position."""
        if sink not in self._sinks:
            async with self._ordered:
                await self._write(FOLLOW, [sink])
            self._sinks[sink] = (0, None)
        return self._sinks[sink]

    async def read(self, after: int, n: int) -> list[Row]:
        """Return up to `n` items from number `after` on; fewer if they are long."""
        rows, _ = await self._server.run(READ, [self.owner, after, n, MAX_READ])
        return [item_of(row) for row in rows]

    async def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Note the position of a sink; the next commit or extension stores it."""
        calls.dumped(position)  # one that cannot be stored is refused here
        self._sinks[sink] = (cursor, position)
        self._advanced.add(sink)

    def _take_advanced(self) -> dict[str, tuple[int, str]]:
        """Return the new positions of sinks. None is lost: a call without an answer is repeated."""
        taken = {name: self._sinks[name] for name in self._advanced}
        self._advanced.clear()
        return {name: (cursor, calls.dumped(position)) for name, (cursor, position) in taken.items()}
