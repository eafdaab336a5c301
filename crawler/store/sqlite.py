"""`SqliteStore`: the store of a durable job. After a kill at any moment it holds exactly what was committed last.

It runs on the event loop: committing a few dozen outcomes takes less time than a round trip to a thread. Only two
operations run in a thread: checkpoints of the write-ahead log, and each COMMIT that must survive a power failure.
Handing out a request only reads it. It leaves `pending` in the transaction that records its outcome.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
from crawler.logs import get_logger
from crawler.messages import Request, Row
from crawler.store.checkpoint import EXHAUSTED_NOTE, STATS_NOTE, Checkpoint
from crawler.store.handler_counts import HANDLERS_ROW, HandlerCounts
from crawler.store.identity import Identity
from crawler.store.item_log import ItemLog
from crawler.store.job_folder import (
    DATABASE,
    SPOOL,
    SQLITE_ERRORS,
    WAL,
    connect,
    describe_error,
    is_new,
    locked_folder,
    size,
    store_error,
    sync_names,
)
from crawler.store.only_owner import OnlyOwner
from crawler.store.outcome import ItemRow, Kind, Observations, Outcome
from crawler.store.protocol import Claimed, Committed, Group, Ingested, ResumeState, RobotsAnswer, Verdict
from crawler.store.recent_keys import RecentKeys
from crawler.store.runs import RunRow, end_last_run, read_runs, write_run
from crawler.store.schema import (
    CREATE_CONTENT,
    DELETE_PENDING,
    INSERT_PENDING,
    SELECT_AFTER,
    UPDATE_ATTEMPT,
    fingerprint,
    pack,
    unpack,
)
from crawler.store.sqlite_lanes import SqliteLanes
from crawler.store.verify import check_job

__all__ = ["SqliteStore"]

MAX_RECENT_KEYS: Final = 131_072
"""Committed keys that are kept in memory."""
MAX_WAL: Final = 16 * 1024 * 1024
"""Size of the write-ahead log, in bytes, above which it is written into the database."""
BUSY_TIMEOUT: Final = 5000
"""Milliseconds to wait for a lock of another process that reads the job."""
STAGED_CHUNK: Final = 1000
"""Staged rows that are committed before other tasks may run."""
SELECT_STAGED: Final = (
    "SELECT rowid, item, request, type FROM staged WHERE stage = ? AND rowid > ? ORDER BY rowid LIMIT ?"
)
log = get_logger("crawler.store")


class SqliteStore(OnlyOwner, AbstractContextManager["SqliteStore"]):
    """The store of a durable job. It is a context manager, and locks the folder of the job while it is open.

    Parameters:
        folder: The folder of the job. It is created if it does not exist.
        identity: Describes the crawl. The job of another crawl is refused.
        power: Whether each commit must survive a power failure.
        override: Whether to replace the identity of the job by `identity` instead of refusing.

    Raises:
        JobError: The folder is in use, is not a job folder, is damaged, or belongs to another crawl.
        CrawlFailed: The disk is full.
    """

    durable: Final = True

    def __init__(
        self, folder: Path, identity: Identity | None = None, *, power: bool = False, override: bool = False
    ) -> None:
        self.folder = folder
        self.known = RecentKeys(MAX_RECENT_KEYS)
        self.live = 0
        self.exhausted = False
        self.unclean = False
        """Whether the previous process was killed."""
        self.round = 1
        """Number of times that the crawl has begun."""
        self._identity = identity
        self._power = power
        self._override = override
        self._stack = ExitStack()
        self._lock = trio.Lock()
        self._wal = folder / WAL
        self._checkpoint_at = MAX_WAL
        self._has_new_commits = True  # since the last checkpoint
        self._syncs: list[Callable[[], None]] = []
        self._has_content = False  # whether the table `content` exists
        self._handlers = HandlerCounts()
        self._has_leased = False  # whether this process may have sent requests

    # Opening and closing

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(locked_folder(self.folder))
            if not is_new(self.folder):
                check_job(self.folder, self._identity, override=self._override)
            self._database = connect(self.folder, power=self._power, checked=True)
            stack.callback(self._database.close)
            try:
                self._load(stack)
                sync_names(self.folder)
            except (*SQLITE_ERRORS, OSError) as error:
                raise store_error(self.folder / DATABASE, error) from error
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            try:
                self._begin()
                self._log.begin()
                self._log.save()
                if self._has_leased or not self.unclean:
                    self._set("clean", 1)  # else what the killed process had in flight is still not known
                self._database.execute("COMMIT")
                self._checkpoint_wal()
            except (*SQLITE_ERRORS, OSError, JobError):
                pass  # nothing committed is lost: the next run finds the job unclean

    def _load(self, stack: ExitStack) -> None:
        meta = dict(self._database.execute("SELECT name, value FROM meta"))
        self._name = meta.get("name") or secrets.token_hex(6)
        self._opened = int(meta.get("opened", 0)) + 1
        self._lanes = SqliteLanes(self._database, self._opened)
        self._number = int(meta.get("number", 0))
        self.live = int(meta.get("live", 0))
        self.exhausted = EXHAUSTED_NOTE in meta
        self.unclean = meta.get("clean") == 0
        self.round = int(meta.get("round", 1))
        self._log = ItemLog(self._database, self.folder / SPOOL, meta, sync=self._power)
        stack.callback(self._log.close)
        self._handlers = HandlerCounts.load(self._database, meta.get(HANDLERS_ROW), self.live)
        self._begin()
        for name, value in (("name", self._name), ("opened", self._opened), ("clean", 0)):
            self._set(name, value)
        if self._identity is not None:
            kept = msgspec.json.decode(meta["identity"]) if "identity" in meta else None
            self._set("identity", msgspec.json.encode(self._stored_identity(kept)))
        self._database.execute("COMMIT")

    def _stored_identity(self, kept: dict[str, Any] | None) -> dict[str, Any]:
        """Return the identity as the job stores it, and log a line for the secrets that have changed."""
        assert self._identity is not None
        stored, changed = self._identity.to_stored(kept)
        if changed:
            log.warning("%s continues with other values of %s than in its last run", self.folder, ", ".join(changed))
        if kept is not None and "secrets" not in kept:  # an earlier version has stored secrets as they were
            self._database.execute("PRAGMA secure_delete=ON")
        return stored

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate errors of SQLite and of the file system into `JobError`, and roll an open transaction back."""
        try:
            yield
        except (*SQLITE_ERRORS, OSError) as error:
            path = self.folder / (SPOOL if isinstance(error, OSError) else DATABASE)
            raise JobError(describe_error(path, error)) from error
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def _begin(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def _set(self, name: str, value: Any) -> None:
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    @asynccontextmanager
    async def _transaction(self) -> Any:  # noqa: ASYNC119
        """Run one transaction at a time. Its COMMIT runs in a thread if it has to wait for the disk."""
        async with self._lock:
            live, number, handlers = self.live, self._number, self._handlers.copy()
            try:
                with self._errors():
                    self._begin()
                    yield
                    self._set("live", self.live)
                    self._set("number", self._number)
                    if self._handlers != handlers:
                        self._set(HANDLERS_ROW, self._handlers.to_json())
                    if self._power:
                        await _wait_for_disk(self._database.execute, "COMMIT")
                    else:
                        self._database.execute("COMMIT")
                    self._has_new_commits = True
            except BaseException:
                self.live, self._number, self._handlers = live, number, handlers
                raise

    async def _checkpoint_if_due(self) -> None:
        """Make a checkpoint if the write-ahead log has grown above its limit.

        Call it last: an exception in here must not undo in memory what is committed.
        """
        if size(self._wal) > self._checkpoint_at:
            await self.checkpoint()
            self._checkpoint_at = size(self._wal) + MAX_WAL

    async def checkpoint(self) -> None:
        """Bring everything committed to the disk, the outputs included, so that it survives a power failure."""
        if self._has_new_commits:
            async with self._lock:
                await _wait_for_disk(self._checkpoint_wal)

    def sync_with(self, sync: Callable[[], None]) -> None:
        """Call `sync` in a thread before each checkpoint: no output may be behind the position that the job has."""
        self._syncs.append(sync)

    def _checkpoint_wal(self) -> None:
        """Write the write-ahead log into the database and truncate it; while another process reads it, do nothing.

        The items and the outputs are written to the disk first: the database never says more than they hold.
        """
        with self._errors():
            for sync in (self._log.sync, *self._syncs):
                sync()
            self._database.execute("PRAGMA busy_timeout=0")
            self._has_new_commits = bool(self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
            self._database.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")

    # The state of an earlier run

    async def resume_state(self) -> ResumeState:
        """Return the state of an earlier run."""
        with self._errors():
            meta = dict(self._database.execute("SELECT name, value FROM meta WHERE name LIKE 'note:%'"))
            states: dict[str, dict[str, Any]] = {}
            for owner, name, value in self._database.execute("SELECT owner, name, value FROM state"):
                states.setdefault(owner, {})[name] = msgspec.json.decode(value)
            cookies = [
                (session, value) for session, value in self._database.execute("SELECT session, value FROM cookie")
            ]
            checkpoint = Checkpoint.from_rows(meta)
            runs = read_runs(self._database, msgspec.json.decode(checkpoint.stats or b"{}"))
        return ResumeState(
            checkpoint=checkpoint,
            runs=runs,
            states=states,
            cookies=cookies,
            handlers=self._handlers.copy(),
            unclean=self.unclean,
        )

    async def record_run(self, run: RunRow) -> None:
        """Record what this run of the job does."""
        async with self._transaction():
            write_run(self._database, self._opened, run)

    async def begin_again(self) -> None:
        """Begin a finished crawl again: forget its requests and its counts, and keep everything else."""
        async with self._transaction():
            for table in ("seen", "failed", *(("content",) if self._has_table("content") else ())):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - a constant
            stats = self._database.execute("SELECT value FROM meta WHERE name = ?", (STATS_NOTE,)).fetchone()
            end_last_run(self._database, msgspec.json.decode(stats[0]) if stats else {})
            self._database.executemany("DELETE FROM meta WHERE name = ?", [(EXHAUSTED_NOTE,), (STATS_NOTE,)])
            self._set("round", self.round + 1)
        self.round += 1
        self.exhausted = False

    def _has_table(self, name: str) -> bool:
        return bool(self._database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone())

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

    async def claim(self, groups: int, n: int, names: Collection[str] = ()) -> Claimed:
        """Lease groups. There is one owner, so nothing has to be leased by name."""
        async with self._lock:
            with self._errors():
                leased = [self._lease(lane, n) for lane in self._lanes.find_unleased(groups)]
        return Claimed(groups=leased, seeds=not self.exhausted)

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
        if not self._has_content:
            async with self._transaction():
                self._database.execute(CREATE_CONTENT)
            self._has_content = True
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
                verdict = self._settle(outcome)
                committed.verdicts.append(verdict)
                if verdict in (Verdict.DUP, Verdict.FENCED):
                    continue
                if outcome.lane_state:
                    lane = self._lanes.number(outcome.ticket.pending.group)
                    states[lane] = msgspec.json.encode(outcome.lane_state)
                if outcome.kind is not Kind.RETRY:
                    if verdict is Verdict.OK:
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
        while rows := self._database.execute(SELECT_STAGED, (outcome.stage, last, STAGED_CHUNK)).fetchall():
            last = rows[-1][0]
            items = [ItemRow(item, None, kind) for _, item, _, kind in rows if item is not None]
            self._log.append(self._rows(outcome, items, number))
            number += len(items)
            fresh, _, repeats = self._add([Request.from_json(data) for _, _, data, _ in rows if data is not None])
            committed.grew.update(pending.group for pending in fresh)
            committed.duplicates += repeats
            await trio.lowlevel.checkpoint()
        self._database.execute("DELETE FROM staged WHERE stage = ?", (outcome.stage,))

    def _settle(self, outcome: Outcome) -> Verdict:
        """Remove one request from `pending`, or store its next attempt."""
        pending = outcome.ticket.pending
        lane = self._lanes.held(pending.group, outcome.ticket.epoch)
        if lane is None:
            return Verdict.FENCED
        key = (lane, *pending.order)
        if outcome.kind is Kind.RETRY:
            changed = self._database.execute(UPDATE_ATTEMPT, (outcome.attempts, outcome.not_before, *key))
        else:
            changed = self._database.execute(DELETE_PENDING, key)
        if changed.rowcount == 0:
            return Verdict.DUP
        pending.attempts = outcome.attempts
        failure = outcome.failure
        if failure is not None:
            self._database.execute(
                "INSERT OR REPLACE INTO failed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *key, pending.request.url, failure.reason, _utf8(failure.message), _utf8(failure.traceback),
                    outcome.attempts, time.time(), pending.request.to_json(),
                ),
            )  # fmt: skip
        if outcome.digest and not self._add_digest(outcome.digest):
            return Verdict.SAME_CONTENT
        return Verdict.OK

    def _add_digest(self, digest: bytes) -> bool:
        """Add the digest of a body, and return whether it is new."""
        return self._database.execute("INSERT OR IGNORE INTO content VALUES (?)", (digest,)).rowcount > 0

    def _add(self, requests: Sequence[Request]) -> tuple[list[Pending], list[str], int]:
        """Add the requests that are not known.

        Returns:
            The new requests of leased lanes; the keys that are known once this is committed; the number of requests
            that were known already.
        """
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

    async def release(self, group: str, epoch: int, state: dict[str, Any], wait: float = 0.0) -> None:
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
        """Iterate over the items that a sink may have stored behind its position, also of commits that are lost."""
        return self._log.written_behind(sink)

    async def read(self, after: int, n: int) -> list[Row]:
        """Return up to `n` items from number `after` on."""
        return self._log.read(after, n)

    async def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Record the position of a sink; the next commit stores it."""
        self._log.advance(sink, cursor, position)


async def _wait_for_disk(function: Callable[..., object], *args: object) -> None:
    """Call a function that waits for the disk, in a thread.

    A mock clock would jump ahead while all tasks wait for a thread: with one, the call is made in place.
    """
    if hasattr(trio.lowlevel.current_clock(), "autojump_threshold"):
        function(*args)
    else:
        await trio.to_thread.run_sync(function, *args)


def _utf8(text: str) -> str:
    """Return text in a form that SQLite accepts: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode()
