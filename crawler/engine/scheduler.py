"""`Scheduler`: runs a crawl. Here are its nurseries, its channels, and the order in which they end.

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

import inspect
import itertools
import math
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextlib import aclosing, nullcontext
from typing import TYPE_CHECKING, Any, Final

import trio
from msgspec import Struct

from crawler.engine.checks import check_callbacks
from crawler.engine.shutdown import FINISH_GRACE
from crawler.engine.writer import Message, NewRequests, Writer
from crawler.frontier import PoppedTicket
from crawler.messages import Request

if TYPE_CHECKING:
    from crawler.engine.background import Background
    from crawler.engine.callbacks import CallbackRunner
    from crawler.engine.crawl import Crawl
    from crawler.engine.lane_loader import LaneLoader
    from crawler.engine.limit_waits import LimitWaits
    from crawler.engine.peers import Peers
    from crawler.engine.robots import RobotsFetcher
    from crawler.engine.shutdown import Shutdown
    from crawler.engine.sinks import SinkRunner
    from crawler.engine.tracebacks import HookErrorLog
    from crawler.engine.worker import Worker
    from crawler.frontier import Frontier
    from crawler.store import Store

__all__ = ["Scheduler"]

CHECKPOINT_FIRST: Final = 1.0
"""Seconds from the start of a job to its first checkpoint while it runs."""
CHECKPOINT_MAX: Final = 30.0
"""Maximum number of seconds between two checkpoints of a job."""

MAX_OUTCOMES: Final = 64
"""Messages that may wait for the writer."""
START_BATCH: Final = 100
"""Start requests that are sent together."""
MAX_STARTS: Final = 10_000
"""Start requests that may wait. More are pulled when these are settled."""


class Scheduler(Struct, eq=False, kw_only=True):
    """Runs a crawl: pulls start requests, hands tickets to workers, and ends when nothing is left to do."""

    crawl: Crawl
    """The facade that spiders and plugins see."""
    store: Store
    """Counts the requests that are not settled."""
    frontier: Frontier
    """Decides which request may start."""
    lanes: LaneLoader
    """Brings lanes into memory."""
    peers: Peers
    """The other workers of the job."""
    worker: Worker
    """Runs in as many tasks as `workers` says."""
    writer: Writer
    """Commits what the workers send."""
    sinks: SinkRunner
    """Store the items."""
    background: Background
    """The requests given to `crawl.add`, and the tasks given to `crawl.start_soon`."""
    shutdown: Shutdown
    """Ends the crawl."""
    robots: RobotsFetcher
    """Fetches robots.txt files."""
    waits: LimitWaits
    """Stops the crawl if limits keep it waiting for too long."""
    errors: HookErrorLog
    """Logs what callbacks and hooks raise."""
    callbacks: CallbackRunner
    """Runs callbacks, here or in other processes."""
    has_dispatched: bool = False
    """Whether a ticket was handed to a worker."""

    @property
    def has_begun(self) -> bool:
        """Whether requests may have been sent."""
        return self.has_dispatched or self.crawl.stats.requests > 0

    async def run(self) -> None:
        """Open the nurseries. Each outlives those inside it: background tasks, then writer and sinks, then workers."""
        tickets, inbox = trio.open_memory_channel[PoppedTicket](0)
        outbox, messages = trio.open_memory_channel[Message](MAX_OUTCOMES)
        kept = trio.Event()

        async def keep(*, task_status: trio.TaskStatus[None]) -> None:
            """Run writer and sinks, shielded from everything but the deadlines of a stop."""
            try:
                async with trio.open_nursery() as keepers:
                    try:
                        await self.sinks.start(keepers)
                        await keepers.start(self.writer.run, messages)
                    except BaseException:
                        self.shutdown.stop_now("cancelled")
                        raise
                    task_status.started()
            finally:
                kept.set()

        try:
            async with trio.open_nursery() as background:
                await self._start_background_tasks(background)
                try:
                    with outbox:
                        with self.shutdown.finishing():  # shielded: `start` of a cancelled task would wait for its end
                            await background.start(keep)
                        self.writer.stop_at_limits()
                        with self.shutdown.working():
                            await self._work(tickets, inbox, outbox)
                    await kept.wait()  # not in the nursery's own wait, where a cancellation would pass unnoticed
                except BaseException:
                    self.shutdown.stop_now("cancelled")
                    raise
                self.background.close()
                background.cancel_scope.cancel(reason="the crawl has ended")
        finally:
            self.errors.finish()
            self.sinks.finish()
            with trio.move_on_after(FINISH_GRACE, shield=True):
                await self.writer.finish()  # first: the last outcome of each lane has stored its state
                await self.lanes.end()

    async def _start_background_tasks(self, background: trio.Nursery) -> None:
        self.background.open(background)
        await background.start(self.callbacks.run)
        background.start_soon(self.peers.run)
        if self.crawl.settings.max_seconds is not None:
            background.start_soon(self._stop_after, self.crawl.settings.max_seconds)
        if self.store.durable:
            background.start_soon(self._make_checkpoints)

    async def _stop_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self.shutdown.stop("max_seconds")

    async def _make_checkpoints(self) -> None:
        """Make a checkpoint of the job after `CHECKPOINT_FIRST` seconds, then in intervals that double."""
        interval = CHECKPOINT_FIRST
        while True:
            await trio.sleep(interval)
            await self.store.checkpoint()
            interval = min(2 * interval, CHECKPOINT_MAX)

    async def _work(
        self,
        tickets: trio.MemorySendChannel[PoppedTicket],
        inbox: trio.MemoryReceiveChannel[PoppedTicket],
        outbox: trio.MemorySendChannel[Message],
    ) -> None:
        """Run the workers and what feeds them, until nothing is left to do or the crawl is stopped."""
        with inbox:
            async with trio.open_nursery() as workers:
                for _ in range(self.crawl.settings.workers):
                    workers.start_soon(self.worker.run, inbox.clone(), outbox.clone())
                async with trio.open_nursery() as feeders:
                    feeders.start_soon(self._feed_start, outbox)
                    feeders.start_soon(self._feed_added, outbox)
                    try:
                        await self._dispatch(tickets)
                    finally:  # after a cancellation too: what brings start requests is shielded from it
                        self.background.is_closed = True
                        self.frontier.changed.set()
                    feeders.cancel_scope.cancel(reason="nothing more is started")

    # ---- tickets go out ----------------------------------------------------------------------------------------------

    async def _dispatch(self, tickets: trio.MemorySendChannel[PoppedTicket]) -> None:
        """Pop a ticket only when a worker waits for one: its pace counts from its true start."""
        clock, frontier = self.crawl.clock, self.frontier
        with tickets:
            while not self.shutdown.stopping.is_set():
                if self.peers.counts:
                    self.writer.stop_at_limits()  # others may have reached one
                frontier.changed.was_set = False
                room_at = await self.lanes.make_room()
                await self.lanes.keep_up()
                has_changed = frontier.changed.was_set  # while a call of the store has waited
                # No checkpoint from here to wait(), or a wake-up is lost.
                look_again = room_at
                waiting = tickets.statistics().tasks_waiting_receive
                while (count := min(waiting, self._room())) > 0:
                    popped, at = frontier.pop_several(clock(), count)
                    for ticket in popped:
                        self.has_dispatched = True
                        tickets.send_nowait(ticket)
                    if len(popped) < count:
                        look_again = min(at, room_at)
                        break
                    waiting -= count
                if self.store.live == 0 and not self._expects_requests():
                    return
                if frontier.windows.to_refill():
                    continue
                if has_changed and self.store.unclaimed and frontier.lanes.room():
                    continue
                look_again = min(look_again, self.peers.due_at())  # after pop, which finds what they hold
                if clock() < look_again < math.inf:
                    self.waits.note(clock())
                    if self.shutdown.stopping.is_set():
                        return
                await frontier.changed.wait_until(clock.to_trio(look_again))

    def _room(self) -> int:
        """Return how many pages more can pass neither `max_pages` nor what a kill may cost.

        A page that waits for its commit counts as in flight, since a kill fetches it again: no more than `workers`
        pages are ever fetched twice.
        """
        settings, in_flight = self.crawl.settings, self.frontier.open_tickets
        room = settings.workers - in_flight
        if settings.max_pages is None:
            return room
        return min(room, settings.max_pages - self.crawl.stats.pages - self.peers.counts.get("pages", 0) - in_flight)

    def _expects_requests(self) -> bool:
        """Whether something may be left to do: `start()` may give more requests, or some are on their way to the store.

        Items of a removed worker are left, too: the outputs of another worker get them.
        """
        store = self.store
        has_requests = self.background.has_requests() or self.writer.arriving > 0
        return not store.exhausted or has_requests or self.peers.has_left_items

    # ---- requests come in --------------------------------------------------------------------------------------------

    async def _feed_start(self, outbox: trio.MemorySendChannel[Message]) -> None:
        """Pull `start()` to its end, whatever form it has."""
        await self.peers.seeds.wait()
        if self.store.exhausted:
            return
        produced = self.crawl.spider.start()
        if inspect.isawaitable(produced):
            produced = await produced
        if isinstance(produced, AsyncIterable):
            await self._pull_async(produced, outbox)
        elif isinstance(produced, Request):
            await self._send_start([produced], outbox, last=True)
        elif produced is None:
            await self._send_start([], outbox, last=True)
        elif isinstance(produced, Iterable) and not isinstance(produced, (str, bytes, dict)):
            await self._pull(iter(produced), outbox)
        else:
            raise TypeError(f"start() must return requests, not {type(produced).__name__}")

    async def _pull(self, produced: Iterator[Any], outbox: trio.MemorySendChannel[Message]) -> None:
        """Send a batch at a time. The last one says so, so that it is stored together with the end of `start()`."""
        last, durable = False, self.store.durable
        while not last and not self.background.is_closed:
            batch = [_checked(value, durable=durable) for value in itertools.islice(produced, START_BATCH)]
            last = len(batch) < START_BATCH
            await self._send_start(batch, outbox, last=last)

    async def _pull_async(self, produced: AsyncIterable[Any], outbox: trio.MemorySendChannel[Message]) -> None:
        """Send one by one, since the next request may take long."""
        async with aclosing(produced) if isinstance(produced, AsyncGenerator) else nullcontext():
            async for value in produced:
                await self._send_start([_checked(value, durable=self.store.durable)], outbox)
                if self.background.is_closed:
                    return  # the next run of the job begins `start()` again
        if not self.background.is_closed:
            await self._send_start([], outbox, last=True)

    async def _send_start(
        self, batch: list[Request], outbox: trio.MemorySendChannel[Message], *, last: bool = False
    ) -> None:
        """Send start requests, and wait while too many of them are not settled.

        Requests without a callback are refused before anything has begun; later, each fails on its own.
        Shielded: while an async `start()` is suspended, no cancel scope that is open in it may reach the engine.
        """
        if not self.has_begun:
            check_callbacks(self.crawl.spider, batch, self.crawl.plugins)
        with trio.CancelScope(shield=True):
            await self._send(batch, outbox, last=last)
            while min(self.writer.starts, self.store.live) > MAX_STARTS and not self.background.is_closed:
                await self.frontier.changed.wait()

    async def _feed_added(self, outbox: trio.MemorySendChannel[Message]) -> None:
        """Send what `crawl.add` was given outside of pages, until the crawl ends."""
        while True:
            if self.background.has_requests():
                await self._send(self.background.take(), outbox)
            else:
                await self.background.wait()

    async def _send(
        self, requests: list[Request], outbox: trio.MemorySendChannel[Message], *, last: bool = False
    ) -> None:
        self.writer.arriving += 1
        try:
            await outbox.send(NewRequests(requests, last))
        except BaseException:
            self.writer.arriving -= 1
            raise


def _checked(value: Any, *, durable: bool) -> Request:
    if not isinstance(value, Request):
        raise TypeError(f"start() must yield requests, not {type(value).__name__}: {value!r:.80}")
    if durable and (reason := value.unstorable()):
        raise TypeError(f"start() yields a request for {value.shown_url} that cannot be stored: {reason}")
    return value
