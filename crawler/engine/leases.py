"""`Leases`: moves lanes and budgets between the store and the frontier."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import trio

from crawler.http.robots import ROBOTS_MAX_AGE, Robots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crawler.clock import Clock
    from crawler.engine.news import NewsReader
    from crawler.frontier import Frontier, Lane
    from crawler.limits.throttle import Throttle
    from crawler.store import Extended, Group, Store

__all__ = ["Leases"]

CLAIM_BATCH: Final = 256
"""Maximum number of lanes in one claim."""
IDLE_CHECK: Final = 1.0
"""Seconds between two searches for idle lanes."""
HOLD: Final = 5.0
"""Seconds for which a worker keeps what it has waited for, at least, if others wait for it, too."""
LONG_WAIT: Final = 60.0
"""Seconds. A lane that waits longer for its quota stays with its worker: no other one could use it earlier."""


class Leases:
    """Leases lanes from the store, refills their windows, releases idle ones, and passes on what other workers want.

    Parameters:
        frontier: Has the lanes in memory.
        store: Has all lanes.
        clock: Returns the time in seconds since the epoch.
        news: Takes over what other workers have committed.
        unclean: Whether an earlier run was interrupted. Each lane then waits for one delay.
    """

    def __init__(
        self, frontier: Frontier, store: Store, clock: Clock, news: NewsReader, *, unclean: bool = False
    ) -> None:
        self._frontier = frontier
        self._store = store
        self._clock = clock
        self._news = news
        self._unclean = unclean
        self._look_at = 0.0
        self._leaving: dict[str, float] = {}  # names to be passed on when nothing of them is in flight, and when
        self._leased_at: dict[str, float] = {}  # of what was leased by name
        self._asked: list[str] = []  # names that the store knows to be wanted here
        self._claim_at = -math.inf if store.shared else math.inf
        self.seeds = trio.Event()
        """Set when `start()` is to be run by this worker."""
        if not store.shared:
            self.seeds.set()

    async def keep_up(self) -> None:
        """Refill windows that run low, pass on lanes, and claim as many as the frontier has room for."""
        frontier, store = self._frontier, self._store
        while low := frontier.windows.to_refill():
            for lane in low:
                share, after = frontier.windows.share(), lane.after
                rows = await store.more(lane.name, lane.epoch, after, share)
                if lane.after == after:  # else the window was cut in the meantime, and there is a gap before these rows
                    frontier.refill(lane, rows, more=len(rows) == share)
        if self._leaving:
            await self._pass_on()
        while (store.unclaimed and frontier.lanes.room()) or self.must_ask():
            groups, names = min(frontier.lanes.room(), CLAIM_BATCH), self._wanted()
            self._asked = names
            claimed = await store.claim(groups, frontier.windows.share(groups), names)
            self._claim_at = claimed.next_at
            self._news.apply(claimed.news)
            for group in claimed.groups:
                self._open(group)
            if claimed.seeds:
                self.seeds.set()
            if len(claimed.groups) < groups:
                break

    def must_ask(self) -> bool:
        """Return whether another worker may have released something, or has to learn what is wanted here."""
        return self._store.shared and (self._clock() >= self._claim_at or self._wanted() != self._asked)

    def due_at(self) -> float:
        """Return when another worker may have released something, in seconds since the epoch."""
        now = self._clock()
        return min([self._claim_at, *(at for at in self._leaving.values() if at > now)])

    def _wanted(self) -> list[str]:
        return [name for name in self._frontier.holdings.wanted if name not in self._leaving]

    def _open(self, group: Group) -> None:
        """Take a group into memory: a budget, or a lane with the robots.txt files that the store has kept of it."""
        frontier, now = self._frontier, self._clock()
        if group.name in frontier.holdings.wanted:
            del frontier.holdings.wanted[group.name]
            self._leased_at[group.name] = now
        unclean = self._unclean or group.unclean
        if group.name in frontier.budgets.by_name:
            frontier.hand_over.open_budget(group.name, epoch=group.epoch, state=group.state)
            if unclean:
                frontier.budgets[group.name].throttle.resume(now)
            if not group.head and group.name not in frontier.lanes:
                return
        lane = frontier.lanes.open(group.name, epoch=group.epoch, head=group.head, more=group.more, state=group.state)
        for answer in group.robots if frontier.settings.obey_robots else ():
            url = f"{answer.origin}/robots.txt"
            rules = Robots.from_response(answer.status, answer.body, frontier.settings.user_agent, url)
            if rules is not None:  # even an expired file is used until a new one is fetched
                lane.set_robots(answer.origin, rules, min(answer.at, now) + ROBOTS_MAX_AGE)
        if unclean:
            lane.throttle.resume(now)
        if self._store.shared:
            frontier.changed.set()  # an inline fetch may wait for the lease

    async def make_room(self) -> float:
        """Release idle lanes if others wait in the store and the frontier is full.

        Returns:
            When to call this again, in seconds since the epoch; infinite if no lane waits for room.
        """
        frontier, now = self._frontier, self._clock()
        if frontier.lanes.room() or not (self._store.unclaimed or len(frontier.lanes) > frontier.lanes.most):
            return math.inf
        if now >= self._look_at:
            for lane in list(frontier.lanes.idle(now)):
                if frontier.lanes.is_idle(lane, now):  # it may have received requests while another lane was released
                    frontier.lanes.close(lane)
                    await self._store.release(lane.name, lane.epoch, lane.state(), self._wait(lane.throttle))
            self._look_at = now + IDLE_CHECK
        return self._look_at

    async def end(self) -> None:
        """Release all lanes and budgets."""
        frontier = self._frontier
        frontier.detach()
        for lane in list(frontier.lanes.values()):
            await self._store.release(lane.name, lane.epoch, lane.state(), self._wait(lane.throttle))
        for name, budget in frontier.budgets.by_name.items():
            if budget.epoch:
                await self._store.release(name, budget.epoch, budget.throttle.state(), self._wait(budget.throttle))

    # ---- other workers -----------------------------------------------------------------------------------------------

    def apply(self, extended: Extended) -> None:
        """Do what other workers need: look at requests that they have found, and pass on what they are to have."""
        self._news.apply(extended.news)
        self._frontier.reload(extended.grew)
        if self._wanted() or not (self._store.exhausted or self.seeds.is_set()):
            self._claim_at = -math.inf  # what this worker waits for may be free
        for name in (*extended.wanted, *self._surplus(extended.surplus)):
            self._leaving.setdefault(name, self._leased_at.get(name, -math.inf) + HOLD)

    def _surplus(self, count: int) -> Iterator[str]:
        """Yield the names of lanes to pass on, first those of which nothing is in flight."""
        count -= len(self._leaving)
        now = self._clock()
        lanes = (lane for lane in self._frontier.lanes.values() if lane.epoch and lane.name not in self._leaving)
        for lane in sorted(lanes, key=lambda lane: lane.open_tickets > 0):
            if count <= 0:
                return
            if (len(lane) or lane.more) and not self._has_long_wait(lane, now):
                count -= 1
                yield lane.name

    @staticmethod
    def _has_long_wait(lane: Lane, now: float) -> bool:
        return lane.throttle.ready_at(now) > now + LONG_WAIT

    async def _pass_on(self) -> None:
        """Release what other workers are to have, as soon as nothing of it is in flight."""
        hand_over, now = self._frontier.hand_over, self._clock()
        for name in [name for name, at in self._leaving.items() if at <= now]:
            hand_over.hold_back(name)
            if hand_over.has_in_flight(name):
                continue
            lane, budget = self._frontier.lanes.get(name), self._frontier.budgets.by_name.get(name)
            del self._leaving[name]
            self._leased_at.pop(name, None)
            holding = lane if lane is not None and lane.epoch else budget
            if holding is not None:
                epoch, state, wait = holding.epoch, holding.throttle.state(), self._wait(holding.throttle)
                hand_over.close(name)
                await self._store.release(name, epoch, state, wait)

    def _wait(self, throttle: Throttle) -> float:
        """Return the seconds for which nothing may start."""
        now = self._clock()
        wait = throttle.ready_at(now) - now
        return max(0.0, wait) if wait < math.inf else self._store.lease
