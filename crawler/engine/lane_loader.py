"""`LaneLoader`: brings lanes from the store into the frontier, and releases idle ones.

Rule: a lane is in memory, with a window of its requests, or free in the store, for this worker or another one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crawler.http.robots import ROBOTS_MAX_AGE, Robots

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.engine.peers import Peers
    from crawler.frontier import Frontier
    from crawler.store import Group, Store

__all__ = ["LaneLoader"]


class LaneLoader:
    """Claims lanes, refills their windows, and releases them."""

    def __init__(self, frontier: Frontier, store: Store, peers: Peers, clock: Clock) -> None:
        self._frontier = frontier
        self._store = store
        self._peers = peers
        self._clock = clock
        self._look_at = 0.0

    def has_unclaimed(self) -> bool:
        """Return whether the frontier has room for lanes that wait in the store."""
        return bool(self._store.unclaimed and self._frontier.lanes.room())

    def due_at(self) -> float:
        """Return when other workers make another `keep_up` necessary, in seconds since the epoch."""
        return self._peers.due_at()

    async def keep_up(self) -> None:
        """Refill windows that run low, and claim as many lanes as the frontier has room for."""
        frontier, store, peers = self._frontier, self._store, self._peers
        while low := frontier.windows.to_refill():
            for lane in low:
                share, after = frontier.windows.share(), lane.after
                rows = await store.more(lane.name, lane.epoch, after, share)
                if lane.after == after:  # else the window was cut in the meantime, and there is a gap before these rows
                    frontier.refill(lane, rows, more=len(rows) == share)
        await peers.keep_up()
        while self.has_unclaimed() or peers.due_at() <= self._clock():
            room = min(frontier.lanes.room(), 256)  # one claim is one transaction of the store
            claimed = await peers.claim(room, frontier.windows.share(room))
            for group in claimed:
                self._open(group)
            if len(claimed) < room:
                break

    def _open(self, group: Group) -> None:
        """Take a lane into memory, with the robots.txt files that the store has kept of it."""
        frontier, now = self._frontier, self._clock()
        lane = frontier.lanes.open(group.name, epoch=group.epoch, head=group.head, more=group.more, state=group.state)
        for answer in group.robots if frontier.settings.obey_robots else ():
            url = f"{answer.origin}/robots.txt"
            rules = Robots.from_response(answer.status, answer.body, frontier.settings.user_agent, url)
            if rules is not None:  # even an expired file is used until a new one is fetched
                lane.set_robots(answer.origin, rules, min(answer.at, now) + ROBOTS_MAX_AGE)
        if group.unclean:
            lane.throttle.resume(now)

    async def make_room(self) -> float:
        """Release idle lanes if others wait in the store and the frontier is full.

        Returns when to call this again, in seconds since the epoch; infinite if no lane waits for room.
        """
        frontier, now = self._frontier, self._clock()
        if frontier.lanes.room() or not (self._store.unclaimed or len(frontier.lanes) > frontier.lanes.most):
            return math.inf
        if now >= self._look_at:
            for lane in list(frontier.lanes.idle(now)):
                if frontier.lanes.is_idle(lane, now):  # it may have received requests while another lane was released
                    frontier.lanes.close(lane)
                    await self._peers.release(lane.name, lane.epoch, lane.throttle)
            self._look_at = now + 1.0  # each search looks at every lane in memory
        return self._look_at

    async def end(self) -> None:
        """Release all lanes."""
        self._frontier.detach()
        for lane in list(self._frontier.lanes.values()):
            await self._peers.release(lane.name, lane.epoch, lane.throttle)
        await self._peers.end()
