"""`PostgresStore`: the store of a job that many workers share, in a PostgreSQL database.

Each call is one function of the database (`functions`), so it takes one round trip and takes effect as a whole. Calls
that change something are numbered: the database recognizes one that is repeated because its answer was lost.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
import psycopg
import trio

from crawler import JobError, JobLost, Request, Row
from crawler.store import (
    VERDICTS,
    Claimed,
    Committed,
    Extended,
    Identity,
    Ingested,
    ItemRow,
    News,
    Observations,
    Order,
    Outcome,
    ResumeState,
    RunRow,
    SharedStore,
    Verdict,
)
from crawler_plugins.stores.postgres import binary
from crawler_plugins.stores.postgres.address import Address
from crawler_plugins.stores.postgres.batch import COMMIT, Batch, sink_parameters
from crawler_plugins.stores.postgres.connection import Connection, Parameter, Statement
from crawler_plugins.stores.postgres.links import LaneNumbers, Links
from crawler_plugins.stores.postgres.opening import open_job
from crawler_plugins.stores.postgres.reading import Mark, groups_of, news_of, pending_of, resume_state, row_of
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

JOIN: Final = Statement("SELECT me, totals(me), (SELECT round FROM crawl) FROM join_job($1, $2) AS me")
LEAVE_JOB: Final = Statement("SELECT leave_job($1)")
EXTEND: Final = Statement("SELECT e.*, advance($1, $4, $5, $6) FROM extend_lease($1, $2, $3) AS e")
CLAIM: Final = Statement("SELECT * FROM claim_lanes($1, $2, $3, $4, $5, $6)")
RELEASE: Final = Statement("SELECT release_lane($1, $2, $3, $4, $5, $6)")
INGEST: Final = Statement("SELECT * FROM ingest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
WROTE: Final = "WITH noted AS (UPDATE worker SET wrote = $2 WHERE id = $1) "
STAGE_ITEMS: Final = Statement(
    f"{WROTE}INSERT INTO staged (owner, stage, number, item, type) SELECT $1, $3, number, item::json, type "
    "FROM unnest($4::bigint[], $5::text[], $6::text[]) AS s (number, item, type) "
    "WHERE EXISTS (SELECT FROM worker WHERE id = $1) ON CONFLICT DO NOTHING"
)
STAGE_REQUESTS: Final = Statement(
    f"{WROTE}INSERT INTO staged (owner, stage, number, key, lane, tier, url, depth, callback, rest) SELECT $1, $3, s.* "
    "FROM unnest($4::bigint[], $5::uuid[], $6::bigint[], $7::bigint[], $8::text[], $9::integer[], $10::text[], "
    "$11::bytea[]) AS s WHERE EXISTS (SELECT FROM worker WHERE id = $1) ON CONFLICT DO NOTHING"
)
ADD_LANES: Final = Statement(f"{WROTE}SELECT add_lanes($3, $4)")
HAS_BODY: Final = Statement("SELECT FROM content WHERE digest = $1")
BEGIN_AGAIN: Final = Statement("SELECT round, totals($1) FROM begin_again($1, $2) AS round")
FOLLOW: Final = Statement("SELECT follow($1, $2, $3)")
READ: Final = Statement(
    "SELECT data, key, page, type, sinks FROM ("
    "SELECT *, sum(pg_column_size(data)) OVER (ORDER BY number) - pg_column_size(data) AS before FROM ("
    "SELECT * FROM item WHERE part = $1 AND number >= $2 AND EXISTS (SELECT FROM worker WHERE id = $1) "
    "ORDER BY number LIMIT $3) AS next) AS sized WHERE before < $4 ORDER BY number"
)
RECORD_RUN: Final = Statement(
    "INSERT INTO run VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (number) DO UPDATE SET "
    "after = EXCLUDED.after, seconds = EXCLUDED.seconds, finished = EXCLUDED.finished, complete = EXCLUDED.complete, "
    "problems = EXCLUDED.problems"
)


class PostgresStore(SharedStore):
    """The access of one worker to a job in PostgreSQL. The methods are those of `Store`. Use `open`.

    Parameters:
        server: Connected to the job.
        name: The name that was drawn for the job.
    """

    def __init__(self, server: Server, name: str) -> None:
        super().__init__(server.address.lease, name)
        self._server = server
        self._lanes = LaneNumbers(MAX_LANES)
        self._held: set[str] = set()
        self._calls = itertools.count(1)
        self._staged = itertools.count()
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
        """Join a job, which is created if it does not exist, and leave it at the end of the block.

        Parameters:
            url: ``postgresql://user@host/database/JOB``.
            identity: Describes the crawl. The job of another crawl is refused.
            override: Whether to replace the identity of the job instead of refusing.

        Raises:
            ConfigError: The URL is not that of a job.
            JobError: The server cannot be reached, or the job belongs to another version or crawl.
        """
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
        [row], _ = await self._server.run(JOIN, [binary.text(name), binary.double(self.lease)])
        self.owner = binary.read_int(row[0])
        self._me = self._server.owner = binary.integer(self.owner)
        self._server.job_name = self.job_name
        self._answer(row[1])
        self.round = binary.read_int(row[2])

    async def _leave(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._server.acknowledged = 0  # a database that has lost commits of this owner frees its groups as well
        with suppress(JobError, JobLost):  # the others remove this owner when its lease ends
            await self._server.run(LEAVE_JOB, [self._me])

    async def _write(self, statement: Statement, parameters: Sequence[Parameter]) -> tuple[list[Any], bool]:
        """Run a statement that stores the number of the call; its first parameters are this owner and the number."""
        number = next(self._calls)
        answer = await self._server.run(statement, [self._me, binary.bigint(number), *parameters])
        self._server.acknowledged = number
        return answer

    def _answer(self, totals: bytes | None) -> None:
        """Keep what an answer says of the job."""
        live, exhausted, self.behind, pages, items, failed, self.logged = binary.read_ints(totals)
        self.live, self.exhausted = live, bool(exhausted)
        self.others = {"pages": pages, "items": items, "failed": failed}

    # ---- the lease ---------------------------------------------------------------------------------------------------

    async def extend(self) -> Extended | None:
        """Renew the lease of this owner. `None`: it was removed."""
        async with self._ordered:
            parameters = [binary.double(self.lease), *sink_parameters(self._take_advanced())]
            rows, repeated = await self._write(EXTEND, parameters)
        alive, grew, wanted, surplus, totals, free, _ = rows[0]
        if not binary.read_boolean(alive):
            return None
        self._answer(totals)
        self.unclaimed = self.unclaimed or binary.read_boolean(free)
        return Extended(
            grew=list(self._held) if repeated else binary.read_texts(grew),
            wanted=binary.read_texts(wanted),
            surplus=binary.read_int(surplus),
            news=await self._take_news(),
        )

    async def changed(self) -> None:
        """Wait for a notification, or a few seconds."""
        with trio.move_on_after(POLL):
            try:
                if self._listener is None or self._listener.is_closed:
                    self._listener = await self._server.listen()
                await self._listener.notified()
            except psycopg.Error:
                await trio.sleep_forever()

    async def claim(self, groups: int, n: int, names: Collection[str] = ()) -> Claimed:
        """Lease groups."""
        wanted = list(names)
        parameters = [
            binary.double(self.lease), binary.integer(groups), binary.bigints([self._lanes[name] for name in wanted]),
            binary.texts(wanted),
        ]  # fmt: skip
        async with self._ordered:
            [(lanes, short, next_at, seeds, totals)], _ = await self._write(CLAIM, parameters)
            if totals is None:
                self.unclaimed = False
                return Claimed(groups=[])
            claimed = await groups_of(self._server, self._me, lanes, n) if binary.read_ints(lanes) else []
            news = await self._take_news()
        self._answer(totals)
        self.unclaimed = not binary.read_boolean(short)
        self._held.update(group.name for group in claimed)
        self._lanes.add_stored([group.name for group in claimed])
        return Claimed(
            groups=claimed,
            next_at=float("inf") if next_at is None else binary.read_double(next_at),
            seeds=binary.read_boolean(seeds),
            news=news,
        )

    async def release(self, group: str, epoch: int, state: dict[str, Any], wait: float = 0.0) -> None:
        """End the lease of a group."""
        stored = msgspec.json.encode(state) if state else None
        parameters = [binary.bigint(self._lanes[group]), binary.bigint(epoch), stored, binary.double(wait)]
        async with self._ordered:
            await self._write(RELEASE, parameters)
        self._held.discard(group)

    async def _take_news(self, *, all_states: bool = False) -> News:
        """Return what other owners have committed since the last news."""
        news, self._mark = await news_of(self._server, self._me, self._mark, all_states=all_states)
        return news

    # ---- requests ----------------------------------------------------------------------------------------------------

    async def ingest(self, requests: Sequence[Request], *, exhausted: bool = False) -> Ingested:
        """Add requests that are not known."""
        links = Links(self._lanes, self.known)
        links.add(requests)
        names, new_lanes = links.new_lanes()
        parameters = [binary.double(self.lease), binary.boolean(exhausted), *new_lanes, *links.parameters()]
        async with self._ordered:
            [row], _ = await self._write(INGEST, parameters)
        alive, repeated, fresh, places, numbers, free, totals = row
        if not binary.read_boolean(alive):
            return Ingested()
        self._answer(totals)
        self.unclaimed = self.unclaimed or binary.read_boolean(free)
        self._lanes.add_stored(names)
        self.known.update([request.key for request in links.requests if not request.dont_filter])
        return Ingested(
            fresh=links.pending(binary.read_ints(places), binary.read_ints(numbers)),
            grew=set(self._held) if binary.read_boolean(repeated) else set(),
            added=binary.read_int(fresh),
        )

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Any]:
        """Return the next requests of a group."""
        async with self._ordered:
            return await pending_of(self._server, self._lanes[group], group, after, n)

    async def stage(self, stage: int, items: Sequence[ItemRow], requests: Sequence[Request]) -> None:
        """Store effects of a page whose callback is still running."""
        if items:
            numbers = binary.bigints([next(self._staged) for _ in items])
            data, types = binary.texts(item.data for item in items), binary.texts(item.type for item in items)
            async with self._ordered:
                await self._write(STAGE_ITEMS, [binary.bigint(stage), numbers, data, types])
        if requests:
            links = Links(self._lanes, frozenset())
            links.add(requests)
            names, new_lanes = links.new_lanes()
            numbers = binary.bigints([next(self._staged) for _ in requests])
            async with self._ordered:
                if names:
                    await self._write(ADD_LANES, new_lanes)
                    self._lanes.add_stored(names)
                await self._write(STAGE_REQUESTS, [binary.bigint(stage), numbers, *links.parameters()])

    async def has_body(self, digest: bytes) -> bool:
        """Return whether a page whose body has this digest is committed."""
        rows, _ = await self._server.run(HAS_BODY, [digest])
        return bool(rows)

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Commit outcomes, all in one transaction."""
        links = Links(self._lanes, self.known)
        batch = Batch(outcomes, observations or Observations(), self._lanes, links, self.job_name)
        async with self._ordered:
            parameters = [binary.double(self.lease), *batch.parameters(self._take_advanced())]
            [row], _ = await self._write(COMMIT, parameters)
        verdicts, repeated, known, grew, places, numbers, free, totals, _ = row
        made = Committed(verdicts=[VERDICTS[number] for number in binary.read_ints(verdicts)])
        if totals is None:
            return made
        self._answer(totals)
        self.unclaimed = self.unclaimed or binary.read_boolean(free)
        kept = {place for place, verdict in enumerate(made.verdicts, 1) if verdict is Verdict.OK}
        if kept.issuperset(links.outcomes) and links.outcomes:
            self._lanes.add_stored(batch.new_lanes)
        self.known.update(
            request.key
            for request, place in zip(links.requests, links.outcomes, strict=True)
            if place in kept and not request.dont_filter
        )
        for outcome in outcomes:
            outcome.ticket.pending.attempts = outcome.attempts
        made.fresh = links.pending(binary.read_ints(places), binary.read_ints(numbers))
        made.grew = set(self._held) if binary.read_boolean(repeated) else set(binary.read_texts(grew))
        made.duplicates = binary.read_int(known) + sum(batch.repeats[place - 1] for place in kept)
        if Verdict.CONFLICT in made.verdicts:
            made.news = await self._take_news(all_states=True)
        return made

    # ---- the job as a whole ------------------------------------------------------------------------------------------

    async def resume_state(self) -> ResumeState:
        """Return the state of the job."""
        state, self._mark = await resume_state(self._server)
        return state

    async def begin_again(self) -> None:
        """Begin a finished crawl again, unless another owner has done so."""
        async with self._ordered:
            [(began, totals)], _ = await self._write(BEGIN_AGAIN, [])
        self.round = binary.read_int(began)
        self._answer(totals)
        self.known.clear()

    async def record_run(self, run: RunRow) -> None:
        """Record what this run of the job does."""
        seconds = None if run.seconds is None else binary.double(run.seconds)
        finished = None if run.finished is None else binary.text(run.finished)
        after = None if run.after is None else msgspec.json.encode(run.after)
        await self._server.run(
            RECORD_RUN,
            [
                self._me, binary.text(run.spider), binary.double(run.began), msgspec.json.encode(run.before), after,
                seconds, finished, binary.boolean(run.complete), binary.integer(run.problems),
            ],
        )  # fmt: skip

    # ---- items -------------------------------------------------------------------------------------------------------

    async def follow(self, sink: str) -> tuple[int, Any]:
        """Register a sink, and return the number of its next item and its position."""
        if sink not in self._sinks:
            async with self._ordered:
                await self._write(FOLLOW, [binary.text(sink)])
            self._sinks[sink] = (0, None)
        return self._sinks[sink]

    async def read(self, after: int, n: int) -> list[Row]:
        """Return up to `n` items from number `after` on; fewer if they are long."""
        parameters = [self._me, *map(binary.bigint, (after, n, MAX_READ))]
        rows, _ = await self._server.run(READ, parameters)
        return [row_of(row) for row in rows]

    async def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Note the position of a sink; the next commit or extension stores it."""
        msgspec.json.encode(position)  # one that cannot be stored is refused here
        self._sinks[sink] = (cursor, position)
        self._advanced.add(sink)

    def _take_advanced(self) -> dict[str, tuple[int, bytes]]:
        """Return the new positions of sinks. None is lost: a call without an answer is repeated."""
        taken = {name: self._sinks[name] for name in self._advanced}
        self._advanced.clear()
        return {name: (cursor, msgspec.json.encode(position)) for name, (cursor, position) in taken.items()}
