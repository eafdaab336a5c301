"""`NetworkChecks`: which host is asked whether the network is up, when many hosts fail that have never answered."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from crawler import urls
from crawler.frontier.ticket import CheckTicket, Pending, StartTicket
from crawler.limits.permit import RobotsPermit
from crawler.messages import Request
from crawler.messages.request import set_position

if TYPE_CHECKING:
    from crawler.frontier.lane import Lane
    from crawler.frontier.lanes import Lanes
    from crawler.frontier.reachability import Reachability

__all__ = ["NetworkChecks"]

MAX_ABSENT: Final = 16
"""Hosts without a lane in memory that may be asked."""
NOTE_EVERY: Final = 1.0
"""Seconds between two lanes that leave memory and whose hosts may be asked later."""
MAX_ASKED: Final = 1_000
"""Hosts of which it is known when they were asked."""


class NetworkChecks:
    """Asks hosts that have answered before for their robots.txt: any crawler may, and the file is short.

    It takes an ordinary start of the lane of the host, so all limits of that are kept.

    Parameters:
        lanes: The lanes in memory.
        reachability: Knows what is down, and the proxies of requests.
        start: Takes what a start takes of its lane.
    """

    def __init__(self, lanes: Lanes, reachability: Reachability, *, start: Callable[[StartTicket], None]) -> None:
        self._lanes = lanes
        self._reachability = reachability
        self._start = start
        self._absent: dict[str, tuple[dict[str, Any] | None, float]] = {}
        """Hosts that have answered and have no lane: its last state, and when it may have sent its last request."""
        self._noted_at = -math.inf
        self._asked_at: dict[str, float] = {}  # hosts that were asked, by the time

    def note_absent(self, origin: str, resume_at: float, state: dict[str, Any] | None = None) -> None:
        """Note that a host has answered, and that no lane in memory has its name.

        Parameters:
            origin: Its origin.
            resume_at: When it may have been sent its last request, in seconds since the epoch; its lane then waits for
                one delay.
            state: What `Lane.state` returned.
        """
        self._absent.pop(origin, None)
        self._absent[origin] = (state, resume_at)
        if len(self._absent) > MAX_ABSENT:
            del self._absent[next(iter(self._absent))]

    def note_closed(self, lane: Lane, now: float) -> None:
        """Note that a lane leaves memory; of many such lanes at once only one is kept in mind.

        What was noted before is out of date. A delay that a robots.txt asks for leaves memory with the lane, so such a
        host is not asked.

        Parameters:
            lane: The lane.
            now: Seconds since the epoch.
        """
        self._absent.pop(lane.name, None)
        may_be_asked = lane.throttle.concurrency.has_answered and not (lane.names_proxy or lane.robots.delay())
        if may_be_asked and now >= self._noted_at + NOTE_EVERY:
            self._noted_at = now
            self.note_absent(lane.name, now, lane.state())

    def ask(self, now: float) -> list[CheckTicket]:
        """Return the request to be sent, in a list that is empty if no host may be asked now."""
        pending = self._choose(now)
        if pending is None:
            self._reachability.outages.check(now, None)
            return []
        lane = self._lanes[pending.group]
        ticket = CheckTicket(pending, lane, lane.epoch, now, RobotsPermit(lane.throttle))
        self._reachability.outages.check(now, ticket)
        self._start(ticket)
        return [ticket]

    def _choose(self, now: float) -> Pending | None:
        """Return a request to the host that was asked longest ago."""
        waiting = self._waiting()
        known = [name for name, lane in reversed(self._lanes.items()) if lane.throttle.concurrency.has_answered]
        for name in sorted([*known, *self._absent], key=lambda name: self._asked_at.get(name, -math.inf)):
            if not urls.is_origin(name) or urls.is_loopback(name):  # a lane of several hosts, or one without a network
                continue
            request = set_position(Request(f"{name}/robots.txt", lane=name), 1)
            if self._tells(request, waiting) and self._may_start(self._lane(name), now):
                self._asked_at.pop(name, None)
                self._asked_at[name] = now
                if len(self._asked_at) > MAX_ASKED:
                    del self._asked_at[next(iter(self._asked_at))]
                return Pending((0, 0), request, name)
        return None

    def _tells(self, request: Request, waiting: Request | None) -> bool:
        """Return whether the response to a request would tell whether the network is up.

        Parameters:
            request: The request.
            waiting: One that waits for a host that has never answered.
        """
        if self._reachability.outages.network is not None:
            return True  # any response does
        if waiting is not None and self._reachability.route(waiting) != self._reachability.route(request):
            return False
        return not any(map(self._reachability.outages.breaker_of, self._reachability.scopes(request)))

    def _waiting(self) -> Request | None:
        """Return a request that waits for a host that has never answered."""
        for scope in self._reachability.outages.silence.new_hosts():
            lane = self._lanes.get(scope)
            if lane is not None and (head := lane.head()) is not None:
                return head.request
        return None

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            state, resume_at = self._absent[name]
            lane = self._lanes.open(name, epoch=0, head=(), more=False, state=state)
            if resume_at > -math.inf:
                lane.throttle.resume(resume_at)
        return lane

    @staticmethod
    def _may_start(lane: Lane, now: float) -> bool:
        """Return whether a lane may start a request now that names no proxy."""
        head = lane.head()
        if lane.names_proxy or (head is not None and head.request.proxy is not None):
            return False
        if lane.is_paused or lane.is_leaving or not lane.is_leased or lane.robots.pending or lane.is_full():
            return False
        return not lane.throttle.is_stalled(now) and lane.throttle.ready_at(now) <= now
