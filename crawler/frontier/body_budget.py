"""`BodyBudget`: how many bytes of large bodies may be in memory at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio
from msgspec import Struct

from crawler.frontier.ticket import PageTicket

if TYPE_CHECKING:
    from crawler.frontier.ticket import StartTicket

__all__ = ["LARGE_BODY", "BodyBudget", "BodyReservation"]

LARGE_BODY: Final = 1024 * 1024
"""Bytes. Smaller bodies are not counted: no more than `workers` of them are in memory."""


class BodyBudget:
    """Reserves memory for large bodies, from when they turn out to be large until their pages are settled.

    A body waits until all of it fits, so each body that was begun can be completed. Bodies wait in the order in which
    they asked. No request starts while one waits, nor if bodies of the usual size would exceed the limit.
    """

    def __init__(self, limit: int, changed: Callable[[], object]) -> None:
        self._limit = limit
        self._changed = changed
        self._held: dict[StartTicket, int] = {}
        self._reserved = 0
        self._waiting: dict[StartTicket, tuple[int, trio.Event]] = {}
        self._usual = 0.0  # bytes of a large body, times the share of responses that have one

    def reservation(self, ticket: StartTicket) -> BodyReservation:
        """Return the reservation of a ticket, which holds nothing before the body turns out to be large."""
        return BodyReservation(self, ticket)

    def admits(self, in_flight: int) -> bool:
        """Return whether one more request may start in addition to those in flight."""
        if not in_flight or not (self._usual or self._held):
            return True
        unknown = in_flight - len(self._held) + 1
        return not self._waiting and self._reserved + unknown * self._usual <= self._limit

    def note(self, size: int) -> None:
        """Learn the usual size from a body of `size` bytes."""
        if self._usual or size > LARGE_BODY:
            # over the last eight bodies or so
            usual = self._usual + 0.125 * ((size if size > LARGE_BODY else 0) - self._usual)
            self._usual = usual if usual > 1 else 0.0

    def reserve(self, ticket: StartTicket, size: int) -> trio.Event | None:
        """Reserve memory for the body of a ticket.

        A ticket that has a part of the budget already gets more at once, and so does an inline fetch: the page that
        waits for it may have the rest of the budget.

        Returns an event that is set when there is memory. `None` if there is.
        """
        is_free = ticket in self._held or not isinstance(ticket, PageTicket)
        if is_free or (not self._waiting and self._fits(size)):
            self.resize(ticket, size)
            return None
        granted = trio.Event()
        self._waiting[ticket] = (size, granted)
        return granted

    def resize(self, ticket: StartTicket, size: int) -> None:
        """Set the reserved size of a ticket."""
        self._waiting.pop(ticket, None)
        self._reserved += size - self._held.get(ticket, 0)
        self._held[ticket] = size
        self._grant()

    def release(self, ticket: StartTicket) -> None:
        """Release what a ticket has reserved, or remove it from the queue."""
        if ticket in self._held or ticket in self._waiting:
            self._waiting.pop(ticket, None)
            self._reserved -= self._held.pop(ticket, 0)
            self._grant()
            self._changed()

    def _fits(self, size: int) -> bool:
        return not self._held or self._reserved + size <= self._limit

    def _grant(self) -> None:
        """Grant memory to the waiting bodies that fit now, in order."""
        while self._waiting:
            ticket, (size, granted) = next(iter(self._waiting.items()))
            if not self._fits(size):
                return
            del self._waiting[ticket]
            self._reserved += size
            self._held[ticket] = size
            granted.set()


class BodyReservation(Struct, eq=False):
    """The memory that one ticket reserves for its body."""

    budget: BodyBudget
    ticket: StartTicket
    complete_by: float = math.inf
    """Deadline of the request, in seconds on trio's clock."""

    def reserve(self, size: int) -> trio.Event | None:
        """Reserve memory for a body of `size` bytes; see `BodyBudget.reserve`."""
        return self.budget.reserve(self.ticket, size)

    def resize(self, size: int) -> None:
        """Set the reserved size to that of the body, in bytes."""
        self.budget.resize(self.ticket, size)
