"""`Lane`: one unit of politeness, by default one scheme, host and port."""

from __future__ import annotations

import heapq
import math
import random
from typing import Any, Protocol

import attrs
import trio

from crawler import urls
from crawler.frontier.ticket import START, Order, Pending, Ticket
from crawler.limits.gcra import Gcra
from crawler.limits.pace import Pace, parse_rate
from crawler.messages import Request

__all__ = ["Lane", "RobotsRules", "lane_name"]


class RobotsRules(Protocol):
    """What a lane needs to know of a robots.txt."""

    @property
    def delay(self) -> float | None:
        """Seconds between two starts, where it asks for a delay."""

    def allows(self, url: str) -> bool:
        """Whether the URL may be fetched."""


def lane_name(request: Request) -> str:
    """The lane of a request: the one it names, or its origin."""
    return request.lane or urls.origin(request.url)


def _buckets(pace: Pace) -> list[Gcra]:
    return [Gcra(seconds / requests, pace.burst) for requests, seconds in (parse_rate(rate) for rate in pace.rate)]


@attrs.define(eq=False)
class Lane:
    """A bounded window of waiting requests, a limiter, and the time of the next start."""

    name: str
    """Names it: an origin, or what requests call it."""
    pace: Pace
    """What the user asks of it, every field filled in."""
    chance: random.Random
    """Where jitter comes from."""
    epoch: int = 0
    """The lease under which it is held."""
    limiter: trio.CapacityLimiter = attrs.field(
        default=attrs.Factory(lambda self: trio.CapacityLimiter(self.pace.concurrency), takes_self=True)
    )
    """One token a request in flight."""
    next_start: float = -math.inf
    """Seconds: the earliest next start by the delay."""
    blocked_until: float = -math.inf
    """Seconds: nothing starts before, since the server said so."""
    rates: list[Gcra] = attrs.field(default=attrs.Factory(lambda self: _buckets(self.pace), takes_self=True))
    """One bucket for each rate of the pace."""
    robots: dict[str, RobotsRules] = attrs.field(factory=dict)
    """What robots.txt said, by origin."""
    asking: dict[str, int] = attrs.field(factory=dict)
    """Attempts to fetch the robots.txt of an origin whose rules are not known yet."""
    asks: bool = False
    """Whether such a fetch is on its way; nothing else starts meanwhile."""
    more: bool = False
    """Whether the store holds requests of this lane behind `after`."""
    after: Order = START
    """Up to here the requests of this lane are in memory."""
    handed_out: int = 0
    """Tickets that are neither settled nor put back."""
    listed: float = math.inf
    """The time under which it stands in the frontier's heap; infinite: it does not."""
    held: set[Order] = attrs.field(factory=set)
    """The requests that are in memory: in the window or handed out."""
    _last: Ticket | None = None
    _interval: float = 0.0
    _ready: list[Pending] = attrs.field(factory=list)
    _later: list[tuple[float, int, Pending]] = attrs.field(factory=list)
    _made: int = 0

    def __len__(self) -> int:
        return len(self._ready) + len(self._later)

    def add(self, pending: Pending) -> None:
        """Takes a request into the window, or back into it."""
        self.held.add(pending.order)
        if pending.not_before == -math.inf:
            heapq.heappush(self._ready, pending)
        else:
            self._made += 1
            heapq.heappush(self._later, (pending.not_before, self._made, pending))

    def trim(self, size: int) -> int:
        """Forgets all but the first `size` requests that are ready, since the store has them; tells how many."""
        ordered = sorted(self._ready)
        self._ready = ordered[:size]
        self.held.difference_update(pending.order for pending in ordered[size:])
        self.after = self._ready[-1].order
        self.more = True
        return len(ordered) - size

    def forget(self) -> int:
        """Forgets all requests that are ready, since the store has them and others before them; tells how many."""
        self.held.difference_update(pending.order for pending in self._ready)
        forgotten = len(self._ready)
        self._ready.clear()
        self.after = START
        self.more = True
        return forgotten

    def ready_count(self) -> int:
        """Requests in the window that are not put off."""
        return len(self._ready)

    def start_at(self) -> float:
        """Seconds: the next start that pace and refusals allow."""
        at = max(self.next_start, self.blocked_until)
        return max(at, *(rate.ready_at() for rate in self.rates)) if self.rates else at

    def due(self) -> float:
        """Seconds: when the next request may start as far as this lane alone knows; infinite: none waits."""
        if self._ready:
            first = -math.inf
        elif self._later:
            first = self._later[0][0]
        else:
            return math.inf
        return max(first, self.start_at())

    def pop(self, now: float) -> Pending | None:
        """The first request that is not put off, or `None`."""
        while self._later and self._later[0][0] <= now:
            pending = heapq.heappop(self._later)[2]
            pending.not_before = -math.inf
            heapq.heappush(self._ready, pending)
        return heapq.heappop(self._ready) if self._ready else None

    def interval(self) -> float:
        """Seconds to the next start: the delay, or what a robots.txt asks for if that is more; jitter added."""
        asked = [rules.delay for rules in self.robots.values() if rules.delay is not None]
        delay = max(self.pace.delay or 0.0, *asked, 0.0)
        return delay * (1.0 + self.chance.random() * (self.pace.jitter or 0.0)) if delay else 0.0

    def paced(self) -> bool:
        """Whether starts have to keep a distance."""
        return bool(self.rates) or self.interval() > 0

    def take(self, ticket: Ticket) -> None:
        """Stamps a start: a token, and the pace."""
        self.limiter.acquire_on_behalf_of_nowait(ticket)
        ticket.holds = True
        self.take_pace(ticket)

    def take_pace(self, ticket: Ticket) -> None:
        """Stamps a start at `ticket.now` without a token, for whoever waits for that in place."""
        interval = self._interval = self.interval()
        if interval:
            self.next_start = ticket.now + interval
        self._last = ticket
        for rate in self.rates:
            rate.take(ticket.now)

    def give_back_pace(self, ticket: Ticket) -> None:
        """Undoes the pace of a start whose request was never sent."""
        if self._last is ticket:
            self.next_start = min(self.next_start, ticket.now)
        for rate in self.rates:
            rate.give_back()

    def wait_once(self, now: float) -> None:
        """Starts nothing for one delay: what was in flight when an earlier run broke off is not known."""
        self.next_start = max(self.next_start, now + max(self._interval, self.interval()))

    def state(self) -> dict[str, Any]:
        """What of the lane outlives it, as JSON values."""
        times = {"next_start": self.next_start, "blocked_until": self.blocked_until}
        state: dict[str, Any] = {name: at for name, at in times.items() if at > -math.inf}
        if self._interval:
            state["interval"] = self._interval
        if self.rates:
            state["rates"] = [max(rate.due, 0.0) for rate in self.rates]
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up where `state` left off."""
        self.next_start = state.get("next_start", self.next_start)
        self.blocked_until = state.get("blocked_until", self.blocked_until)
        self._interval = state.get("interval", 0.0)
        for rate, due in zip(self.rates, state.get("rates", ()), strict=False):
            rate.due = due
