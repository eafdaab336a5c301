"""`Connection`: a connection to PostgreSQL that waits in trio.

psycopg connects; then libpq itself is used through `psycopg.pq`: a call sends one prepared statement with binary
parameters, and waits for the socket as any other task does.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import psycopg
import trio
from psycopg import pq

from crawler_plugins.stores.postgres.refusal import sqlstate_of_refusal

__all__ = ["Connection", "Parameter", "Row", "Statement"]

Parameter: TypeAlias = bytes | None
"""A value in the binary format of its type."""
Row: TypeAlias = tuple[bytes | None, ...]
"""The values of a row, in the binary formats of their types."""
BINARY: Final = 1
"""The number of the binary format."""
GOOD: Final = frozenset({pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK})


class Statement:
    """A statement that each connection prepares at its first use.

    Parameters:
        text: SQL with parameters ``$1``, ``$2`` and so on.
    """

    def __init__(self, text: str) -> None:
        self.text = text.encode()
        self.name = f"s{id(self):x}".encode()


class Connection:
    """A connection to PostgreSQL in autocommit mode: each call is a transaction. Calls wait for each other.

    Parameters:
        connection: A connection of psycopg that no other code uses.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._libpq = connection.pgconn
        self._libpq.nonblocking = 1
        self._lock = trio.Lock()
        self._prepared: set[bytes] = set()

    @classmethod
    async def open(cls, conninfo: str) -> Connection:
        """Connect, in a thread, since looking up a host name blocks.

        Raises:
            psycopg.Error: The server cannot be reached, or refuses the connection.
        """
        opening = _Opening(conninfo)
        try:
            return cls(await trio.to_thread.run_sync(opening.connect, abandon_on_cancel=True))
        except trio.Cancelled:
            opening.abandon()
            raise

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended, or was closed."""
        return bool(self._libpq.status == pq.ConnStatus.BAD)

    def close(self) -> None:
        """Close the connection. The server rolls back what is not committed."""
        self._connection.close()

    async def run(self, statement: Statement, parameters: Sequence[Parameter] = ()) -> list[Row]:
        """Run a statement, and return the rows that it selects. If the call is cancelled, the connection is closed.

        Raises:
            psycopg.Error: The server reports an error, or the connection has ended.
        """
        async with self._lock:
            libpq = self._libpq
            try:
                if statement.name not in self._prepared:
                    libpq.send_prepare(statement.name, statement.text)
                    await self._results()
                    self._prepared.add(statement.name)
                libpq.send_query_prepared(statement.name, parameters, [BINARY] * len(parameters), BINARY)
                return _rows(await self._results())
            except psycopg.errors.DatabaseError:
                raise
            except BaseException:
                self.close()
                raise

    async def run_script(self, script: str) -> None:
        """Run several statements without parameters in one transaction.

        Raises:
            psycopg.Error: The server reports an error, or the connection has ended.
        """
        async with self._lock:
            try:
                self._libpq.send_query(script.encode())
                await self._results()
            except psycopg.errors.DatabaseError:
                raise
            except BaseException:
                self.close()
                raise

    async def notified(self) -> None:
        """Wait until the server sends a notification, and take all that have come. No call may run meanwhile.

        Raises:
            psycopg.OperationalError: The connection has ended.
        """
        async with self._lock:
            while not self._take_notifications():
                await trio.lowlevel.wait_readable(self._libpq.socket)
                self._libpq.consume_input()

    def _take_notifications(self) -> bool:
        found = False
        while self._libpq.notifies() is not None:
            found = True
        return found

    async def _results(self) -> list[pq.abc.PGresult]:
        """Wait for the results of what was sent, and raise the error of one that failed."""
        libpq = self._libpq
        while libpq.flush():
            async with trio.open_nursery() as nursery:  # the server may need its answer read before it reads on
                nursery.start_soon(self._until_readable, nursery.cancel_scope)
                await trio.lowlevel.wait_writable(libpq.socket)
                nursery.cancel_scope.cancel()
        results: list[pq.abc.PGresult] = []
        while True:
            while libpq.is_busy():
                await trio.lowlevel.wait_readable(libpq.socket)
                libpq.consume_input()
            result = libpq.get_result()
            if result is None:
                break
            results.append(result)
        for result in results:
            if result.status not in GOOD:
                raise psycopg.errors.error_from_result(result, encoding="utf-8")
        return results

    async def _until_readable(self, scope: trio.CancelScope) -> None:
        await trio.lowlevel.wait_readable(self._libpq.socket)
        self._libpq.consume_input()
        scope.cancel()


class _Opening:
    """A connection that is made in a thread, and closed there if it is no longer needed."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._lock = threading.Lock()
        self._abandoned = False
        self._made: psycopg.Connection[Any] | None = None

    def connect(self) -> psycopg.Connection[Any]:
        """Connect. An error has the SQLSTATE of the server, if it has answered."""
        try:
            connection = psycopg.connect(self._conninfo, autocommit=True)
        except psycopg.OperationalError as error:
            error.sqlstate = error.sqlstate or sqlstate_of_refusal(self._conninfo)
            raise
        with self._lock:
            self._made = connection
            if self._abandoned:
                connection.close()
        return connection

    def abandon(self) -> None:
        """Close the connection, now or once it is made."""
        with self._lock:
            self._abandoned = True
            if self._made is not None:
                self._made.close()


def _rows(results: Sequence[pq.abc.PGresult]) -> list[Row]:
    result = results[-1]
    columns = range(result.nfields)
    return [tuple([result.get_value(row, column) for column in columns]) for row in range(result.ntuples)]
