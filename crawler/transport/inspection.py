"""`Inspection`: when libcurl checks all its connections, and which of them receive framing without end."""

from __future__ import annotations

import math
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeVar

import pycurl
import trio
from msgspec import Struct

from crawler.transport.transfer import Transfer

__all__ = ["ALLOWANCE", "MAX_RATIO", "FramingWatch", "Inspection", "Receiver", "is_endless", "received_on"]

MAX_EVENTS: Final = 128
"""Ready sockets and expired timers between two inspections of the connections."""
INTERVAL: Final = 0.5
"""Seconds between two inspections while libcurl has little to do."""

Connections = list[tuple[int, Transfer]]
"""File descriptors of connections, and the transfers on them."""


class Inspection:
    """Counts events and time between two inspections, and compares what connections receive with what transfers get."""

    def __init__(self) -> None:
        self.at = math.inf
        """Trio's time of the next inspection."""
        self.events = 0
        """Ready sockets and expired timers since the last one."""
        self._framing = FramingWatch()

    def is_due(self) -> bool:
        """Return whether there were enough events for an inspection, or enough time has passed."""
        return self.events >= MAX_EVENTS or trio.current_time() >= self.at

    def restart(self) -> None:
        """Begin to count events and time again."""
        self.events = 0
        self.at = trio.current_time() + INTERVAL

    def note_end(self, curl: Any, transfer: Transfer) -> None:
        """Note that a transfer has ended, before libcurl loses its handle."""
        if not transfer.owns_connection:
            self._framing.note_end(curl.getinfo(pycurl.ACTIVESOCKET), transfer)

    def find_endless(self, connections: Connections) -> list[Transfer]:
        """Return the transfers whose server sends framing without end."""
        return self._framing.find_endless(connections)

    @staticmethod
    def connections(transfers: Mapping[Any, Transfer]) -> Connections:
        """Return the connections to inspect."""
        sockets = []
        paused = set()  # what the system has received, libcurl may not have read
        for curl, transfer in transfers.items():
            if transfer.connect_only:  # it reads its connection itself
                continue
            if transfer.is_paused:
                paused.add(curl.getinfo(pycurl.ACTIVESOCKET))
            elif transfer.was_inspected or not transfer.owns_connection:
                sockets.append((curl.getinfo(pycurl.ACTIVESOCKET), transfer))
            else:
                transfer.was_inspected = True
        return [(fd, transfer) for fd, transfer in sockets if fd >= 0 and fd not in paused]


ALLOWANCE: Final = 1024 * 1024
"""Bytes of framing that every response may have."""
MAX_RATIO: Final = 32
"""Further bytes of framing for each byte of content. A byte in a chunk and a TLS record of its own has 28."""
COUNTERS: Final = {"linux": (11, slice(128, 136)), "darwin": (0x106, slice(88, 96))}
"""By system, the socket option and the place of the count of received bytes in its value: ``TCP_INFO`` and
``tcpi_bytes_received`` of Linux (include/uapi/linux/tcp.h), ``TCP_CONNECTION_INFO`` and ``tcpi_rxbytes`` of macOS
(bsd/netinet/tcp.h). On other systems the deadline of a request ends endless framing."""


def is_endless(received: int, delivered: int) -> bool:
    """Return whether the framing is endless: too many bytes were received for the bytes of content."""
    return received > ALLOWANCE + (1 + MAX_RATIO) * delivered


class Receiver(Protocol):
    """A transfer."""

    was_inspected: bool
    """Whether an earlier inspection has met it. Most transfers end before they are met twice."""

    @property
    def delivered(self) -> int:
        """Bytes of header fields and of the decoded body that it has received."""
        ...

    @property
    def owns_connection(self) -> bool:
        """Whether no other transfer uses its connection at the same time, as in HTTP/1."""
        ...


T = TypeVar("T", bound=Receiver)


class _Mark(Struct, frozen=True, eq=False):
    """An earlier state of a connection."""

    owner: Receiver | None
    received: int
    delivered: int


class FramingWatch:
    """Compares what connections receive with what their transfers get."""

    def __init__(self, received: Callable[[int], int] | None = None) -> None:
        self._received = received or received_on
        self._marks: dict[int, _Mark] = {}
        self._ended: dict[int, int] = {}  # bytes that ended transfers got on a shared connection

    def note_end(self, fd: int, transfer: Receiver) -> None:
        """Note that a transfer on a shared connection has ended."""
        self._ended[fd] = self._ended.get(fd, 0) + transfer.delivered

    def find_endless(self, transfers: Iterable[tuple[int, T]]) -> list[T]:
        """Return the transfers on connections that received too much framing since they were first seen here."""
        by_connection: dict[int, list[T]] = {}
        for fd, transfer in transfers:
            by_connection.setdefault(fd, []).append(transfer)
        earlier, self._marks = self._marks, {}
        found: list[T] = []
        for fd, together in by_connection.items():
            if any(transfer.was_inspected for transfer in together):
                now = self._mark(fd, together)
                mark = earlier.get(fd, now)
                if mark.owner is not now.owner or now.received < mark.received:  # another transfer, or connection
                    mark = now
                elif is_endless(now.received - mark.received, now.delivered - mark.delivered):
                    found += together
                self._marks[fd] = mark
            for transfer in together:
                transfer.was_inspected = True
        return found

    def _mark(self, fd: int, together: list[T]) -> _Mark:
        if together[0].owns_connection:
            return _Mark(together[0], self._received(fd), together[0].delivered)
        delivered = self._ended.get(fd, 0) + sum(transfer.delivered for transfer in together)
        return _Mark(None, self._received(fd), delivered)


def received_on(fd: int) -> int:
    """Return the bytes that a TCP connection has received; 0 if the system does not say."""
    if sys.platform not in COUNTERS:
        return 0
    option, place = COUNTERS[sys.platform]
    try:
        connection = socket.socket(fileno=fd)
    except OSError:  # it was closed
        return 0
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, option, place.stop)
    except OSError:  # it is not TCP
        return 0
    finally:
        connection.detach()
    return int.from_bytes(info[place], sys.byteorder)
