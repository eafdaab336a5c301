"""`Permit`: what one start takes of its limits, and what those limits learn from it.

Invariant: every start is settled exactly once. `Permit.take` counts a start in the limit of the lane and in the
budgets. `answered`, `failed` or `cancelled` settles it, whichever comes first; after that they change nothing until
the next `take`.

Crawls and clients share these rules, which serve one purpose: never more requests than the server allows.

* A refusal with a status below 500 (420, 429, 403 with evidence) concerns the first budget that the request names,
  and so do declared quotas: such servers count by key or account, on whatever host. Without a budget they concern the
  lane.
* A refusal with a status of 500 or more (503, 509, 529), a failure, and the response time concern the lane: its server
  is overloaded, whichever key asks.
* A declared concurrency concerns the lane, since a budget does not limit how many requests are in flight.
* To the other limits a refused request counts as spent. It is no success: it raises no concurrency level and ends no
  wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
from msgspec import Struct
from msgspec.structs import replace

from crawler.headers import Fields, pairs_of
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.bodies import is_marked, is_readable, read_body
from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared, merge
from crawler.limits.headers.refusal_status import FORBIDDEN, is_refusal
from crawler.limits.in_flight import Grant
from crawler.limits.refusal_budget import Refusal
from crawler.limits.throttle import Throttle

__all__ = ["Headers", "Permit", "RecheckPermit", "RobotsPermit"]

OVERLOADED: Final = frozenset({503, 504, 529})
"""Statuses of overloaded servers, and of gateways in front of them."""
MISSING: Final = frozenset({404, 410})
"""Statuses of a server that has no robots.txt."""
Headers = Sequence[tuple[str, str]]
"""Names and values of header fields, as they came."""


class Permit(Struct, eq=False):
    """The right of one request to start. Nothing here waits."""

    lane: Throttle
    budgets: Sequence[tuple[Throttle, float]] = ()
    cost: float = 1.0
    sent_at: float | None = None
    """Seconds since the epoch: when bytes of the request went out. `None` means that none did."""
    declared: Declared = NOTHING
    """What the response declares of limits."""
    refused_by: Throttle | None = None
    """The limit for which the server refused the request; `None` if it did not."""
    is_in_flight: bool = False
    """Whether the request takes one of the slots of its lane; see `enter`."""
    may_recheck: bool = False
    """Whether a 403 that says nothing may be that of a ban: a page is known that was served, and may be asked for again
    to find out. Otherwise such a 403 is a refusal only while the server refuses."""
    asks_recheck: bool = False
    """Whether that page is to be asked for now."""
    is_forbidden: bool = False
    """Whether it got a 403 that says nothing, while that page was served. Its request is sent once more."""
    _grant: Grant | None = None
    _budget_grants: list[Grant] = []

    @property
    def is_open(self) -> bool:
        """Whether it was taken and is not settled yet."""
        return self._grant is not None

    def is_paced(self) -> bool:
        """Whether one of its limits keeps starts a distance apart."""
        is_paced = self.lane.pacing.is_set()
        return is_paced or (bool(self.budgets) and any(throttle.pacing.is_set() for throttle, _ in self.budgets))

    # ---- the slot of the lane ----------------------------------------------------------------------------------------

    def enter(self) -> None:
        """Take a slot of the lane, which has as many as requests may be in flight."""
        self.is_in_flight = True
        self.lane.busy += 1

    def leave(self) -> None:
        """Release the slot when the body has ended. A second call does nothing.

        The watchers of the lane are not called until the start is settled: a request that starts earlier could run into
        the refusal that this one has just met.
        """
        if self.is_in_flight:
            self.is_in_flight = False
            self.lane.busy -= 1
            if self._grant is None:
                self.lane.notify()

    # ---- one start ---------------------------------------------------------------------------------------------------

    def take(self, now: float, *, reports: bool = False) -> None:
        """Count a start."""
        assert self._grant is None, "the last start is not settled"
        self.sent_at, self.refused_by, self.is_forbidden = None, None, False
        self.declared = NOTHING
        if self.asks_recheck:
            self.end_recheck()
        self._grant = self.lane.take(now, cost=self.cost, reports=reports)
        if self.budgets:
            self._budget_grants = [throttle.take(now, cost=cost, reports=reports) for throttle, cost in self.budgets]

    def sent(self, at: float) -> bool:
        """Note that bytes of the request went out: from now on the start is spent, and its delay counts from here.

        Returns whether one of its limits keeps starts a distance apart, so that the next start has waited for this.
        """
        self.sent_at = at
        is_paced = self.is_paced()
        if self._grant is not None:
            has_waited = not self._grant.is_out
            self.lane.pacing.mark_sent(self._grant, at)
            for (throttle, _), grant in zip(self.budgets, self._budget_grants, strict=False):
                throttle.pacing.mark_sent(grant, at)
            if has_waited and is_paced:
                self._notify()
        return is_paced

    def cancelled(self) -> None:
        """Settle a start of which no limit learns: refund what was not sent, count as spent what was."""
        grant = self._grant
        if grant is None:
            return
        self._grant = None
        if self.sent_at is None:
            self.lane.refund(grant)
            for (throttle, _), budget_grant in zip(self.budgets, self._budget_grants, strict=False):
                throttle.refund(budget_grant)
        else:
            self.lane.settle_lost(grant)
            self._spend_budgets()
        self._notify()

    def failed(self, now: float, *, overloaded: bool) -> None:
        """Settle a start that got no response.

        If nothing was sent, quotas and rates are as they were, but the lane keeps its delay: the next attempt must not
        follow at once.
        """
        grant = self._grant
        if grant is None:
            return
        self._grant = None
        if self.sent_at is None:
            self.lane.refund(grant, keep_delay=True)
            for (throttle, _), budget_grant in zip(self.budgets, self._budget_grants, strict=False):
                throttle.refund(budget_grant)
        else:
            report = AttemptReport(sent=self.sent_at, received=now, overloaded=overloaded)
            self.lane.settle(grant, report, inflight=self._inflight())
            self._spend_budgets()
        self._notify()

    def reads_body(self, status: int, headers: Headers) -> bool:
        """Whether `answered` reads the body of such a response: of a refusal, an error that may be one, or any JSON.

        Any JSON is read where `Pace.bodies` asks for it.
        """
        statuses, reads = self._asked_for()
        return is_readable(status, headers, asked=reads or status in statuses)

    def answered(
        self, now: float, *, status: int, headers: Fields, body: bytes = b"", first_byte: float | None = None
    ) -> list[QuotaEvent]:
        """Settle a start by its response. Return the events of its quotas."""
        grant = self._grant
        if grant is None:
            return []
        self._grant = None
        lane = self.lane
        sent = now if self.sent_at is None else self.sent_at
        declared = lane.read(headers, status=status, sent=sent, received=now)
        refused = False
        if status >= 400 or self._looks_closer() or (body[:1] == b"{" and is_marked(body)):
            refused, declared = self._look(status, pairs_of(headers), body, declared)
        elif declared is NOTHING and not self.budgets and lane.settle_served(grant, now, first_byte, self._inflight()):
            self.declared, self.refused_by = NOTHING, None
            self._notify()
            return []
        self.declared = declared
        if status == FORBIDDEN and not refused and self._suspects_ban():
            self.lane.settle_lost(grant)
            self._spend_budgets()
            self._notify()
            return []
        report = AttemptReport(
            sent=sent,
            received=now,
            first_byte=first_byte,
            status=status,
            refused=refused,
            overloaded=status in OVERLOADED,
            declared=declared,
        )
        if self.budgets:
            events = self._share(grant, report)
        else:
            self.refused_by = lane if refused else None
            events = _named(lane, lane.settle(grant, report, inflight=self._inflight()))
        self._notify()
        return events

    def refused(self, now: float) -> list[QuotaEvent]:
        """Settle a start that the server refused without a response, as HTTP/2 allows: as by a 429 without fields."""
        return self.answered(now, status=429, headers=())

    def judge_refusal(
        self, now: float, last: float, *, was_forbidden: bool, has_others: bool, is_left: bool = False
    ) -> Refusal | None:
        """Return what it means that the request was refused, which `last` was before; `None`: it was not.

        A page that is forbidden, and was forbidden before, is so for itself if another one is served each time.
        """
        if self.is_forbidden and was_forbidden:
            self.lane.refusal_budget.explain_forbidden()
            return None
        limit = self.refused_by
        return None if limit is None else limit.judge_refusal(now, last, has_others=has_others, is_left=is_left)

    # ---- bans --------------------------------------------------------------------------------------------------------

    def end_recheck(self, refused_by: Throttle | None = None) -> None:
        """Let other requests start again, after that of the page that was served before: it was refused, or was not."""
        self.asks_recheck = self.lane.refusal_budget.is_rechecking = False
        self.is_forbidden = refused_by is None
        self.refused_by = refused_by or self.lane
        self.lane.notify()

    def _suspects_ban(self) -> bool:
        """Return whether a 403 that says nothing may be that of a ban. The limits learn nothing of it yet."""
        budget = self.lane.refusal_budget
        if budget.is_rechecking and self.may_recheck:
            self.refused_by, self.is_forbidden = self.lane, True
        elif budget.suspects_ban() and self.may_recheck:
            self.asks_recheck = budget.is_rechecking = True
        return self.asks_recheck or self.is_forbidden

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _looks_closer(self) -> bool:
        """Return whether a pace asks for a second look at each response; most do not."""
        pace = self.lane.pacing.pace
        if pace.bodies or pace.refusals:
            return True
        for throttle, _ in self.budgets:  # noqa: SIM110 - any() takes longer, and most requests have no budget
            if throttle.pacing.pace.bodies or throttle.pacing.pace.refusals:
                return True
        return False

    def _look(self, status: int, headers: Headers, body: bytes, declared: Declared) -> tuple[bool, Declared]:
        """Return whether a response is a refusal, and what it declares, its body included."""
        statuses, reads = self._asked_for()
        refused = is_refusal(status, declared, headers, statuses=statuses)
        if body and is_readable(status, headers, asked=refused or reads or status < 400):
            in_body = read_body(status, headers, body, waits=declared.retry_after is not None)
            refused = refused or in_body.retry_after is not None or bool(in_body.violated)
            declared = merge((declared, in_body)) if in_body else declared
        return refused or (status == FORBIDDEN and self._is_banned()), declared

    def _is_banned(self) -> bool:
        """Return whether a 403 that says nothing is certainly that of a ban."""
        budget = (self.budgets[0][0] if self.budgets else self.lane).refusal_budget
        return budget.is_refusing() or (self.may_recheck and self.lane.refusal_budget.bans())

    def _asked_for(self) -> tuple[tuple[int, ...], bool]:
        """Return `Pace.refusals` and `Pace.bodies` of all limits together."""
        pace = self.lane.pacing.pace
        statuses, reads = pace.refusals, pace.bodies
        for throttle, _ in self.budgets:
            statuses, reads = statuses + throttle.pacing.pace.refusals, reads or throttle.pacing.pace.bodies
        return statuses, reads

    def _share(self, grant: Grant, report: AttemptReport) -> list[QuotaEvent]:
        """Settle each limit by its part of a response; the docstring of this file has the rules."""
        lane, inflight, declared = self.lane, self._inflight(), report.declared
        (main, _), *others = self.budgets
        main_grant, *other_grants = self._budget_grants
        lane_report = report
        of_main = NOTHING
        if declared is not NOTHING:
            wait = declared.retry_after if report.status >= 500 else None
            says = wait is not None or declared.concurrency is not None
            of_lane = Declared(retry_after=wait, concurrency=declared.concurrency) if says else NOTHING
            lane_report = replace(report, declared=of_lane)
            of_main = declared if declared.concurrency is None else replace(declared, concurrency=None)
        report = AttemptReport(
            sent=report.sent, received=report.received, status=report.status, refused=report.refused, declared=of_main
        )
        if not report.refused:
            found = main.settle(main_grant, report, inflight=inflight, concurrency=lane.concurrency)
            events = _named(main, found) + _named(lane, lane.settle(grant, lane_report, inflight=inflight))
            for (throttle, _), other in zip(others, other_grants, strict=True):
                silent = replace(report, declared=NOTHING)
                found = throttle.settle(other, silent, inflight=inflight, concurrency=lane.concurrency)
                events += _named(throttle, found)
            return events
        if report.status >= 500:
            self.refused_by = lane
            events = _named(lane, lane.settle(grant, lane_report, inflight=inflight))
            events += _named(main, main.settle_lost(main_grant, report))
        else:
            self.refused_by = main
            found = main.settle(main_grant, report, inflight=inflight, concurrency=lane.concurrency)
            events = _named(main, found)
            lane.concurrency.declare(declared.concurrency)
            lane.settle_lost(grant)
        for (throttle, _), other in zip(others, other_grants, strict=True):
            throttle.settle_lost(other)
        return events

    def _spend_budgets(self) -> None:
        for (throttle, _), grant in zip(self.budgets, self._budget_grants, strict=False):
            throttle.settle_lost(grant)

    def _inflight(self) -> int:
        """Requests of the lane that are in flight, this one included."""
        return self.lane.busy + (not self.is_in_flight)

    def _notify(self) -> None:
        """Call the watchers. All limits have learned by now, so no request starts on half of the information."""
        if self.lane.watchers:
            self.lane.notify()
        for throttle, _ in self.budgets:
            if throttle.watchers:
                throttle.notify()


class RobotsPermit(Permit):
    """The permit of a robots.txt. Many servers that refuse all pages serve it: that ends no series of refusals."""

    def _is_banned(self) -> bool:
        """Return `False`: many servers forbid that file alone."""
        return False

    def answered(
        self, now: float, *, status: int, headers: Fields, body: bytes = b"", first_byte: float | None = None
    ) -> list[QuotaEvent]:
        """Settle a start by its response, as that of a page. While pages are refused, serving it shows nothing."""
        if self.lane.refusal_budget.refuses_all and (status < 400 or status in MISSING):
            self.cancelled()
            return []
        budget = self.lane.refusal_budget
        has_served = budget.has_served
        events = super().answered(now, status=status, headers=headers, body=body, first_byte=first_byte)
        budget.has_served = has_served  # it is no page
        return events


class RecheckPermit(Permit):
    """The permit of a page that is asked for once more after it was served: if it is forbidden now, that is a ban."""

    def _is_banned(self) -> bool:
        return True


def _named(throttle: Throttle, events: list[QuotaEvent]) -> list[QuotaEvent]:
    return [attrs.evolve(event, scope=throttle.name) for event in events] if events else events
