"""`Connection`: psycopg's asynchronous connection to PostgreSQL, which waits in trio instead of asyncio."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any, Self, TypeAlias, TypeVar

import psycopg
import trio
import trio_util
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait

from crawler_plugins.stores.postgres.refusal import sqlstate_of_refusal

__all__ = ["Connection", "Row"]

Row: TypeAlias = tuple[Any, ...]
T = TypeVar("T")


class Connection(psycopg.AsyncConnection[Row]):
    """A connection in autocommit mode: each call is a transaction. Calls wait for each other. Use `open`."""

    def __init__(self, pgconn: pq.abc.PGconn) -> None:
        super().__init__(pgconn)
        self.lock: Any = trio.Lock()
        self.cursor_factory = psycopg.AsyncRawCursor  # parameters $1, $2 and so on
        self.prepare_threshold = 0
        self._opened: psycopg.Connection[Any] | None = None

    @classmethod
    async def open(cls, conninfo: str) -> Self:
        """Connect, in a thread, since looking up a host name blocks."""
        abandoned = threading.Event()
        try:
            made = await trio.to_thread.run_sync(_connect, conninfo, abandoned, abandon_on_cancel=True)
        except trio.Cancelled:
            abandoned.set()
            raise
        connection = cls(made.pgconn)
        connection._opened = made  # whose end would end what both share
        await connection.set_autocommit(True)
        return connection

    def end(self) -> None:
        """Close the connection at once. The server rolls back what is not committed."""
        self.pgconn.finish()

    async def run(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a statement, which is prepared at its first use, and return the rows that it selects."""
        cursor = await self.execute(statement.encode(), parameters, binary=True)
        return await cursor.fetchall() if cursor.description else []

    async def run_script(self, script: str) -> None:
        """Run several statements without parameters in one transaction."""
        await self.execute(script.encode(), prepare=False)

    async def notified(self) -> None:
        """Wait until the server sends a notification, and take all that have come. No call may run meanwhile."""
        async for _ in self.notifies(stop_after=1):
            pass

    async def wait(
        self,
        gen: PQGen[T],
        interval: float = 0.0,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's own
    ) -> T:
        """Wait for the socket as psycopg asks. If the wait for an answer is cancelled, the connection is closed."""
        try:
            wanted = next(gen)
            while True:
                wanted = gen.send(await self._ready(wanted))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            if self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                self.end()

    async def _ready(self, wanted: Wait) -> Ready:
        socket = self.pgconn.socket
        if wanted == Wait.R:
            await trio.lowlevel.wait_readable(socket)
            return Ready.R
        # To write, the server may need its answer read first. To try what the socket is not ready for does no harm.
        await trio_util.wait_any(
            partial(trio.lowlevel.wait_readable, socket), partial(trio.lowlevel.wait_writable, socket)
        )
        return Ready.RW


def _connect(conninfo: str, abandoned: threading.Event) -> psycopg.Connection[Any]:
    """Connect. An error has the SQLSTATE of the server, if it has answered."""
    try:
        connection = psycopg.connect(conninfo)
    except psycopg.OperationalError as error:
        error.sqlstate = error.sqlstate or sqlstate_of_refusal(conninfo)
        raise
    if abandoned.is_set():
        connection.close()
    return connection
