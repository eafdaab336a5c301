"""`Heartbeat`: renews the lease of a worker, and reads from the answers what other workers need and have done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from crawler.errors import LeaseLost
from crawler.logs import get_logger

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.frontier import Frontier
    from crawler.store import Extended, SharedStore

__all__ = ["Heartbeat"]

BEATS: Final = 3
"""Renewals in the time of one lease."""
FRESH: Final = 0.8
"""The part of a lease in which requests may be started: from its end on, another worker may ask the same hosts."""
PAUSE: Final = 1.0
"""Seconds between two renewals, at least."""
log = get_logger("crawler.engine")


class Heartbeat:
    """Calls `Store.extend` three times in each lease, and when another worker has changed something.

    `apply` gets each answer.
    """

    def __init__(self, store: SharedStore, frontier: Frontier, clock: Clock, apply: Callable[[Extended], None]) -> None:
        self._store = store
        self._frontier = frontier
        self._clock = clock
        self._apply = apply
        self._changed = trio.Event()
        self._is_silent = False  # whether it was reported that the store does not answer

    async def run(self) -> None:
        """Renew the lease until cancelled."""
        lease = self._store.lease
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            while True:
                self._changed = trio.Event()
                sent, sent_at = trio.current_time(), self._clock()
                extended = await self._extend()
                if extended is None:
                    raise LeaseLost.after(lease)
                self._frontier.starts_until = sent_at + FRESH * lease
                self._apply(extended)
                self._frontier.changed.set()
                await trio.sleep(min(PAUSE, lease / 10))
                with trio.move_on_at(sent + lease / BEATS):
                    await self._changed.wait()

    async def _extend(self) -> Extended | None:
        """Renew the lease. A store that does not answer in time is reported, once."""
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._report_silence)
            extended = await self._store.extend()
            nursery.cancel_scope.cancel(reason="the store has answered")
        if self._is_silent:
            self._is_silent = False
            log.warning("the store of the job answers again, after %.0f s", trio.current_time() - began)
        return extended

    async def _report_silence(self) -> None:
        """Log that the lease is no longer fresh."""
        await trio.sleep((FRESH - 1 / BEATS) * self._store.lease)
        self._is_silent = True
        log.warning("the store of the job does not answer: no request is started until it does")

    async def _watch(self) -> None:
        """Renew the lease earlier when others have changed something."""
        while True:
            await self._store.changed()
            self._changed.set()
