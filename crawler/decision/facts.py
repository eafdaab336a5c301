"""`Facts`: what else a decision depends on, beside the result of the attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from crawler.frontier import StartTicket
    from crawler.limits.refusal_budget import Refusal
    from crawler.messages import Request
    from crawler.outages.failed_attempt import Outage

__all__ = ["MAX_FREE", "Facts", "Sender"]

Sender: TypeAlias = Literal["page", "inline", "robots", "client"]
"""What gets the response: a callback, the caller of an inline fetch, the rules of a robots.txt, that of a client."""
MAX_FREE: Final = {"refused": 5, "stale": 8, "unreachable": 20, "put_off": 20, "logged_out": 20}
"""How often a request is sent again for each of these reasons without using up an attempt: ``refused`` while its lane
serves others, so that its page is rather broken than limited after that; ``stale`` as often as a lane has connections,
all of which its server may have closed; the others as often as no page needs that is not the reason itself."""


class Facts(Struct, kw_only=True, eq=False):
    """The facts about a request after an attempt."""

    request: Request
    """The request."""
    attempts: int
    """Attempts so far, including this one, without those that were free."""
    free: tuple[str, ...] = ()
    """Why it was sent again before without using up an attempt, once for each time."""
    sender: Sender = "page"
    """What gets the response."""
    is_sent: bool = True
    """Whether it was sent at all; if not, the result says why not."""
    refusal: Refusal | None = None
    """What the limits know, if the server has just refused it because of too many requests, whatever the status."""
    outage: Outage | None = None
    """The known outage of the host, if only its gateway has answered."""
    failed_share: float = 0.0
    """Share of the latest requests of its lane that failed at random; 0 if few are known."""

    @classmethod
    def of(cls, ticket: StartTicket, attempts: int, now: float, *, sender: Sender = "page") -> Self:
        """Return the facts after an attempt, whose result the limits know."""
        pending, lane = ticket.pending, ticket.lane
        permit, refusal = ticket.permit, None
        if permit.refused_by is not None:
            has_others = len(lane) > 0 or lane.more
            pending.is_alone = pending.is_alone and not has_others
            is_left = not (pending.is_alone or (has_others and lane.has_unrefused()))
            refusal = permit.judge_refusal(
                now, pending.refused_at, was_forbidden=pending.is_forbidden, has_others=has_others, is_left=is_left
            )
            pending.refused_at, pending.is_forbidden = now, permit.is_forbidden
        return cls(
            request=pending.request,
            attempts=attempts,
            free=pending.free,
            sender=sender,
            refusal=refusal,
            outage=ticket.outage,
            failed_share=permit.lane.failed_share,
        )

    def may_go_free(self, reason: str) -> bool:
        """Return whether the request may be sent again for this reason without using up an attempt."""
        return self.free.count(reason) < MAX_FREE[reason]
