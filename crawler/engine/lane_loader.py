"""`LaneLoader`: brings lanes from the store into the frontier, and releases idle ones.

Rule: a lane is in memory, with a window of its requests, or free in the store, for this worker or another one.
"""

from __future__ import annotations

import itertools
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
        self._look_at = self._try_at = 0.0

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
        is_wanted = self._store.unclaimed or frontier.lanes.resting or len(frontier.lanes) > frontier.lanes.most
        if frontier.lanes.room() or not is_wanted:
            return math.inf
        if now >= self._look_at:
            for lane in list(frontier.lanes.idle(now)):
                if frontier.lanes.is_idle(lane, now):  # it may have received requests while another lane was released
                    frontier.lanes.close(lane)
                    await self._peers.release(lane.name, lane.epoch, lane.throttle)
            self._look_at = now + 1.0  # each search looks at every lane in memory
        return self._look_at

    def try_unreachable(self, *, has_more: bool) -> float:
        """Let lanes rest whose hosts have never answered, and bring back some that are to be tried: all at the end.

        Returns when to call this again, in seconds since the epoch; infinite if there is no such host.
        """
        frontier, now = self._frontier, self._clock()
        lanes, outages = frontier.lanes, frontier.outages
        if self._store.shared or not (outages.active or lanes.resting):  # another worker would claim what rests here
            return math.inf
        if now < self._try_at:
            return self._try_at
        self._try_at = now + 1.0  # each look sees every lane in memory
        new = [lane for lane in lanes.values() if outages.is_new(lane.name)]
        is_open = has_more or any(lane.open_tickets for lane in lanes.values() if not outages.is_new(lane.name))
        if is_alone := outages.see_work(now, waits=self._store.unclaimed or lanes.have_requests(), is_open=is_open):
            frontier.wake_all()
        room = lanes.room() if is_alone else min(lanes.room(), max(1, frontier.settings.workers // 4))
        for lane in [] if is_alone else new:
            if lane.is_paused or lane.parked is not None or not lane.epoch:
                continue
            if not lane.open_tickets and outages.rests_until(lane.name) > now:
                lanes.rest(lane)
            else:
                room -= lane.open_tickets + len(lane) > 0  # it is being tried
        due = (name for name in lanes.resting if is_alone or outages.rests_until(name) <= now)
        for name in list(itertools.islice(due, max(0, room))):
            lanes.open(name, epoch=0, head=(), more=True)
        return self._try_at

    async def end(self) -> None:
        """Release all lanes."""
        self._frontier.detach()
        for lane in list(self._frontier.lanes.values()):
            await self._peers.release(lane.name, lane.epoch, lane.throttle)
        await self._peers.end()
