"""`Server`: runs calls in the database of a job, and connects again as often as it takes.

A call that may have taken effect before the connection was lost is made again: the functions of the database notice.
A database that has lost what it acknowledged ends the worker: it believes requests to be settled that are not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg
import trio

from crawler import JobError, JobLost, LeaseLost
from crawler.store import get_logger, hide_secrets_of
from crawler_plugins.stores.postgres.address import Address
from crawler_plugins.stores.postgres.connection import Connection, Row

__all__ = ["Server"]

SESSION: Final = """
SET search_path TO "{schema}"; SET jit = off; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan;
SET default_transaction_isolation = 'read committed'; SET statement_timeout = 0; SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
"""
"""The settings of each connection. Plans are made while the tables are empty, so they must use indexes. A server that
reports a commit that a crash takes back would lose requests."""
PASSING: Final = ("08", "25006", "40", "53", "57")
"""Classes and codes of SQLSTATE that another attempt may not meet: the connection, a standby, a rollback, resources, a
shutdown."""
DISK_FULL: Final = "53100"
REFUSALS: Final = ("authentication failed", "pg_hba.conf", "does not exist", "not permitted", "permission denied")
"""In the errors of a server that accepts no connection of this user, where `sqlstate_of_refusal` finds nothing."""
PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds before each further attempt; the last one repeats."""
GONE: Final = ("3F000", "42883", "42P01")
"""Codes of SQLSTATE by which a worker learns that its job was deleted: no such schema, function or table."""
LOOK: Final = """
SELECT pg_is_in_recovery(), (SELECT wrote FROM worker WHERE id = $1), (SELECT value FROM meta WHERE meta.name = 'name')
"""
log = get_logger("crawler.store")


class Server:
    """The database of a job, for one worker."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.owner: int | None = None
        """The number of the owner; `None` until it has joined."""
        self.job_name = ""
        """The name that was drawn for the job that it has joined."""
        self.acknowledged = 0
        """The number of its last call that was answered."""
        self._connection: Connection | None = None
        self._lock = trio.Lock()
        self._lost_at: float | None = None

    async def connect(self) -> Connection:
        """Connect for the first time, without further attempts, and without the settings of `Server`."""
        try:
            self._connection = await Connection.open(self.address.conninfo)
        except psycopg.Error as error:
            raise JobError(f"cannot connect to {self.address.shown}: {self.describe(error)}") from None
        return self._connection

    async def begin(self) -> None:
        """Set what each connection of a job sets."""
        assert self._connection is not None
        await self._connection.run_script(SESSION.format(schema=self.address.schema))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.end()

    async def run(self, statement: str, parameters: Sequence[Any] = ()) -> tuple[list[Row], bool]:
        """Run a statement, and return its rows, and whether an earlier attempt may have taken effect."""
        attempt = 0
        while True:
            try:
                connection = await self._connected()
                rows = await connection.run(statement, parameters)
            except psycopg.Error as error:
                if self.owner is not None and error.sqlstate in GONE:
                    raise JobLost.at(self.address.shown) from error
                if not is_passing(error):
                    raise JobError(f"{self.address.shown}: {self.describe(error)}") from error
                self._note_loss(error)
                await trio.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
                attempt += 1
            else:
                self._note_return()
                return rows, attempt > 0

    async def listen(self) -> Connection:
        """Return another connection, which receives the notifications of the job."""
        return await self._opened('LISTEN "{schema}"')

    def describe(self, error: psycopg.Error) -> str:
        """Return an error of the server as one line without secrets."""
        text = str(error).strip().partition("\n")[0] or type(error).__name__
        text = text.removeprefix("connection failed: ")
        return hide_secrets_of(self.address.conninfo, text)

    async def _connected(self) -> Connection:
        async with self._lock:
            if self._connection is None or self._connection.closed:
                connection = await self._opened(SESSION)
                try:
                    await self._check(connection)
                except BaseException:
                    connection.end()
                    raise
                self._connection = connection
            return self._connection

    async def _check(self, connection: Connection) -> None:
        """Check that the server has all commits that this owner has an answer to."""
        if self.owner is None:
            return
        [(is_standby, wrote, name)] = await connection.run(LOOK, [self.owner])
        if is_standby:
            raise psycopg.OperationalError("the server is a standby")
        if name is None or name.decode() != self.job_name:
            raise JobLost.at(self.address.shown)
        if wrote is not None and wrote < self.acknowledged:  # without a row, the owner was removed
            raise LeaseLost.with_commits(self.address.shown)

    async def _opened(self, script: str) -> Connection:
        """Return a new connection, once it has run a script."""
        connection = await Connection.open(self.address.conninfo)
        try:
            await connection.run_script(script.format(schema=self.address.schema))
        except BaseException:
            connection.end()
            raise
        return connection

    def _note_loss(self, error: psycopg.Error) -> None:
        if self._lost_at is None and not (error.sqlstate or "").startswith("40"):
            self._lost_at = time.monotonic()
            log.info("%s cannot be reached (%s): the crawl waits", self.address.shown, self.describe(error))

    def _note_return(self) -> None:
        if self._lost_at is not None:
            log.info("%s is back after %.0f s", self.address.shown, time.monotonic() - self._lost_at)
            self._lost_at = None


def is_passing(error: psycopg.Error) -> bool:
    """Return whether another attempt may succeed."""
    if not isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)):
        return False
    if error.sqlstate is None:
        return not _is_refusal(error)
    return error.sqlstate.startswith(PASSING) and error.sqlstate != DISK_FULL


def _is_refusal(error: psycopg.Error) -> bool:
    """Return whether the server rejects connections of this user, which waiting does not change."""
    if error.pgconn is not None and error.pgconn.needs_password:
        return True
    text = str(error)
    return "FATAL" in text and any(phrase in text for phrase in REFUSALS)
