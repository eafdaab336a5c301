"""`Frontier`: the requests in memory, and the one that may start next.

Rule 1: nothing here waits. `push`, `pop`, `put_back` and `settle` return at once, do no I/O, and take `now` as an
argument, so no consumer of requests can block a producer.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Literal

from crawler import urls
from crawler.errors import Refused, RequestError
from crawler.frontier.body_budget import BodyBudget
from crawler.frontier.budget import Budgets
from crawler.frontier.lane import Lane
from crawler.frontier.lanes import Lanes, Windows
from crawler.frontier.robots import RobotsLookups
from crawler.frontier.schedule import Schedule
from crawler.frontier.ticket import (
    InlineTicket,
    PageTicket,
    Pending,
    PoppedTicket,
    RefusedTicket,
    RobotsTicket,
    StartTicket,
    StoredTicket,
    Ticket,
)
from crawler.headers import Fields
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.refusal_status import FORBIDDEN
from crawler.limits.permit import RecheckPermit
from crawler.limits.registry import Limits
from crawler.limits.throttle import Throttle
from crawler.messages import Request
from crawler.outages.outages import Outages
from crawler.settings import Settings

__all__ = ["Frontier"]


class Frontier:
    """Lanes by the time at which they may start a request."""

    def __init__(
        self,
        settings: Settings,
        *,
        max_lanes: int = 4096,
        window: int = 256,
        max_waiting: int = 8_192,
        limits: Limits | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self._obeys_robots = settings.obey_robots
        self.lanes = Lanes(self, most=max_lanes)
        """The lanes in memory, by name."""
        chance = chance or random.Random()
        self.limits = Limits(chance=chance) if limits is None else limits
        """The throttles of lanes and budgets, by name."""
        self.shares_limits = limits is not None
        """Whether other crawls and clients use these limits."""
        self.outages = Outages(settings.outage_patience, chance)
        """The hosts and proxies that are down, and the network."""
        self.starts_until = math.inf
        """Nothing starts from then on, in seconds since the epoch. Only other workers of the job make it finite."""
        self.budgets = Budgets(self.throttle, self.outages)
        """The budgets that requests have named."""
        self.schedule = Schedule(self.budgets)
        """The lanes by the time of their next start."""
        if self.shares_limits:
            self.budgets.on_new = self.schedule.watch
        self.changed = self.schedule.changed
        """Set whenever `pop` may return something else."""
        self.robots = RobotsLookups(self.lanes, start=self._start, settle=self.settle, wake=self.schedule.wake)
        """Which lane fetches which robots.txt."""
        self.bodies = BodyBudget(settings.max_active_size, self.changed.set)
        """Memory for large bodies."""
        self.open_tickets = 0
        """Tickets of pages that are neither settled nor put back."""
        self.has_issued = False
        """Whether there ever was a ticket."""
        self._again: deque[StoredTicket] = deque()
        self.reports_sending = False
        """Whether `sent` is called as soon as bytes of a request go out."""
        self.windows = Windows(self.lanes, size=window, total=max_waiting)
        """The requests in memory."""

    def advance_clock(self, now: float) -> None:
        """Set the time before lanes are opened or requests pushed; it never goes back."""
        self.schedule.advance_clock(now)

    def throttle(self, name: str) -> Throttle:
        """Return the throttle of a lane or budget, at the pace of the settings."""
        return self.limits.throttle(name, self.settings.pace)

    def detach(self) -> None:
        """Stop watching limits that are shared with others, at the end of the crawl."""
        self.schedule.unwatch_all()

    # ---- requests come -----------------------------------------------------------------------------------------------

    def push(self, fresh: Iterable[Pending]) -> None:
        """Take requests that the store has just got; those on lanes that are not in memory stay in the store."""
        share = self.windows.share()
        for pending in fresh:
            lane = self.windows.push(pending, share)
            if lane is not None:
                self.schedule.offer(lane)
        self.windows.shrink()

    def refill(self, lane: Lane, rows: Sequence[Pending], *, more: bool) -> None:
        """Take the next requests of a lane into its window; see `Windows.refill`."""
        self.windows.refill(lane, rows, more=more)
        self.schedule.offer(lane)
        self.windows.shrink()

    def reload(self, groups: Iterable[str]) -> None:
        """Read the windows of lanes again: the store has received requests of theirs that were not pushed."""
        for group in groups:
            lane = self.lanes.get(group)
            if lane is not None:
                self.windows.reload(lane)
                self.changed.set()

    # ---- tickets are issued ------------------------------------------------------------------------------------------

    def next_at(self) -> float:
        """Return when `pop` may have a ticket, in seconds since the epoch; infinite: after a change."""
        return max(self.schedule.next_at(), self.outages.network_ready_at())

    def next_wait(self) -> tuple[float, str, str]:
        """Return `next_at`, which limit keeps the next request waiting until then, and why, as `blocked_by` says."""
        first = self.schedule.first()
        if first is None or self.outages.network.breaker is not None:
            return self.next_at(), "", ""
        return self.next_at(), first.throttle.name, first.throttle.blocked_by

    def next_unserved(self, now: float) -> tuple[str, float, str, bool] | None:
        """Return which host is asked next, for how long it has served nothing, why, and whether a limit is the reason.

        `None` means that no host is, or that the log says already why it is down.
        """
        first = self.schedule.first()
        if first is None or self.outages.network.breaker is not None:
            return None
        name, budget = first.throttle.name, first.throttle.refusal_budget
        breaker = self.outages.breaker_of(name)
        if breaker is not None:
            is_beside = breaker.new_for > 0 and self.outages.network.has_answered
            return None if breaker.is_logged or is_beside else (name, breaker.down_for, str(breaker.error), False)
        why = f"status {budget.status}" if budget.status else "refused"
        if budget.status == FORBIDDEN:
            why += ", even for a page that it had served; accept_status takes them as pages"
        return name, budget.refused_for(now), why, True

    def pop(self, now: float) -> tuple[PoppedTicket | None, float]:
        """Return the next request that may start, or `None` and when to look again, in seconds since the epoch.

        Infinite means after the next change.
        """
        tickets, at = self.pop_several(now, 1)
        return (tickets[0], now) if tickets else (None, at)

    def pop_several(self, now: float, limit: int) -> tuple[list[PoppedTicket], float]:
        """Return up to `limit` requests that may start, and when to look again if there are fewer; see `pop`."""
        self.advance_clock(now)
        tickets: list[PoppedTicket] = []
        while self._again and len(tickets) < limit:
            tickets.append(self._again.popleft())
            self.open_tickets += 1
        if now >= self.starts_until:
            return tickets, math.inf
        while len(tickets) < limit:
            if self.outages.network.breaker is not None and (at := self.outages.network_ready_at()) > now:
                return tickets, at
            if not self.bodies.admits(self.open_tickets):
                return tickets, math.inf
            lane = self._known_lane(now) if self.outages.network.breaker is not None else None
            lane = lane or self.schedule.next()
            if lane is None:
                return tickets, self.schedule.next_at()
            while (ticket := self._pop(lane, now)) is not None:
                tickets.append(ticket)
                if len(tickets) == limit or not self._may_continue(now):
                    break
            self.schedule.offer(lane)
        return tickets, now

    def _known_lane(self, now: float) -> Lane | None:
        """Return the lane of a host that has answered last and may be asked: no dead host is the first probe."""
        for name in self.outages.network.latest:
            lane = self.lanes.get(name)
            if lane is not None and lane.scheduled_at <= now:
                self.schedule.remove(lane)
                return lane
        return None

    def _may_continue(self, now: float) -> bool:
        """Return whether the lane that has just started a request may start the next one: no other lane is due."""
        is_last = self.schedule.next_at() > now and self.outages.network.breaker is None
        return is_last and self.bodies.admits(self.open_tickets)

    def _pop(self, lane: Lane, now: float) -> PoppedTicket | None:
        """Issue a ticket for the next request of a lane, if it may start."""
        head = lane.head()
        ticket: PoppedTicket | None = None
        if head is not None and lane.first_at() <= now and not lane.robots.pending and not lane.is_draining:
            if self.budgets.is_stalled(lane, head.request, now):
                pending = self.windows.pop(lane, now)
                if pending is not None:
                    why = f"{lane.name} has refused everything for a long time"
                    error = Refused(why, by="quota", request=pending.request)
                    ticket = self._refuse(pending, lane, now, "quota", error)
                if not lane.more and len(lane.held) <= 1:  # the server may serve what is found next
                    lane.throttle.refusal_budget.stalled_until = -math.inf
            elif not lane.is_full() and self.budgets.ready_at(lane, head.request, now)[0] <= now:
                ticket = self._issue(lane, now)
        return ticket

    def _issue(self, lane: Lane, now: float) -> PoppedTicket | None:
        """Issue a ticket: to send the next request, to fetch its robots.txt first, or to refuse it."""
        pending = self.windows.pop(lane, now)
        if pending is None:
            return None
        if self.outages.active:
            if error := self.outages.refusal(pending.request, now):
                return self._refuse(pending, lane, now, "outage", error)
            if (at := self.outages.put_off_until(pending.request, now)) > now:
                pending.not_before = at
                self.windows.add(lane, pending)
                return None
        if self._obeys_robots:
            origin = lane.name if pending.request.lane is None else urls.origin(pending.request.url)
            rules = self.robots.rules_for(lane, origin, now)
            if rules is None:
                self.windows.add(lane, pending)
                return self.robots.ask(lane, origin, now, pending.request)
            if not pending.request.ignore_robots and not rules.allows(pending.request.url):
                return self._refuse(pending, lane, now, "robots")
        ticket = PageTicket(pending, lane, lane.epoch, now, self.budgets.permit(lane, pending.request))
        self._start(ticket)
        self.open_tickets += 1
        return ticket

    def _refuse(
        self,
        pending: Pending,
        lane: Lane,
        now: float,
        by: Literal["robots", "quota", "outage"],
        error: RequestError | None = None,
    ) -> RefusedTicket:
        self.has_issued = True
        lane.open_tickets += 1
        self.open_tickets += 1
        return RefusedTicket(pending, lane, lane.epoch, now, by, error)

    def _start(self, ticket: StartTicket) -> None:
        """Take a token of the lane, and the permit of the start."""
        lane = ticket.lane
        self.has_issued = True
        lane.limiter.acquire_on_behalf_of_nowait(ticket.permit)
        ticket.permit.enter()
        lane.note_wait(ticket.now, "")
        ticket.permit.take(ticket.now, reports=self.reports_sending)
        lane.open_tickets += 1
        if self.outages.active:
            self.outages.start(ticket, ticket.request)

    # ---- requests in place -------------------------------------------------------------------------------------------

    def ready_at(self, lane: Lane, request: Request, now: float) -> float:
        """Return when limits let a request start, in seconds since the epoch; infinite: after a change."""
        if now >= self.starts_until:
            return math.inf
        return max(self.budgets.ready_at(lane, request, now)[0], self.outages.network_ready_at())

    def inline_ticket(self, lane: Lane, request: Request, now: float, pending: Pending | None = None) -> InlineTicket:
        """Return a ticket for a request that is made in place. It holds no token, and its permit is not taken."""
        permit = self.budgets.permit(lane, request)
        return InlineTicket(pending or Pending((0, 0), request, lane.name), lane, lane.epoch, now, permit)

    def recheck_ticket(self, lane: Lane, now: float) -> InlineTicket | None:
        """Return a ticket for the last page of a lane that was served; `None`: there is none."""
        request = lane.last_page
        if request is None:
            return None
        permit = self.budgets.permit(lane, request)
        permit = RecheckPermit(permit.lane, permit.budgets, permit.cost)
        return InlineTicket(Pending((0, 0), request, lane.name), lane, lane.epoch, now, permit)

    def end_recheck(self, ticket: StartTicket, refused_by: Throttle | None = None) -> None:
        """Note which limit has refused the page that was asked for again; `None`: none, or it could not be asked."""
        ticket.permit.end_recheck(refused_by)
        self.schedule.wake(ticket.lane)

    # ---- what the limits learn ---------------------------------------------------------------------------------------

    def sent(self, ticket: StartTicket, at: float) -> None:
        """Note that bytes of a request went out at `at` (seconds since the epoch); see `Permit.sent`."""
        if ticket.permit.sent(at) and self.reports_sending:  # the next start has waited for this
            self.advance_clock(at)
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
        self.advance_clock(now)
        self.bodies.note(len(body))
        events = ticket.permit.answered(now, status=status, headers=headers, body=body, first_byte=first_byte)
        if isinstance(ticket, PageTicket) and ticket.permit.refused_by is None:
            pending, throttle = ticket.pending, ticket.permit.lane
            ticket.lane.record_served()
            if status < 300:
                if pending.is_forbidden:
                    throttle.refusal_budget.note_ban()
                if pending.request.method == "GET":
                    ticket.lane.last_page = pending.request
            if status < 500 and (pending.attempts or throttle.retried is not None):
                throttle.record_page(pending.attempts)
        self._reschedule(ticket)
        return events

    def failed(self, ticket: StartTicket, now: float, *, overloaded: bool) -> None:
        """Let the limits learn that there was no response; see `Permit.failed`."""
        self.advance_clock(now)
        ticket.permit.failed(now, overloaded=overloaded)
        self._reschedule(ticket)

    def refused(self, ticket: StartTicket, now: float) -> list[QuotaEvent]:
        """Let the limits learn from a refusal without a response; see `Permit.refused`."""
        self.advance_clock(now)
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
            self.schedule.offer_budget(self.budgets[throttle.name])
        self.schedule.wake(ticket.lane)

    # ---- results -----------------------------------------------------------------------------------------------------

    def release(self, ticket: StartTicket) -> None:
        """Release the token of a ticket, if it holds or borrows one: the body of its response has ended."""
        permit = ticket.permit
        if permit.is_in_flight:
            ticket.lane.limiter.release_on_behalf_of(permit)
            permit.leave()
            self.schedule.offer(ticket.lane)
        if isinstance(ticket, InlineTicket):
            if ticket.lender is not None:
                ticket.lender.is_lent = False
                ticket.lender = None
            self.changed.set()  # another request of the same hook may wait

    def settle(self, ticket: Ticket) -> None:
        """Settle a ticket whose request is committed, or needs no commit."""
        if isinstance(ticket, StartTicket):
            if ticket.permit.is_open:
                self.refund(ticket)
            self.release(ticket)
            if ticket.permit.asks_recheck:  # a hook has failed
                self.end_recheck(ticket)
            self.bodies.release(ticket)
            if self.outages.active and self.outages.end(ticket):
                self.wake_all()  # a probe without a result: another one follows
        ticket.lane.open_tickets -= 1
        if isinstance(ticket, (PageTicket, RefusedTicket)):
            self.open_tickets -= 1
            ticket.lane.held.discard(ticket.pending.order)

    def put_back(self, ticket: PoppedTicket, not_before: float = -math.inf) -> None:
        """Put a request back in its place, as if its ticket had never been issued.

        Pace and quota are refunded only if nothing was sent.
        """
        if isinstance(ticket, RobotsTicket):
            self.robots.put_back(ticket, not_before)
            return
        self.settle(ticket)
        ticket.pending.not_before = not_before
        self.windows.add(ticket.lane, ticket.pending)
        self.schedule.offer(ticket.lane)

    def handle_again(self, ticket: StoredTicket) -> None:
        """Issue a ticket once more, whatever limits say: its page is handled again, and nothing is sent."""
        self.open_tickets -= 1
        self._again.append(ticket)
        self.changed.set()

    def block(self, name: str, until: float) -> None:
        """Start nothing of a lane or budget before `until` (seconds since the epoch)."""
        if name in self.lanes or name in self.budgets.by_name:
            throttle = self.limits.throttles[name]
            throttle.pacing.block(until, "pause")
            throttle.notify()

    def wake_all(self) -> None:
        """Reschedule all lanes: a proxy or the network is down, is back, or was given up."""
        self.wake(self.lanes)

    def wake(self, names: Iterable[str]) -> None:
        """Reschedule the lanes of these names: their hosts may be reachable."""
        for name in names:
            lane = self.lanes.get(name)
            if lane is not None:
                self.schedule.wake(lane)
