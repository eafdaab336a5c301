"""`Inspection`: when libcurl checks all its connections, and which of them receive framing without end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import pycurl
import trio

from crawler.transport.framing_watch import FramingWatch
from crawler.transport.transfer import Transfer

__all__ = ["Inspection"]

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
