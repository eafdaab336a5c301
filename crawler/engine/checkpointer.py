"""`Checkpointer`: gathers what a job keeps of the crawl as a whole, for the next commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from crawler.store import Checkpoint, CookieChange, Observations, ResumeState, RobotsAnswer

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.fetch.request_fields import StartOrigins
    from crawler.frontier import Frontier
    from crawler.hooks.state import State
    from crawler.http.address_guard import AddressGuard
    from crawler.http.cookies import CookieJar
    from crawler.stats import Stats
    from crawler.store import Store

__all__ = ["Checkpointer", "make_checkpoints"]

WHOLE_EVERY: Final = 1.0
"""Seconds between two checkpoints with the values that grow with the number of lanes: what a kill may cost of them."""


class Checkpointer:
    """Collects the values of a crawl from its parts, and restores them when a job is resumed."""

    def __init__(
        self,
        stats: Stats,
        frontier: Frontier,
        guard: AddressGuard | None,
        cookies: CookieJar,
        states: Sequence[State],
        clock: Clock,
        origins: StartOrigins | None = None,
        *,
        durable: bool = True,
    ) -> None:
        self._stats = stats
        self._frontier = frontier
        self._guard = guard
        self._cookies = cookies
        self._states = states
        self._clock = clock
        self._origins = origins
        self._durable = durable
        self._robots: list[RobotsAnswer] = []
        self._budgets: dict[str, Any] = {}
        self._whole_at = 0.0

    def restore(self, resumed: ResumeState, *, own_limits: bool) -> None:
        """Continue from an earlier run."""
        checkpoint = resumed.checkpoint
        if checkpoint.stats is not None:
            self._stats.restore(checkpoint.stats)
            if self._stats.statuses:
                for origin in self._stats.lanes:  # any of them may have answered
                    self._frontier.outages.network.note_online(origin)
        if self._guard is not None and checkpoint.networks is not None:
            self._guard.restore(checkpoint.networks)
        if self._origins is not None and checkpoint.origins is not None:
            self._origins.restore(checkpoint.origins)
        self._cookies.restore(resumed.cookies)
        self._budgets = checkpoint.budgets or {}
        self._frontier.limits.restore(self._budgets)
        if resumed.unclean:
            self._frontier.lanes.resumed_at = self._clock()
            if own_limits:
                self._frontier.limits.resume(self._clock())

    def save_robots(self, answer: RobotsAnswer) -> None:
        """Keep a robots.txt in the next commit."""
        self._robots.append(answer)

    def has_new_states(self) -> bool:
        """Return whether a state may have changed since the last checkpoint."""
        return any(state.touched for state in self._states)

    def checkpoint(self, *, whole: bool = False) -> Observations:
        """Return what has changed since the last call, and the counts so far."""
        now = trio.current_time()
        whole = whole or now >= self._whole_at
        if whole:
            self._whole_at = now + WHOLE_EVERY
        robots, self._robots = self._robots, []
        return Observations(
            checkpoint=Checkpoint(
                stats=self._stats.to_json(lanes=whole) if self._durable else None,
                networks=None if self._guard is None else self._guard.take_unsaved(whole=whole),
                origins=None if self._origins is None else self._origins.take_unsaved(),
                clock=self._clock() if whole else None,
                budgets=(self._unleased_limits() or None) if whole else None,
            ),
            states={
                state.owner: unsaved for state in self._states if state.touched and (unsaved := state.take_unsaved())
            },
            cookies=[
                CookieChange(
                    session=session,
                    domain=cookie.domain,
                    path=cookie.path,
                    name=cookie.name,
                    value=msgspec.json.encode(cookie) if is_set else None,
                )
                for session, cookie, is_set in self._cookies.take_changes()
            ],
            robots=robots,
        )

    def _unleased_limits(self) -> dict[str, Any]:
        """Return the limits of budgets, which belong to no lane, and of lanes that only inline fetches use.

        The quotas of the budgets go to the report as well.
        """
        limits = self._budgets.copy()  # those that this run has not used stay as they were
        now = self._clock()
        for lane in self._frontier.lanes.values():
            if lane.epoch:
                limits.pop(lane.name, None)
            elif lane.throttle.ready_at(now) > now or lane.throttle.policies():
                limits[lane.name] = lane.state()
        for name, budget in self._frontier.budgets.by_name.items():
            limits[name] = budget.throttle.state()
            self._stats.lane(name).quotas = budget.throttle.policies()
        return limits


async def make_checkpoints(store: Store) -> None:
    """Let the store of a job make checkpoints while it runs."""
    interval = 1.0  # soon, for a short job; then more rarely: a power failure takes back 30 seconds at most
    while True:
        await trio.sleep(interval)
        await store.checkpoint()
        interval = min(2 * interval, 30.0)
