"""`Pending`: a request that waits. `Ticket`: the right to fetch one, handed out once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from crawler.messages import Request

if TYPE_CHECKING:
    from crawler.frontier.lane import Lane
    from crawler.limits.permit import Permit

__all__ = ["START", "Order", "Pending", "Ticket"]

Order: TypeAlias = tuple[int, int]
"""Place of a request on its lane, given by the store and kept for good: (tier, sequence), lower first."""
START: Final[Order] = (-(2**63), -1)
"""Before every place."""


@attrs.define(eq=False)
class Pending:
    """A request that the store keeps until it is settled."""

    order: Order
    """Its place."""
    request: Request
    """What is to be asked."""
    group: str
    """The name of its lane."""
    attempts: int = 0
    """Attempts made so far."""
    put_offs: int = 0
    """How often its page was put back since a handler would have had to wait too long in place."""
    refusals: int = 0
    """How often it was refused since its server was asked too much: no attempts."""
    stale: int = 0
    """How often it met a kept connection that its server had closed meanwhile: no attempts."""
    not_before: float = -math.inf
    """Seconds: the earliest time of the next attempt."""

    def __lt__(self, other: Pending) -> bool:
        return self.order < other.order


@attrs.define(eq=False)
class Ticket:
    """A request that was handed out: the borrower of its lane's limiter."""

    pending: Pending
    """What was handed out."""
    lane: Lane
    """The lane whose token it may hold."""
    epoch: int
    """The lease under which it was handed out; a commit under an older one changes nothing."""
    now: float
    """Seconds: when it was handed out."""
    permit: Permit
    """What its start takes of the lane and of budgets; of a request that may not be made, it is not taken."""
    page: bool = True
    """Whether the store knows the request; a robots.txt or an inline fetch it does not."""
    robots: str = ""
    """Not empty: this is the fetch of the robots.txt of that origin."""
    refused: str = ""
    """Not empty: the request may not be made; who says so. Such a ticket holds no token and took no pace."""
    holds: bool = False
    """Whether it holds a token of its lane."""

    def go_out(self, at: float) -> None:
        """Its bytes go out, at this time (seconds)."""
        self.permit.sent(at)

    def is_paced(self) -> bool:
        """Whether its start had to keep a distance to another."""
        return self.permit.is_paced()

    @property
    def request(self) -> Request:
        """What is to be asked."""
        return self.pending.request

    @property
    def sent(self) -> bool:
        """Whether bytes went out: if so, pace and quota are spent."""
        return self.permit.sent_at is not None

    @property
    def was_refused(self) -> bool:
        """Whether the server refused it since it was asked too much."""
        return self.permit.refused_by is not None
