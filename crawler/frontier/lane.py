"""`Lane`: the requests that share one politeness limit, by default those to one scheme, host and port."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import attrs
import trio

from crawler import urls
from crawler.frontier.robots import LaneRobots, RobotsRules
from crawler.frontier.ticket import START, Order, Pending
from crawler.limits.throttle import Throttle
from crawler.messages import Request

if TYPE_CHECKING:
    from crawler.frontier.budget import Budget

__all__ = ["Lane", "lane_name"]


def lane_name(request: Request) -> str:
    """Return the lane of a request: the one that it names, or its origin."""
    return request.lane or urls.origin(request.url)


def _limiter(lane: Lane) -> trio.CapacityLimiter:
    return trio.CapacityLimiter(lane.throttle.concurrency.limit)


def _tokens(lane: Lane) -> int:
    return int(lane.limiter.total_tokens)


@attrs.define(eq=False, repr=False)
class Lane:
    """A bounded window of waiting requests, and what decides when the next one may start."""

    name: str
    """An origin, or the name that requests give as their lane."""
    throttle: Throttle
    """Its limits: those of the user, and those that the server declares or shows."""
    epoch: int = 0
    """The lease under which it is held; 0 until the store grants one."""
    limiter: trio.CapacityLimiter = attrs.field(default=attrs.Factory(_limiter, takes_self=True))
    """One token for each request in flight; as many tokens as the concurrency limit allows."""
    robots: LaneRobots = attrs.field(factory=LaneRobots)
    """The robots.txt files that it knows; see `set_robots`."""
    more: bool = False
    """Whether the store has requests of this lane after `after`."""
    after: Order = START
    """The place of the last request that was read from the store."""
    last_page: Request | None = None
    """The last page that was served, by a GET; it is asked for again if a 403 may be that of a ban."""
    is_paused: bool = False
    """Whether the user lets nothing start. It is not part of the limits: other crawls may share them."""
    is_draining: bool = False
    """Whether pages are no longer started, so that soon nothing is in flight. Those in flight may still fetch."""
    open_tickets: int = 0
    """Tickets that are neither settled nor put back, and inline fetches."""
    scheduled_at: float = math.inf
    """When the frontier checks it next, in seconds since the epoch; infinite: it is not in the schedule."""
    parked: Budget | None = None
    """The budget that it waits for."""
    held: set[Order] = attrs.field(factory=set)
    """The places of its requests in memory: in the window, or with an open ticket."""
    waited: dict[str, float] = attrs.field(factory=dict)
    """Seconds, by reason, for which a request could have started otherwise, until they are added to the statistics."""
    _tokens: int = attrs.field(default=attrs.Factory(_tokens, takes_self=True), init=False)
    """The tokens of the limiter: reading them there takes three calls."""
    _waits_for: str = ""
    _waits_since: float = 0.0
    _ready: list[Pending] = attrs.field(factory=list)
    """A heap of the requests that are not put off."""
    _behind: deque[Pending] = attrs.field(factory=deque)
    """Those that were refused again: all others are tried first, then these in turn."""
    _later: list[tuple[float, int, Pending]] = attrs.field(factory=list)
    _served: int = 0
    """Pages that were served while some were behind, since one of them had its turn."""
    _numbers: int = 0

    def __len__(self) -> int:
        return self.ready_count() + len(self._later)

    # ---- the window --------------------------------------------------------------------------------------------------

    def add(self, pending: Pending) -> None:
        """Add a request to the window, or back to it."""
        self.held.add(pending.order)
        if len(self.held) > 2:  # the page on which it was found, itself, and another one
            pending.is_alone = False
        if pending.not_before == -math.inf:
            self._add_ready(pending)
        else:
            self._numbers += 1
            heapq.heappush(self._later, (pending.not_before, self._numbers, pending))

    def _add_ready(self, pending: Pending) -> None:
        """Add a request that is not put off."""
        if pending.is_behind:
            self._behind.append(pending)
        else:
            heapq.heappush(self._ready, pending)

    def pop(self, now: float) -> Pending | None:
        """Remove and return the first request that is not put off, if there is one."""
        while self._later and self._later[0][0] <= now:
            pending = heapq.heappop(self._later)[2]
            pending.not_before = -math.inf
            self._add_ready(pending)
        if self._ready:
            return heapq.heappop(self._ready)
        return self._behind.popleft() if self._behind else None

    def record_served(self) -> None:
        """Note that a page was served. After ten, the request that others went before for the longest goes next."""
        if not self._behind:
            return
        self._served += 1
        if self._served >= 10:  # as `EARNED` of the refusal budget, and `STEADY` of the attribution
            self._served = 0
            heapq.heappush(self._ready, self._behind.popleft())

    def head(self) -> Pending | None:
        """Return the next request, or the one that is put off least."""
        if self._ready:
            return self._ready[0]
        if self._behind:
            return self._behind[0]
        return self._later[0][2] if self._later else None

    def first(self, limit: int) -> list[Pending]:
        """Return the next requests in memory, in their order, then those that are put off."""
        found = heapq.nsmallest(limit, [*self._ready, *self._behind])
        return found + [pending for _, _, pending in sorted(self._later)[: limit - len(found)]]

    def first_at(self) -> float:
        """Return when the next request may start if no limit holds it back, in seconds since the epoch."""
        if self._ready or self._behind:
            return -math.inf
        return self._later[0][0] if self._later else math.inf

    def ready_count(self) -> int:
        """Return the number of requests in the window that are not put off."""
        return len(self._ready) + len(self._behind)

    def waiting(self) -> Iterator[Pending]:
        """Return the requests in the window, in no order."""
        return chain(self._ready, self._behind, (pending for _, _, pending in self._later))

    def has_unrefused(self) -> bool:
        """Return whether a request waits that was never refused."""
        return self.more or any(pending.refused_at == math.inf for pending in self.waiting())

    def trim(self, size: int) -> int:
        """Forget the requests after the first `size` that are not put off; the store has them. Return how many."""
        ordered = sorted([*self._ready, *self._behind])
        self._behind.clear()
        self._ready[:] = ordered[:size]
        self.held.difference_update(pending.order for pending in ordered[size:])
        self.after = min(self.after, ordered[size - 1].order)  # one put back may come after the last one read
        self.more = True
        return len(ordered) - size

    def forget(self) -> int:
        """Forget all requests that are not put off, to read them again from the store. Return how many."""
        forgotten = self.ready_count()
        self.held.difference_update(pending.order for pending in chain(self._ready, self._behind))
        self._ready.clear()
        self._behind.clear()
        self.after = START
        self.more = True
        return forgotten

    def has_open_pages(self) -> bool:
        """Return whether requests of the store have open tickets."""
        return len(self.held) > len(self)

    def clear(self) -> None:
        """Forget all requests: another worker has them."""
        self._ready.clear()
        self._behind.clear()
        self._later.clear()
        self.held.clear()
        self.after, self.more = START, False

    # ---- limits ------------------------------------------------------------------------------------------------------

    def is_full(self) -> bool:
        """Return whether no more requests may be in flight now, counting those of others that share its limits."""
        is_full = self.throttle.busy >= self._tokens or self.limiter.borrowed_tokens >= self._tokens
        return is_full or self.throttle.refusal_budget.is_rechecking

    def fit_limiter(self) -> None:
        """Give the limiter as many tokens as requests may be in flight now."""
        tokens = self.throttle.concurrency.limit
        if tokens != self._tokens:
            self._tokens = self.limiter.total_tokens = tokens

    def set_robots(self, origin: str, rules: RobotsRules, until: float = math.inf) -> None:
        """Set the rules of an origin's robots.txt, which apply until then (seconds since the epoch)."""
        self.robots.set(origin, rules, until)
        self.throttle.pacing.set_robots_delay(self.robots.delay())

    def note_wait(self, now: float, reason: str) -> None:
        """Record the reason for which the lane waits from now on; an empty one means that it does not wait."""
        if reason != self._waits_for:
            if self._waits_for:
                passed = max(0.0, now - self._waits_since)
                self.waited[self._waits_for] = self.waited.get(self._waits_for, 0.0) + passed
            self._waits_for, self._waits_since = reason, now

    def state(self) -> dict[str, Any]:
        """Return what the next run needs, as JSON values."""
        return self.throttle.state()
