"""`KeyedSink`: the base class of sinks that store rows by key outside of the job, with a blocking library.

Three things make each row exist once. A row is written under its key, which never changes its item. The store keeps its
own `Cursor`, in the transaction of the rows: rows that come again because the job knows less are recognized and left
out, and a store that knows less than the job has lost rows. And when a connection ends during a commit, the cursor says
whether the commit has happened.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, ClassVar

import attrs
import trio

from crawler.errors import ConfigError, CrawlerError, CrawlFailed, JobError
from crawler.hooks.crawl import Crawl
from crawler.hooks.sink import Held, Sink
from crawler.logs import get_logger
from crawler.messages import Row
from crawler.redaction import hide_secrets_of, hide_userinfo, redact

__all__ = ["Cursor", "KeyedSink"]

log = get_logger("crawler.sinks")


@attrs.frozen(repr=False)
class Cursor:
    """The progress of an output."""

    id: str
    """The crawl and output that it belongs to."""
    stored: int = 0
    """Number of rows."""
    chain: str = ""
    """A hash of all of them, in order."""

    def after(self, rows: Iterable[Row]) -> Cursor:
        """Return the cursor after further rows."""
        stored, chain = self.stored, self.chain
        for row in rows:
            stored += 1
            chain = hashlib.blake2b(f"{chain} {row.key} ".encode() + row.data, digest_size=8).hexdigest()
        return Cursor(self.id, stored, chain)


class KeyedSink(Sink, ABC):
    """Base class of sinks that store rows by key, in worker threads, with a library that may block.

    A subclass implements `connect`, `begin`, `cursor`, `write`, `close` and `is_lost`. One of them runs at a time.

    Parameters:
        place: Where the rows go, for messages; a password in it is not shown.
        retry: Seconds for which a lost server is connected to again, before the crawl fails, at least 0.

    Raises:
        ConfigError: `retry` is negative.
    """

    guarantee: ClassVar[str] = "exactly once: rows are stored by key, and the store keeps the progress"

    def __init__(self, place: str, *, retry: float = 150.0) -> None:
        self.place = hide_userinfo(place)
        self._address = place
        if not 0 <= retry < float("inf"):
            raise ConfigError(f"{self.place}: retry must be 0 seconds or more, not {retry}")
        self.name = f"{type(self).name}:{self.place}"
        self.retry = retry
        self._connection: Any = None
        self._calling = threading.Lock()
        self._ending = threading.Event()
        self._cursor = Cursor("")
        self._ahead: Cursor | None = None  # of the store, if it knows more than the job
        self._again: list[Row] = []  # rows that the store may have

    @abstractmethod
    def connect(self) -> Any:
        """Return a new connection."""

    @abstractmethod
    def begin(self, connection: Any, cursor: Cursor) -> None:
        """Prepare the store for a new crawl, and store its first cursor.

        Raises:
            ConfigError: The output exists, and must not be changed.
        """

    @abstractmethod
    def cursor(self, connection: Any, name: str) -> Cursor | None:
        """Return the cursor with an `id` that was stored last; `None` if there is none."""

    @abstractmethod
    def write(self, connection: Any, rows: Sequence[Row], cursor: Cursor) -> None:
        """Store rows by key, and the cursor after them, all in one transaction."""

    @abstractmethod
    def close(self, connection: Any) -> None:
        """Close a connection, which may be broken."""

    @abstractmethod
    def is_lost(self, error: Exception) -> bool:
        """Return whether an error of the library means that the connection has ended, or that there is no server."""

    def check_place(self, connection: Any) -> None:
        """Check that a new crawl may write to the store. By default nothing is checked.

        Raises:
            ConfigError: The output exists, and must not be changed.
        """

    # Before the crawl

    def check(self) -> None:
        """Connect, and check that a new crawl may write to the store.

        Raises:
            ConfigError: There is no connection, or the output exists and must not be changed.
        """
        with self._connected() as connection:
            if not self._is_begun(connection):
                self.check_place(connection)

    def verify(self, rows: Any) -> None:
        """Check that the store has what the job has stored.

        Raises:
            JobError: Rows are missing.
        """
        if self.position is None:
            self.check()
            return
        kept = Cursor(**self.position)
        with self._connected() as connection:
            found = self.cursor(connection, kept.id)
        if found is None or found.stored < kept.stored or (found.stored == kept.stored and found != kept):
            have = 0 if found is None else found.stored
            raise JobError(
                f"{self.place} has lost items that the job wrote to it ({have} of {kept.stored}): restore it, or name "
                "another output, which gets all items of the job"
            )
        self._cursor = kept
        self._ahead = found if found.stored > kept.stored else None

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Keep the connection open while the crawl runs."""
        try:
            if self.position is None:
                self._cursor = Cursor(secrets.token_hex(8))
                await trio.to_thread.run_sync(self._begin)
                self.position = attrs.asdict(self._cursor)
            yield
        finally:
            self._ending.set()
            # The end of a crawl waits a second for a call that does not return.
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                await trio.to_thread.run_sync(self._disconnect, abandon_on_cancel=True)

    def _begin(self) -> None:
        with self._connected() as connection:
            is_begun = self._is_begun(connection)
            if is_begun:
                self.write(connection, [], self._cursor)
            else:
                self.begin(connection, self._cursor)
        if self.shared_job and not is_begun:
            with self._connected() as connection:
                self.write(connection, [], Cursor(self._mark))

    @property
    def _mark(self) -> str:
        """The name of a cursor that the first worker of a shared job stores, by which the others know it."""
        return hashlib.blake2b(f"{self.shared_job} {self.name}".encode(), digest_size=8).hexdigest()

    def _is_begun(self, connection: Any) -> bool:
        """Return whether another worker of the same job has begun to write to the store."""
        return bool(self.shared_job) and self.cursor(connection, self._mark) is not None

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """Connect before the crawl, and close the connection; what the library raises means that nothing can start."""
        connection = None
        try:
            connection = self.connect()
            yield connection
        except CrawlerError:
            raise
        except Exception as error:
            what = "connect to" if connection is None else "use"
            raise ConfigError(f"cannot {what} {self.place}: {self._one_line(error)}") from self._shown(error)
        finally:
            if connection is not None:
                with suppress(Exception):
                    self.close(connection)

    # While it runs

    def persist(self, batch: Sequence[Row]) -> Any:
        """Store a batch. Rows that the store has already are recognized when all of them have come."""
        with self._calling:
            if self._ahead is None:
                self._store(batch)
                return attrs.asdict(self._cursor)
            rows = [*self._again, *batch]
            wanted = self._ahead.stored - self._cursor.stored
            if len(rows) < wanted:
                self._again = rows
                return Held(len(rows), attrs.asdict(self._cursor))
            self._take_again(rows, wanted)
            return attrs.asdict(self._cursor)

    def flush(self) -> Any:
        """Store rows that were held. The job has lost the others, after a power failure."""
        with self._calling:
            if self._ahead is not None:
                self._take_again(self._again, len(self._again))
            return attrs.asdict(self._cursor)

    def _take_again(self, rows: Sequence[Row], count: int) -> None:
        """Leave out rows that the store has, unless the job has others in their place; store all others."""
        before = self._cursor
        reached = before.after(rows[:count])
        if reached == self._ahead:
            self._cursor = reached
            rows = rows[count:]
        try:
            self._store(rows)
        except BaseException:
            self._cursor = before  # the same batch comes again
            raise
        self._ahead = None
        self._again = []

    def _store(self, rows: Sequence[Row]) -> None:
        """Write rows, again if the connection is lost meanwhile."""
        if not rows:
            return
        after = self._cursor.after(rows)
        is_away = False
        for pause in (*self._pauses(), None):
            try:
                self._write(rows, after)
                break
            except CrawlerError:
                raise
            except Exception as error:
                lost, message, cause = self.is_lost(error), self._one_line(error), self._shown(error)
                self._drop()
                if not lost or self._ending.is_set():
                    raise OSError(message) from cause
                if pause is None:
                    raise CrawlFailed(
                        f"{self.place} has taken no items for {self.retry:g} s ({message}); a job continues later"
                    ) from cause
                if not is_away:
                    log.warning("%s takes no items (%s): they wait for it, up to %g s", self.place, message, self.retry)
                is_away = True
                self._ending.wait(pause)
        if is_away:
            log.warning("%s takes items again", self.place)
        self._cursor = after

    def _write(self, rows: Sequence[Row], after: Cursor) -> None:
        """Write rows with the cursor after them, unless the last connection ended when they had been stored."""
        if self._connection is None:
            self._connection = self.connect()
            if self.cursor(self._connection, after.id) == after:
                return
        self.write(self._connection, rows, after)

    def _pauses(self) -> Iterator[float]:
        """Yield the seconds before each further attempt, until `retry` seconds have passed."""
        left, pause = self.retry, 0.1
        give_up_at = time.monotonic() + left  # an attempt may take long, too
        while left > 0 and time.monotonic() < give_up_at:
            pause = min(pause, left, 2.0)
            yield pause
            left -= pause
            pause *= 2

    def _drop(self) -> None:
        """Give up the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                self.close(connection)

    def _disconnect(self) -> None:
        with self._calling:
            self._drop()

    def _one_line(self, error: Exception) -> str:
        """Return the first line of an error of a library, without secrets."""
        text = str(error).strip().partition("\n")[0] or type(error).__name__
        return redact(hide_secrets_of(self._address, text))

    def _shown(self, error: Exception) -> Exception | None:
        """Return an error of a library as a cause; `None` if its message repeats a secret of the URL."""
        return error if hide_secrets_of(self._address, str(error)) == str(error) else None
