"""`Pending`: a request that waits. `Ticket`: permission to process a request now; it is settled or put back once.

::

    Ticket ─┬─ StartTicket ─┬─ PageTicket      the store has the request, and its page is parsed
            │               ├─ RobotsTicket    the robots.txt of an origin is needed first
            │               └─ InlineTicket    a handler or plugin fetches in place
            └─ RefusedTicket                   the request must not be sent; the store has it
"""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct

from crawler.messages import Request

if TYPE_CHECKING:
    from crawler.errors import RequestError
    from crawler.frontier.lane import Lane
    from crawler.limits.permit import Permit
    from crawler.outages.failed_attempt import Outage

__all__ = [
    "START", "InlineTicket", "Order", "PageTicket", "Pending", "PoppedTicket", "RefusedTicket",
    "RobotsTicket", "StartTicket", "StoredTicket", "Ticket", "current_ticket",
]  # fmt: skip

Order: TypeAlias = tuple[int, int]
"""The place of a request on its lane, which the store assigns for good: (tier, sequence), lower first."""
START: Final[Order] = (-(2**63), -1)
"""Before every place."""


class Pending(Struct, order=True):
    """A request that the store keeps until it is settled, and the ledger of its attempts."""

    order: Order
    """Its place on its lane."""
    request: Request
    """The request to be sent."""
    group: str
    """The name of its lane."""
    attempts: int = 0
    """Attempts made so far."""
    free: tuple[str, ...] = ()
    """Why it was sent again in this run without using up an attempt, once for each time; see `book`."""
    first_failed_at: float | None = None
    """When it failed for the first time in this run, in seconds since the epoch."""
    not_before: float = -math.inf
    """The earliest time of the next attempt, in seconds since the epoch."""
    is_behind: bool = False
    """Whether others of its lane go first."""
    refused_at: float = math.inf
    """When its latest refusal was received, in seconds since the epoch; infinite: it was never refused."""

    is_forbidden: bool = False
    """Whether that was a 403 that said nothing, while the server served a page that it had served before."""
    is_alone: bool = True
    """Whether it was the only request of its lane, waiting or in flight, whenever it was refused."""

    def book(self, reason: str) -> None:
        """Book why it is sent again: that used up an attempt, or not."""
        if reason == "attempt":
            self.attempts += 1
        elif reason != "waits" and self.free.count(reason) < 20:  # as many as count for anything
            self.free += (reason,)


class Ticket(Struct, eq=False):
    """Permission to process one request now."""

    pending: Pending
    """The request, and its history."""
    lane: Lane
    """The lane of the request."""
    epoch: int
    """The lease under which it was issued. A commit under an older lease changes nothing."""
    now: float
    """When it was issued, in seconds since the epoch."""

    @property
    def request(self) -> Request:
        """The request to be sent, or refused."""
        return self.pending.request


class RefusedTicket(Ticket):
    """A request that must not be sent. It takes nothing of its lane."""

    by: Literal["robots", "quota", "outage"]
    """The reason of the refusal: a robots.txt, a limit that has refused everything for so long that another attempt is
    pointless, or an outage that has lasted too long."""
    error: RequestError | None = None
    """Why; `None`: its robots.txt says that."""


class StartTicket(Ticket):
    """A request that may be sent. It borrows a token of its lane's limiter while it is in flight."""

    permit: Permit
    """The units and the start that it takes from the limits of its lane and budgets."""
    outage: Outage | None = None
    """The known outage of the host, if only its gateway has answered."""
    is_lent: bool = False
    """Whether an inline fetch of a `fetch` hook uses its token."""

    def mark_sent(self, at: float) -> None:
        """Record that bytes of the request were sent at `at` (seconds since the epoch)."""
        self.permit.sent(at)

    @property
    def is_sent(self) -> bool:
        """Whether bytes of the request were sent. If so, pace and quota are spent."""
        return self.permit.sent_at is not None

    @property
    def was_rate_limited(self) -> bool:
        """Whether the server refused the request because of too many requests."""
        return self.permit.refused_by is not None


class PageTicket(StartTicket):
    """A request of the store."""

    kept: Any = None
    """What its attempt gave, if its page may have to be handled again: then nothing is sent."""


class RobotsTicket(StartTicket, kw_only=True):
    """The request for a robots.txt, which the store does not have."""

    origin: str
    """The origin that the robots.txt is for."""


class InlineTicket(StartTicket):
    """A request that is made in place by a handler or plugin, which the store does not have."""

    lender: StartTicket | None = None
    """The attempt whose token it uses, if a `fetch` hook makes it."""


StoredTicket: TypeAlias = PageTicket | RefusedTicket
"""A ticket whose request the store has, so its result is committed."""
PoppedTicket: TypeAlias = PageTicket | RobotsTicket | RefusedTicket
"""A ticket that `Frontier.pop` returns."""

current_ticket: ContextVar[StoredTicket | None] = ContextVar("current_ticket", default=None)
"""The ticket that the worker of this task works on, if the task is a worker."""
