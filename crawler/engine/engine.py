"""`Engine`: runs a crawl. Here are its nurseries, its channels, and the order in which they end.

::

    start() ─┐ NewRequests            Tickets            Outcomes
    add() ───┴──────────► writer     ┌──(0)──► workers ───(64)───► writer ─commit─► store ─log─► sinks
                                     │                               │
              frontier ─pop─► scheduler                              │
                 ▲                                                   │
                 └───────────────────── push(fresh) ─────────────────┘

The number in parentheses is how many a channel holds. Only the chain from left to right waits; the way back from the
writer to the frontier is a call that returns at once, so pages may discover any number of requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from crawler.engine.shutdown import FINISH_GRACE
from crawler.engine.writer import Message
from crawler.frontier import PoppedTicket

if TYPE_CHECKING:
    from crawler.engine.background import Background
    from crawler.engine.crawl import Crawl
    from crawler.engine.lane_loader import LaneLoader
    from crawler.engine.scheduler import Scheduler
    from crawler.engine.shutdown import Shutdown
    from crawler.engine.tracebacks import ErrorLog
    from crawler.engine.worker import Inbox, Outbox, Worker
    from crawler.engine.writer import Writer

__all__ = ["Engine"]


class Engine:
    """Starts the tasks of a crawl, and ends them when nothing is left to do or the crawl is stopped."""

    def __init__(
        self,
        crawl: Crawl,
        scheduler: Scheduler,
        worker: Worker,
        writer: Writer,
        background: Background,
        lanes: LaneLoader,
        shutdown: Shutdown,
        errors: ErrorLog,
    ) -> None:
        self.crawl = crawl
        self.scheduler = scheduler
        self.writer = writer
        self.shutdown = shutdown
        self._worker = worker
        self._background = background
        self._lanes = lanes
        self._errors = errors

    async def run(self) -> None:
        """Open the nurseries. Each outlives those inside it: background tasks, then writer and sinks, then workers."""
        tickets, inbox = trio.open_memory_channel[PoppedTicket](0)
        outbox, messages = trio.open_memory_channel[Message](64)  # as many as the writer commits at once
        try:
            async with trio.open_nursery() as background:
                self._background.open(background)
                try:
                    with outbox:
                        with self.shutdown.finishing():  # shielded: `start` of a cancelled task would wait for its end
                            await background.start(self.writer.run, messages)
                        with self.shutdown.working():
                            await self._work(tickets, inbox, outbox)
                    # not in the nursery's own wait, where a cancellation would pass unnoticed
                    await self.writer.ended.wait()
                except BaseException:
                    self.shutdown.stop_now("cancelled")
                    raise
                self._background.close()
                background.cancel_scope.cancel(reason="the crawl has ended")
        finally:
            self._errors.finish()
            with trio.move_on_after(FINISH_GRACE, shield=True):
                await self.writer.commits.finish()  # first: the last outcome of each lane has stored its state
                await self._lanes.end()

    async def _work(self, tickets: trio.MemorySendChannel[PoppedTicket], inbox: Inbox, outbox: Outbox) -> None:
        """Run the workers and the scheduler, until nothing is left to do or the crawl is stopped."""
        with inbox:
            async with trio.open_nursery() as workers:
                for _ in range(self.scheduler.workers):
                    workers.start_soon(self._worker.run, inbox.clone(), outbox.clone())
                # not awaited here, where each of its steps would resume the frames of all callers
                workers.start_soon(self.scheduler.run, tickets, outbox)
