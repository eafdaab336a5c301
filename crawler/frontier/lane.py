"""`Lane`: one unit of politeness, by default one scheme, host and port."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs
import trio

from crawler import urls
from crawler.frontier.ticket import START, Order, Pending
from crawler.limits.throttle import Throttle
from crawler.messages import Request

if TYPE_CHECKING:
    from crawler.frontier.budget import Budget

__all__ = ["Lane", "RobotsRules", "lane_name"]


class RobotsRules(Protocol):
    """What a lane needs to know of a robots.txt."""

    @property
    def delay(self) -> float | None:
        """Seconds between two starts, where it asks for a delay."""

    def allows(self, url: str) -> bool:
        """Whether the URL may be fetched."""


MOST_ORIGINS: Final = 1000
"""Origins of one lane whose robots.txt is remembered."""


def lane_name(request: Request) -> str:
    """The lane of a request: the one it names, or its origin."""
    return request.lane or urls.origin(request.url)


@attrs.define(eq=False)
class Lane:
    """A bounded window of waiting requests, a limiter, and what holds the next start back."""

    name: str
    """Names it: an origin, or what requests call it."""
    throttle: Throttle
    """Its limits, declared, learned, and asked for by the user."""
    epoch: int = 0
    """The lease under which it is held; 0: the store has not given one."""
    limiter: trio.CapacityLimiter = attrs.field(
        default=attrs.Factory(lambda self: trio.CapacityLimiter(self.throttle.concurrency.limit), takes_self=True)
    )
    """One token a request in flight; as many as do well."""
    robots: dict[str, RobotsRules] = attrs.field(factory=dict)
    """What robots.txt says, by origin."""
    stale: dict[str, RobotsRules] = attrs.field(factory=dict)
    """What a robots.txt said that is too old by now; it counts again if the file cannot be had."""
    stale_at: float = math.inf
    """Seconds: when the first of `robots` is too old; see `expire`."""
    owed: int = 0
    """Requests that waited for a robots.txt: it counts for them however long their turn takes."""
    asks: bool = False
    """Whether a robots.txt is on its way; nothing else starts meanwhile."""
    more: bool = False
    """Whether the store holds requests of this lane behind `after`."""
    after: Order = START
    """Up to here the requests of this lane are in memory."""
    handed_out: int = 0
    """Tickets that are neither settled nor put back, and inline fetches."""
    listed: float = math.inf
    """The time under which it stands in the frontier's heap; infinite: it does not."""
    parked: Budget | None = None
    """The budget that it waits for, if it waits for one."""
    held: set[Order] = attrs.field(factory=set)
    """The requests that are in memory: in the window or handed out."""
    waited: dict[str, float] = attrs.field(factory=dict)
    """Seconds that a request could have started but for this reason: not yet told to anybody."""
    _waits_for: str = ""
    _waits_since: float = 0.0
    _ready: list[Pending] = attrs.field(factory=list)
    _later: list[tuple[float, int, Pending]] = attrs.field(factory=list)
    _made: int = 0
    _until: dict[str, float] = attrs.field(factory=dict)

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
        self.after = min(self.after, self._ready[-1].order)  # what was put back may lie behind what has been read
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

    def head(self) -> Pending | None:
        """The request that is next, or will be."""
        if self._ready:
            return self._ready[0]
        return self._later[0][2] if self._later else None

    def first_at(self) -> float:
        """Seconds: before this no request of the window may start, whatever the limits."""
        if self._ready:
            return -math.inf
        return self._later[0][0] if self._later else math.inf

    def backlog(self) -> float:
        """Requests that wait, as far as they are in memory; infinite: there are more."""
        return math.inf if self.more else len(self)

    def pop(self, now: float) -> Pending | None:
        """The first request that is not put off, or `None`."""
        while self._later and self._later[0][0] <= now:
            pending = heapq.heappop(self._later)[2]
            pending.not_before = -math.inf
            heapq.heappush(self._ready, pending)
        return heapq.heappop(self._ready) if self._ready else None

    def know(self, origin: str, rules: RobotsRules, until: float = math.inf) -> None:
        """Takes in what a robots.txt says, which counts until then (seconds)."""
        self.robots[origin] = rules
        self._until[origin] = until
        self.stale.pop(origin, None)
        if len(self.robots) > MOST_ORIGINS:
            oldest = next(iter(self.robots))
            del self.robots[oldest], self._until[oldest]
        self.stale_at = min(self._until.values())
        self.throttle.set_robots_delay(max(0.0, *(rules.delay or 0.0 for rules in self.robots.values())))
        self.limiter.total_tokens = self.throttle.concurrency.limit

    def until(self, origin: str) -> float:
        """Seconds: how long what the robots.txt of an origin says may be used."""
        return self._until[origin]

    def expire(self, now: float) -> None:
        """Puts aside each robots.txt that is too old: it has to be asked for again."""
        for origin in [origin for origin, until in self._until.items() if until <= now]:
            self.stale[origin] = self.robots.pop(origin)
            del self._until[origin]
            if len(self.stale) > MOST_ORIGINS:
                del self.stale[next(iter(self.stale))]
        self.stale_at = min(self._until.values(), default=math.inf)

    def waits(self, now: float, reason: str) -> None:
        """Notes what the lane waits for from now on; for nothing if `reason` is empty."""
        if reason != self._waits_for:
            if self._waits_for:
                passed = max(0.0, now - self._waits_since)
                self.waited[self._waits_for] = self.waited.get(self._waits_for, 0.0) + passed
            self._waits_for, self._waits_since = reason, now

    def is_full(self) -> bool:
        """Whether as many requests are in flight as do well, those of others who share its throttle included."""
        return self.limiter.available_tokens <= 0 or self.throttle.is_full()

    def state(self) -> dict[str, Any]:
        """What of the lane outlives it, as JSON values."""
        return self.throttle.state()
