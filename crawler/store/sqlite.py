"""`SqliteStore`: a job's store. Killed at any moment it is what the last commit said.

It runs on the event loop: a commit of a few dozen outcomes takes less time than a hop to a thread and back. Only
checkpoints, and each COMMIT when the machine's end is to be survived, go to a thread. A request that is handed out is
only read; it leaves `pending` in the transaction that records what became of it.
"""

from __future__ import annotations

import itertools
import math
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import msgspec
import trio

from crawler import urls
from crawler.errors import JobError
from crawler.frontier import Pending, lane_name
from crawler.frontier.ticket import START, Order
from crawler.hooks.page_effects import MISSING
from crawler.messages import Request, Row
from crawler.store.item_log import ItemLog
from crawler.store.job_folder import DATABASE, SPOOL, connect, difference, locked_folder, sync_names, told
from crawler.store.outcome import ItemRow, Kind, Observations, Outcome
from crawler.store.protocol import Claimed, Committed, Group, ResumeState, RobotsAnswer, Verdict
from crawler.store.recent_keys import RecentKeys
from crawler.store.schema import CONTENT, INSERT, fingerprint, pack, unpack

__all__ = ["SqliteStore"]

KNOWN: Final = 8_192
"""Committed keys that are kept in memory, to spare look-ups."""
LANES: Final = 16_384
"""Names of lanes whose number is kept in memory."""
CHECKPOINT: Final = 16 * 1024 * 1024
"""Bytes of the write-ahead log after which it is folded into the database."""
PATIENCE: Final = 5000
"""Milliseconds that a lock of somebody who looks at the job is waited for."""
CHUNK: Final = 1000
"""Staged rows that are made true without a pause."""
STAGED: Final = "SELECT rowid, item, request FROM staged WHERE stage = ? AND rowid > ? ORDER BY rowid LIMIT ?"
BEHIND: Final = (
    "SELECT tier, number, url, depth, callback, rest, attempts, not_before FROM pending "
    "WHERE lane = ? AND (tier, number) > (?, ?) ORDER BY tier, number LIMIT ?"
)


class SqliteStore(AbstractContextManager["SqliteStore"]):
    """The store of a durable job, in a folder that is locked meanwhile. Use it as a context manager.

    Parameters:
        folder: of the job; made if it is missing.
        identity: what the crawl is: a job of another one is refused.
        power: whether each commit has to survive the end of the machine.
        override: take `identity` as the job's new one instead of refusing.

    Raises:
        JobError: the folder is in use, is no job of ours, is damaged, or belongs to another crawl.
    """

    durable: Final = True

    def __init__(
        self, folder: Path, identity: dict[str, Any] | None = None, *, power: bool = False, override: bool = False
    ) -> None:
        self.folder = folder
        self.known = RecentKeys(KNOWN)
        self.live = 0
        self.unclean = False
        """Whether the process before this one did not come to its end."""
        self._identity = identity
        self._power = power
        self._override = override
        self._stack = ExitStack()
        self._turn = trio.Lock()
        self._lanes: dict[str, int] = {}
        self._held: dict[int, int] = {}
        self._leases = itertools.count()
        self._waiting: dict[int, None] = {}
        self._scan = True
        self._fold_at = CHECKPOINT
        self._contents = False  # whether there is a table of them

    # Opening and closing

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(locked_folder(self.folder))
            self._database = connect(self.folder, power=self._power)
            stack.callback(self._database.close)
            with self._errors():
                self._load(stack)
                if self._power:
                    sync_names(self.folder)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            try:
                self._begin()
                self._log.begin()
                self._log.save()
                self._set("clean", 1)
                self._database.execute("COMMIT")
                self._fold()
            except (sqlite3.Error, JobError):
                pass  # what is committed is committed; the next one finds it as it is

    def _load(self, stack: ExitStack) -> None:
        meta = dict(self._database.execute("SELECT name, value FROM meta"))
        self._name = meta.get("name") or secrets.token_hex(6)
        self._opened = int(meta.get("opened", 0)) + 1
        self._number = int(meta.get("number", 0))
        self.live = int(meta.get("live", 0))
        self.unclean = meta.get("clean") == 0
        logged, length = int(meta.get("logged", 0)), int(meta.get("spool", 0))
        self._log = ItemLog(self._database, self.folder / SPOOL, logged, length, sync=self._power)
        stack.callback(self._log.close)
        if self._identity is not None:
            kept = msgspec.json.decode(meta["identity"]) if "identity" in meta else None
            if kept is not None and not self._override:
                differs = difference(kept, self._identity)
                if differs is not None:
                    raise JobError(
                        f"{self.folder} belongs to another crawl: {differs} (--override goes on with the new one)"
                    )
        self._begin()
        for name, value in (("name", self._name), ("opened", self._opened), ("clean", 0)):
            self._set(name, value)
        if self._identity is not None:
            self._set("identity", msgspec.json.encode(self._identity))
        self._database.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What SQLite or the file system says, as a `JobError`; what was begun is undone."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise JobError(told(self.folder / DATABASE, error)) from error
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def _begin(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def _set(self, name: str, value: Any) -> None:
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    @asynccontextmanager
    async def _transaction(self) -> Any:  # noqa: ASYNC119
        """One transaction, alone; its COMMIT goes to a thread if it has to wait for the disk."""
        async with self._turn:
            live, number = self.live, self._number
            try:
                with self._errors():
                    self._begin()
                    yield
                    self._set("live", self.live)
                    self._set("number", self._number)
                    if self._power:
                        await trio.to_thread.run_sync(self._database.execute, "COMMIT")
                    else:
                        self._database.execute("COMMIT")
            except BaseException:
                self.live, self._number = live, number
                raise

    async def _checkpoint(self) -> None:
        """Folds the write-ahead log into the database when it has grown long.

        The last thing that is done: what it raises must not undo in memory what is committed.
        """
        wal = self.folder / f"{DATABASE}-wal"
        if wal.exists() and wal.stat().st_size > self._fold_at:
            async with self._turn:
                await trio.to_thread.run_sync(self._fold)
            self._fold_at = wal.stat().st_size + CHECKPOINT

    def _fold(self) -> None:
        """Empties the log. One that somebody is reading grows on until the next time: nobody is waited for."""
        with self._errors():
            self._database.execute("PRAGMA busy_timeout=0")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._database.execute(f"PRAGMA busy_timeout={PATIENCE}")

    # What an earlier run left

    async def kept(self) -> ResumeState:
        """What was kept of an earlier run."""
        with self._errors():
            meta = dict(self._database.execute("SELECT name, value FROM meta WHERE name LIKE 'note:%'"))
            states: dict[str, dict[str, Any]] = {}
            for owner, name, value in self._database.execute("SELECT owner, name, value FROM state"):
                states.setdefault(owner, {})[name] = msgspec.json.decode(value)
            cookies = [
                (session, value) for session, value in self._database.execute("SELECT session, value FROM cookie")
            ]
        notes = {name.removeprefix("note:"): bytes(value) for name, value in meta.items()}
        return ResumeState(notes=notes, states=states, cookies=cookies, unclean=self.unclean)

    # Requests

    @property
    def unclaimed(self) -> bool:
        """Whether there are groups with requests that are not in memory."""
        return bool(self._waiting) or self._scan

    async def ingest(self, requests: Sequence[Request], notes: Mapping[str, bytes] = {}) -> list[Pending]:
        """Adds requests that are not known, and notes with them; gives those of groups that are held."""
        async with self._transaction():
            fresh, keys, _ = self._add(requests)
            for name, value in notes.items():
                self._set(f"note:{name}", value)
        self.known.add(keys)
        await self._checkpoint()
        return fresh

    async def claim(self, owner: str, groups: int, n: int, lease: float) -> Claimed:
        """Takes groups that are not in memory yet."""
        async with self._turn:
            with self._errors():
                leased = [self._lease(lane, n) for lane in self._free(groups)]
        return Claimed(groups=leased, next_at=math.inf, live=self.live)

    def _free(self, most: int) -> list[int]:
        """Up to `most` lanes that have requests and are not held."""
        found = [lane for lane in list(self._waiting)[:most] if lane not in self._held]
        for lane in found:
            self._waiting.pop(lane)
        if len(found) < most and self._scan:
            taken = set(found)
            last = -1
            while len(found) < most:
                row = self._database.execute(
                    "SELECT lane FROM pending WHERE lane > ? ORDER BY lane LIMIT 1", (last,)
                ).fetchone()
                if row is None:
                    self._scan = False
                    break
                last = row[0]
                if last not in self._held and last not in taken:
                    found.append(last)
        return found

    def _lease(self, lane: int, n: int) -> Group:
        name, state = self._database.execute("SELECT name, state FROM lane WHERE id = ?", (lane,)).fetchone()
        self._held[lane] = (self._opened << 32) + next(self._leases)
        self._lanes[name] = lane
        head = self._behind(lane, name, START, n + 1)
        kept = self._database.execute("SELECT * FROM robots WHERE origin = ?", (name,))
        return Group(
            name=name,
            epoch=self._held[lane],
            state=msgspec.json.decode(state) if state else {},
            head=head[:n],
            more=len(head) > n,
            robots=[RobotsAnswer(*row) for row in kept],
        )

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Pending]:
        """The next requests of a group."""
        async with self._turn:
            with self._errors():
                return self._behind(self._lanes[group], group, after, n)

    def _behind(self, lane: int, name: str, after: Order, n: int) -> list[Pending]:
        tier, number = after
        return [unpack(name, row) for row in self._database.execute(BEHIND, (lane, tier, number, n))]

    async def stage(self, stage: int, items: Sequence[ItemRow], requests: Sequence[Request]) -> None:
        """Keeps effects of a page that is still being handled, in rows that only its outcome makes true."""
        async with self._transaction():
            self._database.executemany("INSERT INTO staged VALUES (?, ?, NULL)", ((stage, item.data) for item in items))
            self._database.executemany(
                "INSERT INTO staged VALUES (?, NULL, ?)", ((stage, request.to_json()) for request in requests)
            )
        await self._checkpoint()

    async def met(self, digest: bytes) -> bool:
        """Whether a page with this digest of its body is committed."""
        if not self._contents:
            async with self._transaction():
                self._database.execute(CONTENT)
            self._contents = True
        async with self._turn:
            with self._errors():
                found = self._database.execute("SELECT 1 FROM content WHERE digest = ?", (digest,)).fetchone()
        return found is not None

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Makes outcomes true, all in one transaction."""
        made = Committed()
        keys: list[str] = []
        states: dict[int, bytes] = {}
        async with self._transaction():
            self._log.begin()
            for outcome in outcomes:
                verdict = self._settle(outcome)
                made.verdicts.append(verdict)
                if verdict is not Verdict.OK:
                    continue
                if outcome.lane_state:
                    lane = self._lanes[outcome.ticket.pending.group]
                    states[lane] = msgspec.json.encode(outcome.lane_state)
                if outcome.digest:
                    self._database.execute("INSERT OR IGNORE INTO content VALUES (?)", (outcome.digest,))
                if outcome.kind is not Kind.RETRY:
                    if outcome.stage:
                        await self._publish(outcome, made)
                    fresh, met, repeats = self._add(outcome.discovered)
                    made.fresh += fresh
                    made.duplicates += repeats
                    keys += met
                    self._log.append(self._rows(outcome, outcome.items, outcome.staged_items))
                    self._save_states(outcome.state)
                    self.live -= 1  # behind its effects, which take a while: at no moment nothing may seem to be left
            self._database.executemany(
                "UPDATE lane SET state = ? WHERE id = ?", [(state, lane) for lane, state in states.items()]
            )
            if observations is not None:
                self._observe(observations)
            for name, value in self._log.save().items():
                self._set(name, value)
        self._log.committed()
        self.known.add(keys)
        await self._checkpoint()
        return made

    async def _publish(self, outcome: Outcome, made: Committed) -> None:
        """Makes the staged effects of a page part of this transaction; other tasks get their turn in between."""
        number, done = 0, -1
        while rows := self._database.execute(STAGED, (outcome.stage, done, CHUNK)).fetchall():
            done = rows[-1][0]
            items = [ItemRow(item) for _, item, _ in rows if item is not None]
            self._log.append(self._rows(outcome, items, number))
            number += len(items)
            fresh, _, repeats = self._add([Request.from_json(data) for _, _, data in rows if data is not None])
            made.grew.update(pending.group for pending in fresh)
            made.duplicates += repeats
            await trio.lowlevel.checkpoint()
        self._database.execute("DELETE FROM staged WHERE stage = ?", (outcome.stage,))

    def _settle(self, outcome: Outcome) -> Verdict:
        """Takes one request from `pending`, or puts it off."""
        pending = outcome.ticket.pending
        lane = self._lanes.get(pending.group)
        if lane is None or outcome.ticket.epoch != self._held.get(lane):
            return Verdict.FENCED
        place = (lane, *pending.order)
        if outcome.kind is Kind.RETRY:
            done = self._database.execute(
                "UPDATE pending SET attempts = ?, not_before = ? WHERE lane = ? AND tier = ? AND number = ?",
                (outcome.attempts, outcome.not_before, *place),
            )
        else:
            done = self._database.execute("DELETE FROM pending WHERE lane = ? AND tier = ? AND number = ?", place)
        if done.rowcount == 0:
            return Verdict.DUP
        pending.attempts = outcome.attempts
        failure = outcome.failure
        if failure is not None:
            self._database.execute(
                "INSERT OR REPLACE INTO failed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *place, pending.request.url, failure.reason, _utf8(failure.message), _utf8(failure.traceback),
                    outcome.attempts, time.time(), pending.request.to_json(),
                ),
            )  # fmt: skip
        return Verdict.OK

    def _add(self, requests: Sequence[Request]) -> tuple[list[Pending], list[str], int]:
        """Adds what is not known.

        Returns:
            The requests of lanes in memory; the keys that are known once this is committed; how many were known.
        """
        fresh: list[Pending] = []
        keys: list[str] = []
        repeats = 0
        execute = self._database.execute
        for request in requests:
            key = request.key
            if not request.dont_filter:
                if key in self.known:
                    repeats += 1
                    continue
                keys.append(key)
                mark = (self._lane(urls.origin(request.url)), fingerprint(key))
                if execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", mark).rowcount == 0:
                    repeats += 1
                    continue
            name = lane_name(request)
            lane = self._lane(name)
            self._number += 1
            pending = Pending((-request.priority, self._number), request, name)
            execute(INSERT, (lane, *pending.order, *pack(request, name)))
            self.live += 1
            if lane in self._held:
                fresh.append(pending)
            elif len(self._waiting) < LANES:
                self._waiting[lane] = None
            else:
                self._scan = True
        return fresh, keys, repeats

    def _lane(self, name: str) -> int:
        """The number of a lane or host."""
        lane = self._lanes.get(name)
        if lane is None:
            self._database.execute("INSERT OR IGNORE INTO lane (name) VALUES (?)", (name,))
            lane = int(self._database.execute("SELECT id FROM lane WHERE name = ?", (name,)).fetchone()[0])
            if len(self._lanes) >= LANES + len(self._held):
                self._lanes = {held: number for held, number in self._lanes.items() if number in self._held}
            self._lanes[name] = lane
        return lane

    def _rows(self, outcome: Outcome, items: Sequence[ItemRow], first: int) -> Iterator[tuple[str, str, bytes]]:
        """Items of a page as the log takes them; the first of them is the page's number `first`."""
        pending = outcome.ticket.pending
        tier, number = pending.order
        for index, item in enumerate(items, first):
            yield f"{self._name}.{tier}.{number}.{index}", pending.request.url, item.data

    def _save_states(self, states: dict[str, dict[str, Any]]) -> None:
        for owner, changed in states.items():
            for name, value in changed.items():
                if value is MISSING:
                    self._database.execute("DELETE FROM state WHERE owner = ? AND name = ?", (owner, name))
                else:
                    self._database.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (owner, name, value))

    def _observe(self, observations: Observations) -> None:
        for name, value in observations.notes.items():
            self._set(f"note:{name}", value)
        self._save_states(observations.states)
        for cookie in observations.cookies:
            place = (cookie.session, cookie.domain, cookie.path, cookie.name)
            if cookie.value is None:
                self._database.execute(
                    "DELETE FROM cookie WHERE session = ? AND domain = ? AND path = ? AND name = ?", place
                )
            else:
                self._database.execute("INSERT OR REPLACE INTO cookie VALUES (?, ?, ?, ?, ?)", (*place, cookie.value))
        for answer in observations.robots:
            self._database.execute(
                "INSERT OR REPLACE INTO robots VALUES (?, ?, ?, ?)",
                (answer.origin, answer.status, answer.body, answer.at),
            )

    async def extend(self, groups: Sequence[str]) -> tuple[list[str], list[str]]:
        """Nobody else can take a group or add to it: the folder is locked."""
        return [], []

    async def release(self, group: str, epoch: int, state: dict[str, Any]) -> None:
        """Lets a group leave memory, with what is to be kept of its lane."""
        lane = self._lanes.get(group)
        if lane is None or epoch != self._held.get(lane):
            return
        async with self._turn:
            with self._errors():
                del self._held[lane]
                if state:
                    self._database.execute("UPDATE lane SET state = ? WHERE id = ?", (msgspec.json.encode(state), lane))
                if self._database.execute("SELECT 1 FROM pending WHERE lane = ? LIMIT 1", (lane,)).fetchone():
                    self._waiting[lane] = None

    async def reserve(self, scope: str, cost: float) -> float:
        """Nobody else spends."""
        return 0.0

    # Items

    @property
    def logged(self) -> int:
        """How many items have been committed."""
        return self._log.logged

    async def follow(self, sink: str) -> tuple[int, Any]:
        """Where a sink stands: 0 and `None` the first time, which is noted, so that a crash leaves no doubt."""
        if not self._log.follows(sink):
            async with self._transaction():
                self._log.enter(sink)
        return self._log.stands(sink)

    def follows(self, sink: str) -> bool:
        """Whether a sink of that name belongs to the job already."""
        return self._log.follows(sink)

    async def read(self, after: int, n: int) -> list[Row]:
        """Items from number `after` on."""
        return self._log.read(after, n)

    async def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Notes where a sink stands; it rides in the next commit."""
        self._log.advance(sink, cursor, position)


def _utf8(text: str) -> str:
    """Text that may come from anywhere, as SQLite takes it: what is no character becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
