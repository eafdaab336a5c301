"""Leases: which lanes are in memory. It takes those that nobody holds, refills their windows, lets idle ones go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crawler.http.robots import ROBOTS_MAX_AGE, Robots

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.frontier import Frontier
    from crawler.store import Group, Store

__all__ = ["Leases"]

BATCH: Final = 256
"""Lanes that are claimed at once."""
LEASE: Final = 60.0
"""Seconds."""
LOOK: Final = 1.0
"""Seconds between two looks for lanes that may go."""


class Leases:
    """Keeps the frontier fed from the store.

    Parameters:
        frontier: the lanes in memory.
        store: all lanes.
        clock: gives seconds since the epoch.
        unclean: whether an earlier run broke off: then each lane waits one delay.
    """

    def __init__(self, frontier: Frontier, store: Store, clock: Clock, *, unclean: bool = False) -> None:
        self._frontier = frontier
        self._store = store
        self._clock = clock
        self._unclean = unclean
        self._look_at = 0.0

    async def keep_up(self) -> None:
        """Refills windows that run low, and claims as many groups as there is room for."""
        frontier, store = self._frontier, self._store
        while low := frontier.lanes_to_refill():
            for lane in low:
                share, after = frontier.window_share(), lane.after
                rows = await store.more(lane.name, lane.epoch, after, share)
                if lane.after == after:  # if its window was cut meanwhile, what was asked for does not follow on it
                    frontier.refill(lane, rows, more=len(rows) == share)
        while store.unclaimed and (room := frontier.room()):
            groups = min(room, BATCH)
            claimed = await store.claim("", groups, frontier.window_share(groups), LEASE)
            for group in claimed.groups:
                self._open(group)
            if len(claimed.groups) < groups:
                break

    def _open(self, group: Group) -> None:
        """Takes a leased lane into memory, with the robots.txt that are kept of it."""
        frontier, now = self._frontier, self._clock()
        lane = frontier.open(group.name, epoch=group.epoch, head=group.head, more=group.more, state=group.state)
        for answer in group.robots if frontier.settings.obey_robots else ():
            url = f"{answer.origin}/robots.txt"
            rules = Robots.from_response(answer.status, answer.body, frontier.settings.user_agent, url)
            if rules is not None:  # one that is too old counts until it is asked for, and longer if it cannot be had
                lane.set_robots(answer.origin, rules, min(answer.at, now) + ROBOTS_MAX_AGE)
        if self._unclean:
            lane.throttle.resume(now)

    async def make_room(self) -> float:
        """If lanes wait outside since there is no room, gives back those in memory that are idle.

        Returns:
            Seconds since the epoch: when to look again.
        """
        frontier, now = self._frontier, self._clock()
        if frontier.room() or not (self._store.unclaimed or len(frontier.lanes) > frontier.most_lanes):
            return float("inf")
        if now >= self._look_at:
            for lane in list(frontier.idle(now)):
                if frontier.is_idle(lane, now):  # others may have taken it up while an earlier one was given back
                    frontier.close(lane)
                    await self._store.release(lane.name, lane.epoch, lane.state())
            self._look_at = now + LOOK
        return self._look_at

    async def end(self) -> None:
        """Gives everything back."""
        self._frontier.detach()
        for lane in list(self._frontier.lanes.values()):
            await self._store.release(lane.name, lane.epoch, lane.state())
