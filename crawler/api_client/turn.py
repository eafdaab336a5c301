"""`Turn`: what one attempt took of its scopes, and what they are told of it; all of it goes back exactly once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from crawler.api_client.queue import Costs, FairQueue, Grants
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared
from crawler.limits.headers.refusal_status import is_refusal
from crawler.limits.throttle import Throttle

__all__ = ["Turn"]

OVERLOADED: Final = frozenset({503, 529})
"""Statuses of servers that have too much to do."""


@attrs.define(eq=False)
class Turn:
    """One attempt in flight. Nothing here waits.

    Parameters:
        stakes: what it takes: of its lane first, then of budgets.
        grants: what it was given.
        clock: gives seconds since the epoch.
    """

    stakes: Costs
    grants: Grants
    clock: Callable[[], float]
    sent: float | None = attrs.field(default=None, init=False)
    """Seconds since the epoch: when its bytes began to go out."""
    declared: Declared = attrs.field(default=NOTHING, init=False)
    """What its answer says of limits."""
    refused_by: Throttle | None = attrs.field(default=None, init=False)
    """The scope that its answer refuses it for."""
    _ended: bool = attrs.field(default=False, init=False)

    def is_paced(self) -> bool:
        """Whether one of its scopes counts every start."""
        return any(gate.throttle.is_paced() for gate, _ in self.stakes)

    def mark_sent(self) -> None:
        """Its bytes begin to go out."""
        if self.sent is None:
            self.sent = self.clock()
            for (gate, _), grant in zip(self.stakes, self.grants, strict=True):
                gate.throttle.went_out(grant, self.sent)

    def failed(self, *, sent: bool, overloaded: bool) -> None:
        """There is no answer, and there will be none.

        Parameters:
            sent: whether it may have reached the server.
            overloaded: whether it failed as servers fail that have too much to do.
        """
        if not sent:
            self._ended = True
            FairQueue.give_back(self.stakes, self.grants)
            return
        now = self.clock()
        lane, *budgets = [gate.throttle for gate, _ in self.stakes]
        exchange = AttemptReport(sent=self.sent or now, received=now, overloaded=overloaded)
        lane.settle(self.grants[0], exchange, inflight=lane.busy)
        for budget, grant in zip(budgets, self.grants[1:], strict=True):
            budget.lost(grant)
        self.end()

    def answered(self, status: int, headers: Sequence[tuple[str, str]]) -> list[tuple[str, QuotaEvent]]:
        """The headers of its answer are there. Returns what there is to tell, by scope.

        Quotas and refusals belong to its first budget, if it names one; what a server says that has too much to do
        (5xx) belongs to the lane.

        Parameters:
            status: HTTP status.
            headers: names and values as they came.
        """
        received = self.clock()
        sent = received if self.sent is None else self.sent
        lane = self.stakes[0][0].throttle
        main = lane if len(self.stakes) == 1 else self.stakes[1][0].throttle
        self.declared = main.read(headers, status=status, sent=sent, received=received)
        statuses = lane.pace.refusals if main is lane else (*lane.pace.refusals, *main.pace.refusals)
        refused = is_refusal(status, self.declared, headers, statuses=statuses)
        exchange = AttemptReport(
            sent=sent,
            received=received,
            first_byte=received - sent,
            status=status,
            refused=refused,
            overloaded=status in OVERLOADED,
            declared=self.declared,
        )
        if refused:
            self.refused_by = lane if status >= 500 else main
        if main is lane:
            return [(lane.name, event) for event in lane.settle(self.grants[0], exchange, inflight=lane.busy)]
        return self._share(exchange, lane, main)

    def end(self) -> None:
        """The body of its answer has ended, or nobody wants more of it. May be called again."""
        if not self._ended:
            self._ended = True
            self.stakes[0][0].throttle.leave()

    def _share(self, exchange: AttemptReport, lane: Throttle, main: Throttle) -> list[tuple[str, QuotaEvent]]:
        """Tells each scope its part. Who refused comes first: its news must be there before others may start."""
        declared = exchange.declared
        of_lane = NOTHING
        if declared.concurrency is not None or (self.refused_by is lane and declared.retry_after is not None):
            waits = declared.retry_after if self.refused_by is lane else None
            of_lane = Declared(retry_after=waits, concurrency=declared.concurrency)
        parts = [(gate.throttle, grant, NOTHING) for (gate, _), grant in zip(self.stakes, self.grants, strict=True)]
        parts[0] = (lane, self.grants[0], of_lane)
        parts[1] = (main, self.grants[1], attrs.evolve(declared, concurrency=None) if declared else NOTHING)
        parts.sort(key=lambda part: part[0] is not self.refused_by)
        told = []
        for throttle, grant, says in parts:
            if exchange.refused and throttle is not self.refused_by:
                throttle.lost(grant)
                continue
            events = throttle.settle(grant, attrs.evolve(exchange, declared=says), inflight=lane.busy)
            if throttle is not lane and any(event.kind == "concurrency" for event in events):
                lane.concurrency.refused_for_concurrency(exchange.received, lane.busy)
            told += [(throttle.name, event) for event in events]
        return told
