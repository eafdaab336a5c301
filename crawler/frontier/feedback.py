"""`Feedback`: lets the limits learn what became of a request, and reschedules its lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.frontier.ticket import PageTicket

if TYPE_CHECKING:
    from crawler.frontier.body_budget import BodyBudget
    from crawler.frontier.budget import Budgets
    from crawler.frontier.schedule import Schedule
    from crawler.frontier.ticket import StartTicket
    from crawler.headers import Fields
    from crawler.limits.events import QuotaEvent

__all__ = ["Feedback"]


class Feedback:
    """Passes on to the permit of a start what the transport has seen."""

    def __init__(self, budgets: Budgets, schedule: Schedule, bodies: BodyBudget) -> None:
        self._budgets = budgets
        self._schedule = schedule
        self._bodies = bodies
        self.reports_sending = False
        """Whether `sent` is called as soon as bytes of a request go out."""

    def sent(self, ticket: StartTicket, at: float) -> None:
        """Note that bytes of a request went out at `at` (seconds since the epoch); see `Permit.sent`."""
        if ticket.permit.sent(at) and self.reports_sending:  # the next start has waited for this
            self._schedule.advance_clock(at)
            self._reschedule(ticket)

    def answered(
        self,
        ticket: StartTicket,
        now: float,
        *,
        status: int,
        headers: Fields,
        body: bytes,
        first_byte: float | None,
    ) -> list[QuotaEvent]:
        """Let the limits learn from a response; see `Permit.answered`."""
        self._schedule.advance_clock(now)
        self._bodies.note(len(body))
        events = ticket.permit.answered(now, status=status, headers=headers, body=body, first_byte=first_byte)
        if isinstance(ticket, PageTicket) and ticket.permit.refused_by is None:
            pending, throttle = ticket.pending, ticket.permit.lane
            ticket.lane.record_served()
            if status < 500 and (pending.attempts or throttle.retried is not None):
                throttle.record_page(pending.attempts)
        self._reschedule(ticket)
        return events

    def failed(self, ticket: StartTicket, now: float, *, overloaded: bool) -> None:
        """Let the limits learn that there was no response; see `Permit.failed`."""
        self._schedule.advance_clock(now)
        ticket.permit.failed(now, overloaded=overloaded)
        self._reschedule(ticket)

    def refused(self, ticket: StartTicket, now: float) -> list[QuotaEvent]:
        """Let the limits learn from a refusal without a response; see `Permit.refused`."""
        self._schedule.advance_clock(now)
        events = ticket.permit.refused(now)
        self._reschedule(ticket)
        return events

    def refund(self, ticket: StartTicket) -> None:
        """Refund a start if nothing was sent; see `Permit.cancelled`."""
        ticket.permit.cancelled()
        self._reschedule(ticket)

    def _reschedule(self, ticket: StartTicket) -> None:
        """Reschedule the lane and the budgets of a ticket after a change of their limits."""
        for throttle, _ in ticket.permit.budgets:
            self._schedule.offer_budget(self._budgets[throttle.name])
        self._schedule.wake(ticket.lane)
