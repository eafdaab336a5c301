"""`SharedPeers`: the other workers of a shared job, as this one sees them in the answers of the store.

Rule: between two renewals of its lease, a worker is nobody's rival. When the lease is not fresh, it sends no byte and
stores no item, since another one may have its lanes by then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from crawler.errors import LeaseLost, RequestError
from crawler.shared.heartbeat import Heartbeat
from crawler.shared.leased_lanes import LeasedLanes
from crawler.shared.outputs import cut_lost_parts
from crawler.store.protocol import CONFLICT, FENCED

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.frontier import Frontier, StartTicket
    from crawler.hooks.sink import Sink
    from crawler.limits.throttle import Throttle
    from crawler.messages import Request, Response
    from crawler.shared.remote_changes import RemoteValues, SharedStates
    from crawler.store import Committed, Extended, Group, Observations, Outcome, RemoteChanges, SharedStore

__all__ = ["SharedPeers"]


class SharedPeers:
    """Implements `crawler.engine.peers.Peers`.

    `start` waits until limits let a ticket start, and takes that start.
    """

    def __init__(
        self,
        frontier: Frontier,
        store: SharedStore,
        clock: Clock,
        states: SharedStates,
        values: RemoteValues,
        sinks: Sequence[Sink],
        start: Callable[[StartTicket], Coroutine[Any, Any, None]],
    ) -> None:
        self._frontier = frontier
        self._store = store
        self._clock = clock
        self._states = states
        self._values = values
        self._sinks = sinks
        self._start = start
        self._lanes = LeasedLanes(frontier, store, clock)
        self._asked: list[str] = []  # names that the store knows to be wanted here
        self._claim_at = -math.inf
        self.seeds = trio.Event()
        frontier.starts_until = -math.inf

    @property
    def counts(self) -> Mapping[str, int]:
        """The `pages`, `items` and `failed` of all others."""
        return self._store.others

    @property
    def has_left_items(self) -> bool:
        """Whether outputs of this worker have to store items of one that was lost."""
        return self._store.behind > 0

    async def run(self) -> None:
        """Renew the lease until cancelled."""
        await Heartbeat(self._store, self._frontier, self._clock, self.apply).run()

    def apply(self, extended: Extended) -> None:
        """Do what others need: look at requests that they have found, and note what they are to have."""
        self._apply(extended.changes)
        self._frontier.reload(extended.grew)
        if self._lanes.wanted() or not (self._store.exhausted or self.seeds.is_set()):
            self._claim_at = -math.inf  # what this worker waits for may be free
        self._lanes.note_wishes(extended)

    def _apply(self, changes: RemoteChanges) -> None:
        self._values.apply(changes)
        self._states.apply(changes)

    # ---- lanes -------------------------------------------------------------------------------------------------------

    async def keep_up(self) -> None:
        """Pass on what others are to have, as soon as nothing of it is in flight."""
        await self._lanes.pass_on()

    def due_at(self) -> float:
        """Return when others may have released something, have to learn what is wanted here, or are to have more."""
        if self._lanes.wanted() != self._asked:
            return -math.inf
        return min(self._claim_at, self._lanes.next_at())

    async def claim(self, lanes: int, n: int) -> Sequence[Group]:
        """Lease lanes, and lanes and budgets that requests here wait for."""
        self._asked = self._lanes.wanted()
        claimed = await self._store.claim(lanes, n, self._asked)
        self._claim_at = claimed.next_at
        self._apply(claimed.changes)
        if claimed.seeds:
            self.seeds.set()
        return [group for group in claimed.groups if self._lanes.take_over(group)]

    async def release(self, name: str, epoch: int, throttle: Throttle) -> None:
        """End the lease of a lane. The store leases it again when something may start."""
        await self._lanes.release(name, epoch, throttle)

    async def end(self) -> None:
        """Release all budgets."""
        await self._lanes.end()

    # ---- requests ----------------------------------------------------------------------------------------------------

    def _is_fresh(self) -> bool:
        """Return whether the lease is renewed: if not, others may ask the same hosts."""
        return self._clock() < self._frontier.starts_until

    async def ready(self) -> None:
        """Wait while the lease is not renewed."""
        while not self._is_fresh():
            await self._frontier.changed.wait()

    def guard(
        self,
        exchange: Callable[..., Coroutine[Any, Any, Response]],
        ticket: StartTicket,
        on_sent: Callable[[float], None],
    ) -> Callable[..., Coroutine[Any, Any, Response]]:
        """Return an exchange that sends nothing while the lease is not renewed.

        The lease may end while a connection is made, or while the process is suspended. So it is checked in the moment
        in which the bytes would go out; a request that is too late waits for the lease and takes its start again, since
        others that have waited start, too.
        """

        def note_sent(at: float) -> None:
            if not self._is_fresh():
                raise _LeaseOver("the lease is not renewed")
            on_sent(at)

        options = {"on_sent": note_sent} if self._frontier.reports_sending else {}

        async def guarded(request: Request) -> Response:
            while True:
                if not self._is_fresh() and ticket.permit.is_open:
                    self._frontier.refund(ticket)
                    await self._start(ticket)
                await self.ready()
                try:
                    return await exchange(request, **options)
                except _LeaseOver:
                    continue

        return guarded

    # ---- commits -----------------------------------------------------------------------------------------------------

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Commit, without outcomes whose changes of states are outdated: their result is a conflict."""
        refused = self._states.refused(outcomes)
        accepted = outcomes
        if refused:
            accepted = [outcome for outcome in outcomes if outcome not in refused]
            _pass_lane_states(refused, accepted)
            observations = _without_counts(observations)
        committed = await self._store.commit(accepted, observations)
        self._states.note_committed(outcomes)
        self._values.apply(committed.changes)
        if CONFLICT in committed.results:
            self._states.reset(committed.changes)
        else:
            self._states.apply(committed.changes)
        if FENCED in committed.results:
            raise LeaseLost.after(self._store.lease)
        if refused:
            results = iter(committed.results)
            committed.results = [CONFLICT if outcome in refused else next(results) for outcome in outcomes]
        return committed

    async def finish(self) -> bytes:
        """Cut the outputs of workers that were lost meanwhile. Return the counts of all workers."""
        resumed = await self._store.resume_state()
        cut_lost_parts(self._sinks, resumed.gone)
        return resumed.checkpoint.stats or b"{}"


class _LeaseOver(RequestError):
    """The lease of this worker is not renewed, so others may ask the same hosts."""


def _pass_lane_states(refused: set[Outcome], accepted: Sequence[Outcome]) -> None:
    """Let the state of a lane be committed with another outcome than its last one, which is refused."""
    last = {outcome.ticket.lane: outcome for outcome in accepted}
    for outcome in refused:
        if outcome.lane_state and outcome.ticket.lane in last:
            last[outcome.ticket.lane].lane_state = outcome.lane_state


def _without_counts(observations: Observations | None) -> Observations | None:
    """Return observations without the counts: they include what is refused."""
    if observations is None:
        return None
    checkpoint = msgspec.structs.replace(observations.checkpoint, stats=None)
    return msgspec.structs.replace(observations, checkpoint=checkpoint)
