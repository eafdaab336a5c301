"""`RedisStore`: the store of a job in Redis or Valkey, which many workers share.

Each method is one call of a function in ``functions/``: one round trip, and atomic.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec
import trio

from crawler import JobLost, LeaseLost, Request, Row
from crawler.store import (
    COMMIT_RESULTS,
    START,
    Checkpoint,
    Claimed,
    CommitResult,
    Committed,
    Extended,
    Group,
    Ingested,
    ItemRow,
    Observations,
    Order,
    Outcome,
    Pending,
    RemoteChanges,
    ResumeState,
    RunRow,
    ServerStore,
    lane_name,
)
from crawler_plugins.stores.redis import calls, reading
from crawler_plugins.stores.redis.connection import Connection

__all__ = ["RedisStore"]

STAGED_CHUNK: Final = 1000
"""Staged effects in one call."""
LOST: Final = [b"lost"]
"""The answer to an owner whose last calls the server does not know."""
GONE: Final = [b"gone"]
"""The answer to an owner of a job that no longer exists."""


class RedisStore(ServerStore):
    """The store of one worker. The methods are those of `Store`; `open_store` makes it."""

    def __init__(self, connection: Connection, joined: Sequence[bytes]) -> None:
        owner, name, round_, lease, seen, now = (value.decode() for value in joined)
        super().__init__(float(lease), name, int(owner), int(round_))
        self._connection = connection
        self._me = owner
        self._seen = seen
        self._numbers = itertools.count(1)
        self._acknowledged = 0  # the last call whose answer has come
        self._lock = trio.Lock()  # so that changes come in order
        self._clock_offset = float(now) - trio.current_time()

    async def _call(self, name: str, **arguments: Any) -> Any:
        """Call a function."""
        whose = {"job": self.job_name, "me": self._me, "seen": self._seen}
        answer = await self._connection.call(name, whose | arguments)
        if answer == GONE:
            raise JobLost.at(self._connection.address.shown)
        return answer

    async def _call_once(self, kind: str, **arguments: Any) -> Any:
        """Call a function that must take effect once: a repeated call with the same number gets the same answer."""
        number = next(self._numbers)
        answer = await self._call(kind, call=str(number), acknowledged=self._acknowledged, **arguments)
        if answer == LOST:
            raise LeaseLost.with_commits(self._connection.address.shown)
        self._acknowledged = number
        return answer

    def _now(self) -> float:
        return self._clock_offset + trio.current_time()

    def _note(self, status: Sequence[Any]) -> RemoteChanges:
        """Keep what an answer says about the job, and return its changes."""
        live, exhausted, behind, unclaimed, pages, items, failed, logged, version, round_, seen, entries = status
        self.live, self.exhausted, self.behind = live, bool(exhausted), behind
        self.unclaimed, self.logged = bool(unclaimed), logged
        self.others = {"pages": pages, "items": items, "failed": failed}
        self._seen = seen.decode()
        if round_ != self.round:  # the crawl has begun again
            self.round = round_
            self.known.clear()
        cookies: list[Any] = []
        states: list[Any] = []
        notes: dict[bytes, list[bytes]] = {b"networks": [], b"origins": []}
        for kind, value in entries:
            if kind == b"cookies":
                cookies += msgspec.json.decode(value)
            elif kind == b"states":
                states += msgspec.json.decode(value)
            else:
                notes[kind].append(value)
        return RemoteChanges(
            cookies=reading.cookies_of(cookies),
            states=reading.states_of(states),
            version=version,
            networks=notes[b"networks"],
            origins=notes[b"origins"],
        )

    # ---- the lease ---------------------------------------------------------------------------------------------------

    async def extend(self) -> Extended | None:
        """Renew the lease."""
        async with self._lock:
            answer = await self._call_once("extend")
            if not answer:
                return None
            grew, wanted, surplus, status = answer
            return Extended(grew=_texts(grew), wanted=_texts(wanted), surplus=surplus, changes=self._note(status))

    async def changed(self) -> None:
        """Wait until another owner has changed something, or some seconds have passed."""
        await self._connection.woken(self._me)

    async def claim(self, groups: int, n: int, names: Collection[str] = ()) -> Claimed:
        """Lease groups: those of these names, and others with requests."""
        async with self._lock:
            answer = await self._call_once("claim", groups=groups, n=n, names=sorted(names))
            if not answer:
                return Claimed(groups=[])
            rows, next_at, seeds, status = answer
            return Claimed(
                groups=[_group(row, n) for row in rows],
                next_at=float(next_at) if next_at else math.inf,
                seeds=bool(seeds),
                changes=self._note(status),
            )

    async def release(self, group: str, epoch: int, state: dict[str, Any], wait: float = 0.0) -> None:
        """End the lease of a group."""
        kept = {"state": msgspec.json.encode(state).decode()} if state else {}
        async with self._lock:
            await self._call_once("release", group=group, epoch=str(epoch), wait=wait, **kept)

    # ---- requests ----------------------------------------------------------------------------------------------------

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Pending]:
        """Return the next requests of a group."""
        place = "" if after == START else calls.order_of(after)
        async with self._lock:  # a commit must not announce requests while the rows are under way
            rows = await self._call("more", group=group, after=place, n=n)
        return [reading.pending_of(group, row) for row in rows]

    async def ingest(self, requests: Sequence[Request], *, exhausted: bool = False) -> Ingested:
        """Add requests that are not known."""
        async with self._lock:
            answer = await self._call_once("ingest", requests=calls.links(requests), exhausted=exhausted)
            if not answer:
                return Ingested()
            added, places, numbers, status = answer
            self._note(status)
        self.known.update(_keys(requests))
        fresh = [_pending(requests[place], number) for place, number in zip(places, numbers, strict=True)]
        return Ingested(fresh=fresh, added=added)

    async def stage(self, stage: int, items: Sequence[ItemRow], requests: Sequence[Request]) -> None:
        """Store effects of a page whose callback is still running."""
        effects = calls.staged(items, requests)
        async with self._lock:
            for first in range(0, len(effects), STAGED_CHUNK):
                await self._call_once("stage", stage=str(stage), effects=effects[first : first + STAGED_CHUNK])

    async def has_body(self, digest: bytes) -> bool:
        """Return whether a page whose body has this digest is committed."""
        return bool(await self._call("has_body", digest=digest.hex()))

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Commit outcomes, all in one call."""
        new = [self._not_known(outcome.discovered) for outcome in outcomes]
        parts = calls.commit_call(self.job_name, outcomes, new, observations, self._now())
        async with self._lock:
            answer = await self._call_once("commit", **parts)
            if not answer:
                return Committed(results=[CommitResult.FENCED] * len(outcomes))
            verdicts, fresh, grew, duplicates, states, status = answer
            changes = self._note(status)
        committed = Committed(
            results=[COMMIT_RESULTS[verdict] for verdict in verdicts],
            fresh=[_pending(new[index][place], number) for index, place, number in fresh],
            grew=set(_texts(grew)),
            duplicates=duplicates,
            changes=msgspec.structs.replace(changes, states=reading.states_of(reading.pairs(states)))
            if states
            else changes,
        )
        for outcome, requests, verdict in zip(outcomes, new, committed.results, strict=True):
            if verdict is CommitResult.OK:
                committed.duplicates += len(outcome.discovered) - len(requests)
                self.known.update(_keys(requests))
                outcome.ticket.pending.attempts = outcome.attempts
        return committed

    def _not_known(self, requests: Sequence[Request]) -> list[Request]:
        known = self.known
        return [request for request in requests if request.dont_filter or request.key not in known]

    # ---- the crawl as a whole ----------------------------------------------------------------------------------------

    async def resume_state(self) -> ResumeState:
        """Return what all owners have stored of the crawl."""
        async with self._lock:
            states, cookies, handlers, stats, runs, notes, gone, status, now = await self._call("resume")
            self._note(status)
        networks, origins, exhausted, version = notes
        counts = dict(reading.pairs(stats))
        return ResumeState(
            checkpoint=Checkpoint(
                stats=reading.total(counts.values()).to_json(lanes=True),
                networks=networks,
                origins=origins,
                exhausted=exhausted is not None,
            ),
            states=reading.values_of(reading.pairs(states)),
            cookies=[(cookie.session, cookie.value or b"") for cookie in reading.cookies_of(reading.pairs(cookies))],
            handlers=reading.counts_of(reading.pairs(handlers)),
            runs=reading.runs_of(dict(reading.pairs(runs)), counts),
            gone={
                int(owner): {sink: msgspec.json.decode(position) for sink, position in reading.pairs(positions)}
                for owner, positions in gone
            },
            now=float(now),
            version=int(version or 0),
        )

    async def record_run(self, run: RunRow) -> None:
        """Record what this owner does."""
        await self._call("record_run", run=msgspec.json.encode(run).decode())

    async def begin_again(self) -> None:
        """Begin a finished crawl again: forget its requests and its counts, and keep everything else."""
        async with self._lock:
            self._note(await self._call("begin_again"))

    # ---- the part of the item log that this owner has ----------------------------------------------------------------

    async def follow(self, sink: str) -> tuple[int, Any]:
        """Register a sink, and return the number of its next item and its position."""
        cursor, position = await self._call("follow", sink=sink)
        return int(cursor), msgspec.json.decode(position) if position else None

    async def read(self, after: int, n: int) -> list[Row]:
        """Return up to `n` items from number `after` on."""
        return reading.rows_of(await self._call("read", after=after, n=n))

    async def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Record the position of a sink. What all sinks have stored is deleted."""
        await self._call("advance", sink=sink, cursor=cursor, position=msgspec.json.encode(position).decode())


def _group(row: Sequence[Any], n: int) -> Group:
    name, epoch, state, unclean, head, robots = row
    group = name.decode()
    return Group(
        name=group,
        epoch=int(epoch),
        state=msgspec.json.decode(state) if state else {},
        head=[reading.pending_of(group, pending) for pending in head[:n]],
        more=len(head) > n,
        robots=reading.robots_of(group, robots),
        unclean=bool(unclean),
    )


def _pending(request: Request, number: int) -> Pending:
    return Pending((-request.priority, number), request, lane_name(request))


def _keys(requests: Iterable[Request]) -> list[str]:
    return [request.key for request in requests if not request.dont_filter]


def _texts(values: Iterable[bytes]) -> list[str]:
    return [value.decode() for value in values]
