"""`History`: the facts about a request on which a decision depends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from crawler.frontier import StartTicket
    from crawler.limits.trouble import Outage
    from crawler.messages import Request

__all__ = ["History"]

MAX_REFUSED_ALONE: Final = 60.0
"""Seconds without a success, stated waits not included, after which the server is believed to refuse only some
requests: it served others between two refusals of each of them, and nothing else is left."""
MAX_REFUSED_BESIDE_OTHERS: Final = 3600.0
"""The same where requests are left that it has refused since the last success only."""
MIN_CHAIN: Final = 2
"""Pages in a row that were each the only known one, in a chain."""
MIN_SERVED: Final = 20
"""Requests that it has served since the first refusal of such a request, at least."""
REFUSED_WINDOWS: Final = 8.0
"""Learned windows by which these times are longer."""


class History(Struct, kw_only=True, eq=False):
    """The facts about a request, except the result of its last attempt."""

    request: Request
    """The request."""
    attempts: int
    """Number of attempts so far, including the last one."""
    refusals: int = 0
    """Number of times that its server refused it because of too many requests."""
    stale: int = 0
    """Number of times that it was sent on a kept connection that the server had closed."""
    put_offs: int = 0
    """Number of times that its page was put off."""
    unreachable: int = 0
    """Number of times that its host could not be reached."""
    failed_share: float = 0.0
    """Share of the latest requests of its lane that failed; 0 if few are known."""
    was_rate_limited: bool = False
    """Whether the last response was a refusal because of too many requests, whatever its status."""
    outage: Outage | None = None
    """The known outage of the host, if only its gateway has answered."""
    is_refused_with_all: bool = False
    """Whether the server served nothing between this refusal and the last one. Then it says nothing about this page."""
    is_refused_alone: bool = False
    """Whether the server refuses this request, and no limit: it has served others between two refusals of it, and has
    served nothing for long."""
    unserved_for: float = 0.0
    """Seconds for which its server has refused everything; 0 for an inline fetch. Stated waits are not included."""
    is_passed: bool = False
    """Whether it has served others between two refusals of this one."""
    has_untried: bool = False
    """Whether other requests of the lane are left that the server has never refused."""
    waits_in_vain: int = 0
    """Number of earlier waits for this server after which the page failed and others were served."""
    given_up: int = 0
    """Pages that had failed in this way since the last success when this one was first refused."""
    is_chain: bool = False
    """Whether each of the last pages was the only one that was known, as it links to the next, and none was broken."""
    window: float = 0.0
    """Seconds of the window of the limit to which such a refusal is due, as far as is known; 0: none is known, or the
    server has never served a request that it had refused."""
    has_others: bool = False
    """Whether other requests of the lane are waiting."""
    has_served: bool = False
    """Whether the server has ever served a request."""
    lane_waits: float = 0.0
    """Seconds until the limits let a request start again."""
    stated_wait: float = 0.0
    """Seconds for which all requests wait as the server has stated; 0: it has not, or too many were in flight."""
    is_stalled: bool = False
    """Whether the server has refused everything for so long that a retry is of no use."""

    @classmethod
    def of(cls, ticket: StartTicket, attempts: int, now: float) -> History:
        """Return the history of a request after an attempt.

        Parameters:
            ticket: The attempt, whose result the limits know.
            attempts: Number of attempts, including this one.
            now: Seconds since the epoch.
        """
        pending = ticket.pending
        history = cls(
            request=pending.request,
            attempts=attempts,
            refusals=pending.refusals,
            stale=pending.stale,
            put_offs=pending.put_offs,
            unreachable=pending.unreachable,
        )
        history.observe(ticket, now)
        history.note_passed(ticket, now)
        return history

    def note_passed(self, ticket: StartTicket, now: float) -> None:
        """Note whether the server refuses only some pages, after an attempt; parameters as of `of`."""
        refused_by, pending = ticket.permit.refused_by, ticket.pending
        if refused_by is None:
            return
        budget = refused_by.refusal_budget
        if pending.refused_at == -math.inf:
            pending.served_before, pending.given_up_before = budget.served, budget.given_up
        elif pending.refused_at < budget.served_start:
            pending.is_passed = True
        pending.refused_at = now
        ticket.lane.tried.add(pending.order)
        self.unserved_for, self.is_passed = budget.refused_for(now), pending.is_passed
        self.has_untried, self.waits_in_vain = ticket.lane.has_untried(), budget.waits_in_vain
        self.given_up = pending.given_up_before
        self.is_chain = ticket.lane.served_alone >= MIN_CHAIN and not budget.has_broken_pages
        self.window = refused_by.learned_window() if budget.serves_refused else 0.0
        is_certain = budget.served - pending.served_before >= MIN_SERVED and not budget.serves_refused
        if refused_by is ticket.permit.lane and pending.is_passed and is_certain and not refused_by.is_explained():
            longest = MAX_REFUSED_BESIDE_OTHERS if ticket.lane.has_unpassed() else MAX_REFUSED_ALONE
            longest += REFUSED_WINDOWS * refused_by.learned_window()
            self.is_refused_alone = budget.refused_for(now) > longest

    def observe(self, ticket: StartTicket, now: float) -> None:
        """Take over what the limits and the outages have made of an attempt.

        Parameters:
            ticket: The attempt, whose result the limits know.
            now: Seconds since the epoch.
        """
        refused_by = ticket.permit.refused_by
        self.failed_share = ticket.permit.lane.failed_share
        self.was_rate_limited = refused_by is not None
        self.is_refused_with_all = refused_by is not None and refused_by.refusal_budget.refuses_all
        if refused_by is not None:
            wait = refused_by.ready_at(now) - now
            self.lane_waits = max(0.0, wait) if wait < math.inf else 0.0
            self.has_served = refused_by.refusal_budget.has_served
            self.has_others = len(ticket.lane) > 0 or ticket.lane.more
        self.stated_wait = 0.0 if refused_by is None else refused_by.stated_wait(now)
        self.window = 0.0 if refused_by is None else refused_by.learned_window()
        self.is_stalled = refused_by is not None and refused_by.is_stalled(now)
        self.outage = ticket.outage
