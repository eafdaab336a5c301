"""The robots.txt files that lanes know, and which lane fetches which.

A robots.txt belongs to an origin. The requests of one origin may be spread over several lanes, and one lane may hold
requests of several origins. One lane fetches the file; meanwhile the others that need it start nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct

from crawler.frontier.ticket import Pending, RobotsTicket, StartTicket
from crawler.limits.permit import RobotsPermit
from crawler.messages import Request
from crawler.messages.request import set_position

if TYPE_CHECKING:
    from crawler.frontier.lane import Lane

__all__ = ["LaneRobots", "RobotsLookups", "RobotsRules"]

MAX_ORIGINS: Final = 1_000
"""Origins whose robots.txt one lane remembers: requests may name any number that share a lane."""


class RobotsRules(Protocol):
    """The rules of a robots.txt that a lane needs."""

    @property
    def delay(self) -> float | None:
        """Seconds between two requests that it asks for. `None` means that it asks for no delay."""

    def allows(self, url: str) -> bool:
        """Return whether the URL may be fetched."""


class LaneRobots(Struct, eq=False):
    """The robots.txt files that one lane knows, by origin."""

    rules: dict[str, RobotsRules] = {}
    """The rules that apply."""
    expired: dict[str, RobotsRules] = {}
    """Rules that are too old. They apply again if their file cannot be fetched."""
    expires_at: float = math.inf
    """When the first of `rules` is too old, in seconds since the epoch; see `expire`."""
    pending: bool = False
    """Whether a robots.txt is being fetched. Nothing else of the lane starts meanwhile."""
    grace_requests: int = 0
    """Requests that waited for a robots.txt. It applies to them, however old it is when they start."""
    _until: dict[str, float] = {}

    def find(self, origin: str) -> RobotsRules | None:
        """Return the rules of an origin, or those that are too old if there are no others."""
        return self.rules.get(origin) or self.expired.get(origin)

    def expiry(self, origin: str) -> float:
        """Return until when the rules of an origin apply, in seconds since the epoch."""
        return self._until[origin]

    def delay(self) -> float:
        """Return the longest delay that a robots.txt asks for, in seconds; 0 means none."""
        return max((rules.delay or 0.0 for rules in self.rules.values()), default=0.0)

    def set(self, origin: str, rules: RobotsRules, until: float = math.inf) -> None:
        """Set the rules of an origin, which apply until then (seconds since the epoch)."""
        self.rules[origin] = rules
        self._until[origin] = until
        self.expired.pop(origin, None)
        if len(self.rules) > MAX_ORIGINS:
            oldest = next(iter(self.rules))
            del self.rules[oldest], self._until[oldest]
        self.expires_at = min(self._until.values())

    def forget(self, origin: str) -> None:
        """Forget the rules of an origin: its robots.txt is fetched again."""
        del self.rules[origin], self._until[origin]
        self.expires_at = min(self._until.values(), default=math.inf)

    def expire(self, now: float) -> None:
        """Put aside all rules that are too old: their files are fetched again."""
        for origin in [origin for origin, until in self._until.items() if until <= now]:
            self.expired[origin] = self.rules.pop(origin)
            del self._until[origin]
            if len(self.expired) > MAX_ORIGINS:
                del self.expired[next(iter(self.expired))]
        self.expires_at = min(self._until.values(), default=math.inf)


class RobotsLookups:
    """Which lane fetches the robots.txt of an origin, which wait for it, and which know it."""

    def __init__(
        self,
        lanes: dict[str, Lane],
        *,
        start: Callable[[StartTicket], None],
        settle: Callable[[StartTicket], None],
        wake: Callable[[Lane], None],
    ) -> None:
        self._lanes = lanes
        self._start = start
        self._settle = settle
        self._wake = wake
        self._waiting: dict[str, set[Lane]] = {}
        """Origins whose robots.txt is being fetched: the lanes that wait for it, without the one that fetches it."""
        self._attempts: dict[str, tuple[int, float]] = {}
        """Origins whose robots.txt is not known yet: attempts so far, and the earliest time of the next one."""
        self._knows: dict[str, Lane] = {}
        """A lane that knows the robots.txt of an origin and has another name."""

    def rules_for(self, lane: Lane, origin: str, now: float) -> RobotsRules | None:
        """Return the rules for the next request of a lane. `None` means that the robots.txt has to be fetched first."""
        robots = lane.robots
        if robots.grace_requests:
            robots.grace_requests -= 1
        elif now >= robots.expires_at:
            robots.expire(now)
        return robots.rules.get(origin)

    def ask(self, lane: Lane, origin: str, now: float, wanted: Request) -> RobotsTicket | None:
        """Hand out the request for a robots.txt, an ordinary start of its lane before all others.

        Returns `None` if the lane knows the rules now, or has to wait: another lane fetches the file, or an attempt has
        failed and the next one is not due.
        """
        if self._borrow(lane, origin, now):
            return None
        attempts, not_before = self._attempts.setdefault(origin, (0, -math.inf))
        if now < not_before:
            lane.throttle.block(not_before)
            return None
        lane.robots.pending = True
        if origin in self._waiting:
            self._waiting[origin].add(lane)
            return None
        self._waiting[origin] = set()
        request = Request(origin + "/robots.txt", lane=lane.name, proxy=wanted.proxy)
        set_position(request, wanted.depth or int(bool(wanted.redirects)))
        pending = Pending((0, 0), request, lane.name, attempts)
        ticket = RobotsTicket(pending, lane, lane.epoch, now, RobotsPermit(lane.throttle), origin=origin)
        self._start(ticket)
        return ticket

    def has_failed(self, origin: str) -> bool:
        """Return whether the robots.txt of an origin could not be fetched, and is tried again."""
        return self._attempts.get(origin, (0, -math.inf))[1] > -math.inf

    def resolve(self, ticket: RobotsTicket, rules: RobotsRules, until: float = math.inf, grace: int = 1) -> None:
        """Set the rules that a fetch has found out, for all lanes that wait for them."""
        lane, origin = ticket.lane, ticket.origin
        self._attempts.pop(origin, None)
        if lane.name != origin:
            self._knows[origin] = lane
            if len(self._knows) > 10_000:  # pages may name any number of origins
                del self._knows[next(iter(self._knows))]
        waiting = self._waiting.pop(origin)
        for one in (lane, *waiting):
            one.set_robots(origin, rules, until)
            one.robots.grace_requests = min(len(one), grace)
            one.robots.pending = False
        sent_at = ticket.permit.sent_at
        lane.throttle.pacing.delay_after(ticket.now if sent_at is None else sent_at)
        self._wake_all(waiting)
        self._settle(ticket)
        self._wake(lane)

    def put_back(self, ticket: RobotsTicket, not_before: float = -math.inf, *, counts: bool = False) -> None:
        """Give up a fetch; another one may follow."""
        lane, origin = ticket.lane, ticket.origin
        self._settle(ticket)
        self._attempts[origin] = (ticket.pending.attempts + counts, not_before)
        lane.throttle.block(not_before, "refusal" if counts else "outage")
        waiting = self._waiting.pop(origin)
        for one in (lane, *waiting):
            one.robots.pending = False
        self._wake_all((lane, *waiting))

    def forget(self, lane: Lane) -> None:
        """Forget a lane that leaves memory."""
        self._attempts.pop(lane.name, None)
        for origin in [origin for origin, knows in self._knows.items() if knows is lane]:
            del self._knows[origin]

    def _borrow(self, lane: Lane, origin: str, now: float) -> bool:
        """Copy the rules of an origin from another lane that knows them. Return whether there is one."""
        for other in (self._lanes.get(origin), self._knows.get(origin)):
            if other is None or other is lane:
                continue
            if now >= other.robots.expires_at:
                other.robots.expire(now)
            if origin in other.robots.rules:
                lane.set_robots(origin, other.robots.rules[origin], other.robots.expiry(origin))
                return True
        return False

    def _wake_all(self, lanes: set[Lane] | tuple[Lane, ...]) -> None:
        for lane in lanes:
            if self._lanes.get(lane.name) is lane:  # it may have left memory
                self._wake(lane)
