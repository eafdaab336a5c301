"""`Scheduler`: hands tickets to workers, one for each worker that waits, and ends when nothing is left to do.

Rule: a ticket is popped only for a worker that waits for one, so its pace counts from its true start.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.engine.crawl_limits import CrawlLimits, NoCrawlLimits
    from crawler.engine.lane_loader import LaneLoader
    from crawler.engine.limit_waits import LimitWaits
    from crawler.engine.new_requests import Feeder
    from crawler.engine.shutdown import Shutdown
    from crawler.engine.worker import Outbox
    from crawler.frontier import Frontier, PoppedTicket

__all__ = ["Scheduler"]


class Scheduler:
    """Pops tickets from the frontier while what feeds it runs beside."""

    def __init__(
        self,
        frontier: Frontier,
        lanes: LaneLoader,
        feeder: Feeder,
        limits: CrawlLimits | NoCrawlLimits,
        waits: LimitWaits,
        shutdown: Shutdown,
        clock: Clock,
        workers: int,
    ) -> None:
        self.frontier = frontier
        self.feeder = feeder
        self.workers = workers
        self._lanes = lanes
        self._limits = limits
        self._waits = waits
        self._shutdown = shutdown
        self._clock = clock

    async def run(self, tickets: trio.MemorySendChannel[PoppedTicket], outbox: Outbox) -> None:
        """Hand out tickets until nothing is left to do or the crawl is stopped, and bring new requests meanwhile."""
        async with trio.open_nursery() as feeders:
            feeders.start_soon(self.feeder.feed_start, outbox)
            feeders.start_soon(self.feeder.feed_added, outbox)
            try:
                await self._dispatch(tickets)
            finally:
                self.feeder.close()
            feeders.cancel_scope.cancel(reason="nothing more is started")

    async def _dispatch(self, tickets: trio.MemorySendChannel[PoppedTicket]) -> None:
        """Pop a ticket only when a worker waits for one: its pace counts from its true start."""
        clock, frontier, lanes = self._clock, self.frontier, self._lanes
        with tickets:
            while not self._shutdown.stopping.is_set():
                self._limits.check()  # another worker of the job may have reached one
                frontier.changed.was_set = False
                room_at = min(await lanes.make_room(), lanes.try_unreachable(has_more=self.feeder.has_more()))
                await lanes.keep_up()
                has_changed = frontier.changed.was_set  # while a call of the store has waited
                # No checkpoint from here to wait(), or a wake-up is lost.
                look_again = room_at
                waiting = tickets.statistics().tasks_waiting_receive
                while (count := min(waiting, self._room())) > 0:
                    popped, at = frontier.pop_several(clock(), count)
                    for ticket in popped:
                        tickets.send_nowait(ticket)
                    if len(popped) < count:
                        look_again = min(at, room_at)
                        break
                    waiting -= count
                if self.feeder.has_ended():
                    return
                if frontier.windows.to_refill():
                    continue
                if has_changed and lanes.has_unclaimed():
                    continue
                look_again = min(look_again, lanes.due_at())  # after pop, which finds what they hold
                if clock() < look_again < math.inf:
                    self._waits.note(clock())
                    if self._shutdown.stopping.is_set():
                        return
                await frontier.changed.wait_until(clock.to_trio(look_again))

    def _room(self) -> int:
        """Return how many pages more may start."""
        in_flight = self.frontier.open_tickets  # also what waits for its commit: a kill fetches that again, but no more
        return self._limits.room(self.workers - in_flight, in_flight)
