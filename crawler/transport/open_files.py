"""The system's limit on open files, raised as far as it allows, and the connections that fit into it."""

from __future__ import annotations

import contextlib
import math
from typing import Final

import trio
from msgspec import Struct

from crawler.errors import ConfigError
from crawler.logs import get_logger

__all__ = ["ConnectionLimits", "TransferRoom", "connection_limits", "raise_open_file_limit"]

WANTED: Final = 65_536
"""Open files that are asked for: more than any crawl needs. Some programs iterate over all that are possible."""


MIN_OPEN_FILES: Final = 64
"""The least limit with which a crawl can run: the sockets, and some thirty files of Python, job and outputs."""
log = get_logger("crawler.transport")


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """How many connections a transport may have."""

    transfers: int
    """Requests in libcurl's hands. Connecting takes two sockets if a host has addresses of both kinds."""
    kept: int
    """Connections kept for further requests."""
    total: int
    """Connections, including those being closed."""


class TransferRoom:
    """Keeps the transfers within the limit on open files: further requests wait until one has ended."""

    def __init__(self, max_kept: int) -> None:
        allowed = raise_open_file_limit()
        if allowed < MIN_OPEN_FILES:
            message = f"this process may open {allowed} files, but needs {MIN_OPEN_FILES} or more: raise ulimit -n"
            raise ConfigError(message)
        self.size: float = math.inf
        """Transfers at once, at most; infinite until `measure` was called."""
        self._max_kept = max_kept
        self._waiting = trio.lowlevel.ParkingLot()
        self._has_warned = False

    def measure(self) -> ConnectionLimits:
        """Find out how many connections fit into the limit now, and return it."""
        limits = connection_limits(raise_open_file_limit(), self._max_kept)
        self.size = limits.transfers
        return limits

    async def wait(self, until: float) -> bool:
        """Wait until a transfer ends. Return whether one has, before a time on trio's clock."""
        if not self._has_warned:
            self._has_warned = True
            message = "%d requests at once are as many as the limit on open files allows: raise it (ulimit -n)"
            log.warning(message, self.size)
        with trio.CancelScope(deadline=until):
            await self._waiting.park()
            return True
        return False

    def leave(self) -> None:
        """Let the next request have the room of a transfer that has ended or could not be sent."""
        if self._waiting:
            self._waiting.unpark()

    def leave_all(self) -> None:
        """Let all requests look again: all transfers have ended."""
        self._waiting.unpark_all()


def connection_limits(open_files: int, max_kept: int) -> ConnectionLimits:
    """Return the connections that fit into a limit on open files."""
    # 128 open files are left to outputs, the job, lookups and libraries, and 32 sockets to a transport in any case.
    sockets = max(open_files - 128, 32)
    return ConnectionLimits(transfers=sockets // 2, kept=min(max_kept, sockets // 2), total=sockets * 3 // 4)


def raise_open_file_limit() -> int:
    """Raise the soft limit on open files of this process up to 65,536 or its hard limit, and return it.

    Where the system does not state a limit, the smallest usual one is assumed: 256.
    """
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return 256  # the limit that is assumed if the system does not say it
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return WANTED if soft == resource.RLIM_INFINITY else soft
    with contextlib.suppress(OSError, ValueError):  # macOS allows less than its hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
