"""`SqliteJob`: the database of a durable job: how it is opened, changed in transactions, and brought to the disk.

It runs on the event loop: committing a few dozen outcomes takes less time than a round trip to a thread. Only two
operations run in a thread: checkpoints of the write-ahead log, and each COMMIT that must survive a power failure.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import msgspec
import trio

from crawler.errors import JobError
from crawler.store.checkpoint import EXHAUSTED_NOTE, STATS_NOTE, Checkpoint
from crawler.store.compact_keys import RecentKeys
from crawler.store.handler_counts import HANDLERS_ROW, HandlerCounts
from crawler.store.identity import Identity, accepted
from crawler.store.inspect import queue_failed
from crawler.store.item_log import ItemLog
from crawler.store.job_folder import (
    DATABASE,
    SPOOL,
    SQLITE_ERRORS,
    WAL,
    boot_id,
    connect,
    describe_error,
    has_crashed,
    is_new,
    locked_folder,
    size,
    store_error,
    sync_names,
)
from crawler.store.protocol import ResumeState
from crawler.store.runs import RunRow, end_last_run, read_runs, write_run
from crawler.store.sqlite_lanes import SqliteLanes
from crawler.store.verify import check_job

__all__ = ["SqliteJob"]

MAX_RECENT_KEYS: Final = 131_072
"""Committed keys that are kept in memory."""
MAX_WAL: Final = 16 * 1024 * 1024
"""Size of the write-ahead log, in bytes, above which it is written into the database."""


class SqliteJob(AbstractContextManager["SqliteJob"]):
    """The base class of `SqliteStore`. It is a context manager, and locks the folder of the job while it is open."""

    shared: Final = False
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
        self.crashed = False
        """Whether the system went down with it."""
        self.again = False
        """Whether opening it queues the requests whose hosts an earlier run gave up."""
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
                self._database.execute("COMMIT")
                self._checkpoint_wal()
                self._begin()  # what is clean is on the disk
                if self._has_leased or not self.unclean:
                    self._set("clean", 1)  # else what the killed process had in flight is still not known
                self._database.execute("COMMIT")
            except (*SQLITE_ERRORS, OSError, JobError):
                pass  # nothing committed is lost: the next run finds the job unclean

    def _load(self, stack: ExitStack) -> None:
        if self.again:
            queue_failed(self._database, unreachable=True)
        meta = dict(self._database.execute("SELECT name, value FROM meta"))
        self._name = meta.get("name") or secrets.token_hex(6)
        self._opened = int(meta.get("opened", 0)) + 1
        self._lanes = SqliteLanes(self._database, self._opened)
        self._number = int(meta.get("number", 0))
        self.live = int(meta.get("live", 0))
        self.exhausted = EXHAUSTED_NOTE in meta
        self.unclean = meta.get("clean") == 0
        self.crashed = has_crashed(meta)
        self.round = int(meta.get("round", 1))
        self._log = ItemLog(self._database, self.folder / SPOOL, meta, sync=self._power)
        stack.callback(self._log.close)
        self._handlers = HandlerCounts.from_json(meta.get(HANDLERS_ROW))
        self._begin()
        for name, value in (("name", self._name), ("opened", self._opened), ("clean", 0)):
            self._set(name, value)
        if not self.crashed:
            self._set("boot", boot_id())
        if self._identity is not None:
            kept = msgspec.json.decode(meta["identity"]) if "identity" in meta else None
            stored = accepted(self._identity, kept, str(self.folder), override=True)  # `check_job` has compared them
            self._set("identity", msgspec.json.encode(stored))
        self._database.execute("COMMIT")

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
        """Call `sync` in a thread before each checkpoint: no output may be shorter than its position in the job."""
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
            # Five seconds for a lock of another process that reads the job.
            self._database.execute("PRAGMA busy_timeout=5000")

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
            self._set("boot", boot_id())  # after a crash not before: until now, a run may be refused

    async def begin_again(self) -> None:
        """Begin a finished crawl again: forget its requests and its counts, and keep everything else."""
        async with self._transaction():
            self._database.execute("DELETE FROM seen")
            self._database.execute("DELETE FROM failed")
            self._database.execute("DELETE FROM content")
            stats = self._database.execute("SELECT value FROM meta WHERE name = ?", (STATS_NOTE,)).fetchone()
            end_last_run(self._database, msgspec.json.decode(stats[0]) if stats else {})
            self._database.executemany("DELETE FROM meta WHERE name = ?", [(EXHAUSTED_NOTE,), (STATS_NOTE,)])
            self._set("round", self.round + 1)
        self.round += 1
        self.exhausted = False


async def _wait_for_disk(function: Callable[..., object], *args: object) -> None:
    """Call a function that waits for the disk, in a thread.

    A mock clock would jump ahead while all tasks wait for a thread: with one, the call is made in place.
    """
    if hasattr(trio.lowlevel.current_clock(), "autojump_threshold"):
        function(*args)
    else:
        await trio.to_thread.run_sync(function, *args)
