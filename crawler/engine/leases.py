"""`Leases`: moves lanes between the store and the frontier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crawler.http.robots import ROBOTS_MAX_AGE, Robots

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.frontier import Frontier
    from crawler.store import Group, Store

__all__ = ["Leases"]

CLAIM_BATCH: Final = 256
"""Number of lanes in one claim, at most."""
IDLE_CHECK: Final = 1.0
"""Seconds between two searches for idle lanes."""


class Leases:
    """Leases lanes from the store, refills their windows, and releases idle ones.

    Parameters:
        frontier: Has the lanes in memory.
        store: Has all lanes.
        clock: Returns the time in seconds since the epoch.
        unclean: Whether an earlier run was interrupted. Each lane then waits for one delay.
    """

    def __init__(self, frontier: Frontier, store: Store, clock: Clock, *, unclean: bool = False) -> None:
        self._frontier = frontier
        self._store = store
        self._clock = clock
        self._unclean = unclean
        self._look_at = 0.0

    async def keep_up(self) -> None:
        """Refill windows that run low, and claim as many lanes as the frontier has room for."""
        frontier, store = self._frontier, self._store
        while low := frontier.lanes_to_refill():
            for lane in low:
                share, after = frontier.window_share(), lane.after
                rows = await store.more(lane.name, lane.epoch, after, share)
                if lane.after == after:  # else the window was cut in the meantime, and there is a gap before these rows
                    frontier.refill(lane, rows, more=len(rows) == share)
        while store.unclaimed and (room := frontier.room()):
            groups = min(room, CLAIM_BATCH)
            claimed = await store.claim(groups, frontier.window_share(groups))
            for group in claimed.groups:
                self._open(group)
            if len(claimed.groups) < groups:
                break

    def _open(self, group: Group) -> None:
        """Add a leased lane to the frontier, with the robots.txt files that the store has kept of it."""
        frontier, now = self._frontier, self._clock()
        lane = frontier.open(group.name, epoch=group.epoch, head=group.head, more=group.more, state=group.state)
        for answer in group.robots if frontier.settings.obey_robots else ():
            url = f"{answer.origin}/robots.txt"
            rules = Robots.from_response(answer.status, answer.body, frontier.settings.user_agent, url)
            if rules is not None:  # even an expired file is used until a new one is fetched
                lane.set_robots(answer.origin, rules, min(answer.at, now) + ROBOTS_MAX_AGE)
        if self._unclean:
            lane.throttle.resume(now)

    async def make_room(self) -> float:
        """Release idle lanes if others wait in the store and the frontier is full.

        Returns:
            When to call this again, in seconds since the epoch; infinite if no lane waits for room.
        """
        frontier, now = self._frontier, self._clock()
        if frontier.room() or not (self._store.unclaimed or len(frontier.lanes) > frontier.most_lanes):
            return float("inf")
        if now >= self._look_at:
            for lane in list(frontier.idle(now)):
                if frontier.is_idle(lane, now):  # it may have got requests while another lane was released
                    frontier.close(lane)
                    await self._store.release(lane.name, lane.epoch, lane.state())
            self._look_at = now + IDLE_CHECK
        return self._look_at

    async def end(self) -> None:
        """Release all lanes."""
        self._frontier.detach()
        for lane in list(self._frontier.lanes.values()):
            await self._store.release(lane.name, lane.epoch, lane.state())
