"""`Peers`: the other workers of a job, as the engine sees them. `NoPeers`: a crawl that is the only one.

Rule: nothing else in the engine and in the frontier knows whether a job is shared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio

if TYPE_CHECKING:
    from crawler.frontier import StartTicket
    from crawler.limits.throttle import Throttle
    from crawler.messages import Response
    from crawler.store import Committed, Group, Observations, Outcome, Store

__all__ = ["Exchange", "NoPeers", "Peers"]

Exchange = Callable[..., Coroutine[Any, Any, "Response"]]
"""Sends a request; `on_sent` is called when its bytes go out."""


class Peers(Protocol):
    """What a crawl has to ask its peers, and to tell them."""

    seeds: trio.Event
    """Set when `start()` is to be run by this worker."""

    @property
    def counts(self) -> Mapping[str, int]:
        """The `pages`, `items` and `failed` of all others."""

    @property
    def has_left_items(self) -> bool:
        """Whether outputs of this worker have to store items of one that was lost."""

    async def run(self) -> None:
        """Keep in touch with them until cancelled."""

    async def keep_up(self) -> None:
        """Pass on what they are to have."""

    def due_at(self) -> float:
        """Return when `keep_up` and `claim` are to be called next, in seconds since the epoch."""

    async def claim(self, lanes: int, n: int) -> Sequence[Group]:
        """Lease lanes from the store, each with its first `n` requests."""

    async def release(self, name: str, epoch: int, throttle: Throttle) -> None:
        """Give the lease of a lane back to the store."""

    def guard(self, exchange: Exchange, ticket: StartTicket, on_sent: Callable[[float], None]) -> Exchange:
        """Return the exchange, if need be with a look right before the bytes go out whether they still may."""

    async def ready(self) -> None:
        """Wait while they may take this worker for lost."""

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Commit to the store. What they have changed meanwhile counts from then on."""

    async def end(self) -> None:
        """Release what is left when all lanes are released."""

    async def finish(self) -> bytes | None:
        """Finish the outputs of those that were lost. Return the counts of all workers, as `Stats.to_json` has them."""


class NoPeers:
    """Nobody else has a part in the crawl: everything may start, and the store is asked directly."""

    counts: Final[Mapping[str, int]] = MappingProxyType({})
    has_left_items: Final = False

    def __init__(self, store: Store) -> None:
        self._store = store
        self.commit = store.commit
        self.seeds = trio.Event()
        self.seeds.set()

    async def run(self) -> None:
        """Do nothing."""

    async def keep_up(self) -> None:
        """Do nothing."""

    def due_at(self) -> float:
        """Return that this is never needed."""
        return math.inf

    async def claim(self, lanes: int, n: int) -> Sequence[Group]:
        """Lease lanes: they are nobody else's."""
        return (await self._store.claim(lanes, n)).groups

    async def release(self, name: str, epoch: int, throttle: Throttle) -> None:
        """Let the store keep what is known of a lane."""
        await self._store.release(name, epoch, throttle.state())

    def guard(self, exchange: Exchange, ticket: StartTicket, on_sent: Callable[[float], None]) -> Exchange:
        """Return the exchange as it is."""
        return exchange

    async def ready(self) -> None:
        """Return at once."""

    async def end(self) -> None:
        """Do nothing."""

    async def finish(self) -> None:
        """Return that the counts of this worker are those of the crawl."""
