"""Why a server of PostgreSQL has refused a connection, as its SQLSTATE.

libpq has no SQLSTATE of a connection that was not made, only a message in the language of the server. What the server
sends is read from a trace of another attempt.
"""

from __future__ import annotations

import os
import re
import select
import tempfile
from typing import Final

import psycopg
from psycopg import pq

__all__ = ["sqlstate_of_refusal"]

TIMEOUT: Final = 5.0
"""Seconds for each message of the server."""
ERROR: Final = re.compile(rb'^B\t\d+\tErrorResponse\t.* C "([0-9A-Z]{5})"', re.MULTILINE)
"""The answer of the server in a trace."""


def sqlstate_of_refusal(conninfo: str) -> str | None:
    """Try to connect, and return the SQLSTATE with which the server refuses; `None` if it does not. This blocks."""
    libpq = pq.PGconn.connect_start(conninfo.encode())
    try:
        with tempfile.TemporaryFile() as trace:
            libpq.trace(os.dup(trace.fileno()))  # libpq closes it
            libpq.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
            _connect(libpq)
            libpq.untrace()
            trace.seek(0)
            found = ERROR.findall(trace.read())
    except (psycopg.Error, OSError):  # no socket, or not a system on which psycopg can trace
        return None
    finally:
        libpq.finish()
    return found[-1].decode() if found else None


def _connect(libpq: pq.abc.PGconn) -> None:
    while (state := libpq.connect_poll()) in (pq.PollingStatus.READING, pq.PollingStatus.WRITING):
        sockets = [libpq.socket]
        is_reading = state == pq.PollingStatus.READING
        if not any(select.select(sockets if is_reading else [], [] if is_reading else sockets, [], TIMEOUT)):
            return
