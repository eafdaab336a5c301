"""`SqliteStore`: the store of a durable job. After a kill at any moment it holds exactly what was committed last.

Handing out a request only reads it. It leaves `pending` in the transaction that records its outcome.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import trio

from crawler import urls
from crawler.frontier import Pending, lane_name
from crawler.frontier.ticket import START, Order
from crawler.hooks.page_effects import MISSING
from crawler.messages import Request, Row
from crawler.store.checkpoint import Checkpoint
from crawler.store.outcome import ItemRow, Kind, Observations, Outcome
from crawler.store.protocol import Claimed, CommitResult, Committed, Group, Ingested, RobotsAnswer
from crawler.store.schema import (
    DELETE_PENDING,
    INSERT_PENDING,
    SELECT_AFTER,
    UPDATE_ATTEMPT,
    fingerprint,
    pack,
    unpack,
)
from crawler.store.sqlite_job import SqliteJob

__all__ = ["SqliteStore"]

SELECT_STAGED: Final = (
    "SELECT rowid, item, request, type FROM staged WHERE stage = ? AND rowid > ? ORDER BY rowid LIMIT ?"
)


class SqliteStore(SqliteJob):
    """The requests, outcomes and items of a durable job. The methods are those of `Store`."""

    # Requests

    @property
    def unclaimed(self) -> bool:
        """Whether there may be groups with requests that are not leased."""
        return self._lanes.has_unleased

    async def ingest(self, requests: Sequence[Request], *, exhausted: bool = False) -> Ingested:
        """Add requests that are not known, and return those in leased groups."""
        async with self._transaction():
            live = self.live
            fresh, keys, _ = self._add(requests)
            for name, value in Checkpoint(exhausted=exhausted).to_rows().items():
                self._set(name, value)
            added = self.live - live
        self.exhausted = self.exhausted or exhausted
        self.known.update(keys)
        await self._checkpoint_if_due()
        return Ingested(fresh=fresh, added=added)

    async def claim(self, groups: int, n: int) -> Claimed:
        """Lease groups."""
        async with self._lock:
            with self._errors():
                leased = [self._lease(lane, n) for lane in self._lanes.find_unleased(groups)]
        return Claimed(groups=leased)

    def _lease(self, lane: int, n: int) -> Group:
        name, state = self._database.execute("SELECT name, state FROM lane WHERE id = ?", (lane,)).fetchone()
        self._has_leased = True
        epoch = self._lanes.lease(lane, name)
        head = self._requests_after(lane, name, START, n + 1)
        robots = self._database.execute("SELECT * FROM robots WHERE origin = ?", (name,))
        return Group(
            name=name,
            epoch=epoch,
            state=msgspec.json.decode(state) if state else {},
            head=head[:n],
            more=len(head) > n,
            robots=[RobotsAnswer(*row) for row in robots],
        )

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Pending]:
        """Return the next requests of a group."""
        async with self._lock:
            with self._errors():
                return self._requests_after(self._lanes.number(group), group, after, n)

    def _requests_after(self, lane: int, name: str, after: Order, n: int) -> list[Pending]:
        tier, number = after
        return [unpack(name, row) for row in self._database.execute(SELECT_AFTER, (lane, tier, number, n))]

    async def stage(self, stage: int, items: Sequence[ItemRow], requests: Sequence[Request]) -> None:
        """Store effects of a page whose callback is still running, in a temporary table."""
        async with self._transaction():
            self._database.executemany(
                "INSERT INTO staged VALUES (?, ?, NULL, ?)", ((stage, item.data, item.type) for item in items)
            )
            self._database.executemany(
                "INSERT INTO staged VALUES (?, NULL, ?, NULL)", ((stage, request.to_json()) for request in requests)
            )
        await self._checkpoint_if_due()

    async def has_body(self, digest: bytes) -> bool:
        """Return whether a page whose body has this digest is committed."""
        async with self._lock:
            with self._errors():
                found = self._database.execute("SELECT 1 FROM content WHERE digest = ?", (digest,)).fetchone()
        return found is not None

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Commit outcomes, all in one transaction."""
        committed = Committed()
        keys: list[str] = []
        states: dict[int, bytes] = {}
        async with self._transaction():
            self._log.begin()
            for outcome in outcomes:
                result = self._settle(outcome)
                committed.results.append(result)
                if outcome.lane_state and result is not CommitResult.FENCED:
                    lane = self._lanes.number(outcome.ticket.pending.group)
                    states[lane] = msgspec.json.encode(outcome.lane_state)
                if outcome.kind is not Kind.RETRY and result in (CommitResult.OK, CommitResult.SAME_CONTENT):
                    if result is CommitResult.OK:
                        if outcome.stage:
                            await self._commit_staged(outcome, committed)
                        fresh, known, repeats = self._add(outcome.discovered)
                        committed.fresh += fresh
                        committed.duplicates += repeats
                        keys += known
                        self._log.append(self._rows(outcome, outcome.items, outcome.staged_items))
                    self._save_states(outcome.state)
                    self._handlers.add(outcome.ticket.pending.request, -1)
                    self.live -= 1  # after its effects, which may take long: `live == 0` would end the crawl meanwhile
            self._database.executemany(
                "UPDATE lane SET state = ? WHERE id = ?", [(state, lane) for lane, state in states.items()]
            )
            if observations is not None:
                self._observe(observations)
            for name, value in self._log.save().items():
                self._set(name, value)
        self._log.committed()
        self.known.update(keys)
        await self._checkpoint_if_due()
        return committed

    async def _commit_staged(self, outcome: Outcome, committed: Committed) -> None:
        """Make the staged effects of a page part of this transaction; other tasks run in between."""
        number, last = 0, -1
        # Other tasks may run after 1000 staged rows.
        while rows := self._database.execute(SELECT_STAGED, (outcome.stage, last, 1000)).fetchall():
            last = rows[-1][0]
            items = [ItemRow(item, None, kind) for _, item, _, kind in rows if item is not None]
            self._log.append(self._rows(outcome, items, number))
            number += len(items)
            fresh, _, repeats = self._add([Request.from_json(data) for _, _, data, _ in rows if data is not None])
            committed.grew.update(pending.group for pending in fresh)
            committed.duplicates += repeats
            await trio.lowlevel.checkpoint()
        self._database.execute("DELETE FROM staged WHERE stage = ?", (outcome.stage,))

    def _settle(self, outcome: Outcome) -> CommitResult:
        """Remove one request from `pending`, or store its next attempt."""
        pending = outcome.ticket.pending
        lane = self._lanes.held(pending.group, outcome.ticket.epoch)
        if lane is None:
            return CommitResult.FENCED
        key = (lane, *pending.order)
        if outcome.kind is Kind.RETRY:
            changed = self._database.execute(UPDATE_ATTEMPT, (outcome.attempts, outcome.not_before, *key))
        else:
            changed = self._database.execute(DELETE_PENDING, key)
        if changed.rowcount == 0:
            return CommitResult.DUP
        pending.attempts = outcome.attempts
        failure = outcome.failure
        if failure is not None:
            self._database.execute(
                "INSERT OR REPLACE INTO failed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *key, pending.request.url, failure.kept_reason, _utf8(failure.message), _utf8(failure.traceback),
                    outcome.attempts, time.time(), pending.request.to_json(),
                ),
            )  # fmt: skip
        if outcome.digest and not self._add_digest(outcome.digest):
            return CommitResult.SAME_CONTENT
        return CommitResult.OK

    def _add_digest(self, digest: bytes) -> bool:
        """Add the digest of a body, and return whether it is new."""
        return self._database.execute("INSERT OR IGNORE INTO content VALUES (?)", (digest,)).rowcount > 0

    def _add(self, requests: Sequence[Request]) -> tuple[list[Pending], list[str], int]:
        """Return the new requests of leased lanes, the keys that become known, and the number of known ones."""
        fresh: list[Pending] = []
        keys: list[str] = []
        repeats = 0
        execute, lanes = self._database.execute, self._lanes
        for request in requests:
            key = request.key
            if not request.dont_filter:
                if key in self.known:
                    repeats += 1
                    continue
                keys.append(key)
                seen = (lanes.number(urls.origin(request.url)), fingerprint(key))
                if execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", seen).rowcount == 0:
                    repeats += 1
                    continue
            name = lane_name(request)
            lane = lanes.number(name)
            self._number += 1
            pending = Pending((-request.priority, self._number), request, name)
            execute(INSERT_PENDING, (lane, *pending.order, *pack(request, name)))
            self._handlers.add(request)
            self.live += 1
            if lanes.note_requests(lane):
                fresh.append(pending)
        return fresh, keys, repeats

    def _rows(self, outcome: Outcome, items: Sequence[ItemRow], first: int) -> Iterator[Row]:
        """Return items of a page in the form of the log. The first one is number `first` of the page."""
        pending = outcome.ticket.pending
        tier, number = pending.order
        for index, item in enumerate(items, first):
            yield Row(item.data, f"{self._name}.{tier}.{number}.{index}", pending.request.url, None, item.type)

    def _save_states(self, states: dict[str, dict[str, Any]]) -> None:
        for owner, changed in states.items():
            for name, value in changed.items():
                if value is MISSING:
                    self._database.execute("DELETE FROM state WHERE owner = ? AND name = ?", (owner, name))
                else:
                    self._database.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (owner, name, value))

    def _observe(self, observations: Observations) -> None:
        for name, value in observations.checkpoint.to_rows().items():
            self._set(name, value)
        self._save_states(observations.states)
        for cookie in observations.cookies:
            key = (cookie.session, cookie.domain, cookie.path, cookie.name)
            if cookie.value is None:
                self._database.execute(
                    "DELETE FROM cookie WHERE session = ? AND domain = ? AND path = ? AND name = ?", key
                )
            else:
                self._database.execute("INSERT OR REPLACE INTO cookie VALUES (?, ?, ?, ?, ?)", (*key, cookie.value))
        for answer in observations.robots:
            self._database.execute(
                "INSERT OR REPLACE INTO robots VALUES (?, ?, ?, ?)",
                (answer.origin, answer.status, answer.body, answer.at),
            )

    async def release(self, group: str, epoch: int, state: dict[str, Any]) -> None:
        """End the lease of a group, and store the state of its lane."""
        lane = self._lanes.held(group, epoch)
        if lane is None:
            return
        async with self._lock:
            with self._errors():
                if state:
                    self._database.execute("UPDATE lane SET state = ? WHERE id = ?", (msgspec.json.encode(state), lane))
                self._lanes.release(lane)

    # Items

    @property
    def logged(self) -> int:
        """Number of committed items."""
        return self._log.logged

    async def follow(self, sink: str) -> tuple[int, Any]:
        """Return the number of the next item of a sink, and the sink's position: 0 and `None` for a new sink.

        A new sink is registered at once, so that a crash cannot make it look new again.
        """
        if not self._log.follows(sink):
            async with self._transaction():
                self._log.register(sink)
        return self._log.position_of(sink)

    def follows(self, sink: str) -> bool:
        """Return whether the job already has a sink of that name."""
        return self._log.follows(sink)

    def sinks(self) -> dict[str, Any]:
        """Return the positions of all sinks that an earlier run had, by name."""
        return self._log.positions()

    async def rename_sinks(self, names: Mapping[str, str]) -> None:
        """Give sinks of an earlier run other names."""
        async with self._transaction():
            self._log.rename(names)

    def written_behind(self, sink: str) -> Iterator[Row]:
        """Iterate over the items that a sink may have stored after its position, also those of lost commits."""
        return self._log.written_behind(sink)

    def written_before(self, sink: str) -> Iterator[Row]:
        """Iterate over the items before the position of a sink, from the first one on."""
        return self._log.written_before(sink)

    async def read(self, after: int, n: int) -> list[Row]:
        """Return up to `n` items from number `after` on."""
        return self._log.read(after, n)

    async def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Record the position of a sink; the next commit stores it."""
        self._log.advance(sink, cursor, position)


def _utf8(text: str) -> str:
    """Return text in a form that SQLite accepts: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode()
