"""`RobotsLookups`: which robots.txt is being asked for, by which lane, and which lane knows it already.

A robots.txt belongs to an origin, and an origin may have its requests on several lanes: one of them asks, and the
others wait for what it is told.
"""

from __future__ import annotations

import math
from typing import Final

from crawler.frontier.lane import Lane

__all__ = ["RobotsLookups"]

MOST_KNOWN: Final = 10_000
"""Origins of which is remembered which lane knows their robots.txt, if not that of their name."""


class RobotsLookups:
    """Who asks for the robots.txt of an origin, who waits for it, and who knows it.

    Parameters:
        lanes: those in memory, by name.
    """

    def __init__(self, lanes: dict[str, Lane]) -> None:
        self._lanes = lanes
        self._waiting: dict[str, set[Lane]] = {}
        """Origins whose robots.txt is on its way: the lanes that wait for it, beside the one that asks."""
        self._attempts: dict[str, tuple[int, float]] = {}
        """Attempts to fetch one that is not known yet, by origin, and seconds: when there may be another."""
        self._knows: dict[str, Lane] = {}
        """A lane that knows the robots.txt of an origin and is not the one of its name."""

    def begin(self, lane: Lane, origin: str, now: float) -> int | None:
        """How many attempts were made before, if this lane is to make the next one now.

        `None`: another lane knows what it says, and now this one does; or another asks for it, or has asked and is to
        ask again later, and this one waits.
        """
        if self._borrow(lane, origin, now):
            return None
        attempts, not_before = self._attempts.setdefault(origin, (0, -math.inf))
        if now < not_before:
            lane.throttle.block(not_before)
            return None
        lane.asks = True
        if origin in self._waiting:
            self._waiting[origin].add(lane)
            return None
        self._waiting[origin] = set()
        return attempts

    def failed(self, origin: str, attempts: int, not_before: float) -> set[Lane]:
        """It was not had, or not asked for after all: the lanes that have waited beside the one that asked.

        Parameters:
            origin: whose it is.
            attempts: those made so far.
            not_before: seconds: when there may be another.
        """
        self._attempts[origin] = (attempts, not_before)
        return self._waiting.pop(origin)

    def told(self, lane: Lane, origin: str) -> set[Lane]:
        """This lane was told what it says: the lanes that have waited beside it."""
        self._attempts.pop(origin, None)
        if lane.name != origin:
            self._knows[origin] = lane
            if len(self._knows) > MOST_KNOWN:
                del self._knows[next(iter(self._knows))]
        return self._waiting.pop(origin)

    def forget(self, lane: Lane) -> None:
        """This lane leaves memory."""
        self._attempts.pop(lane.name, None)
        for origin in [origin for origin, knows in self._knows.items() if knows is lane]:
            del self._knows[origin]

    def _borrow(self, lane: Lane, origin: str, now: float) -> bool:
        """Whether another lane knows the robots.txt of an origin; this one is told."""
        for other in (self._lanes.get(origin), self._knows.get(origin)):
            if other is None or other is lane:
                continue
            if now >= other.stale_at:
                other.expire(now)
            if origin in other.robots:
                lane.know(origin, other.robots[origin], other.until(origin))
                return True
        return False
