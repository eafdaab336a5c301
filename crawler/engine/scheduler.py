"""The picture of a running crawl: its nurseries, its channels, and the order in which they end.

::

    frontier ─pop─► dispatcher ─ready─► workers ─messages─► writer ─commit─► store ─log─► sinks
        ▲              (0)                        (64)        │
        └──────────────────── push(fresh) ────────────────────┘

Only the chain from left to right waits; the way back is a call that returns at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from crawler.engine.dispatcher import dispatch
from crawler.engine.leases import Leases
from crawler.engine.seeds import Seeds
from crawler.engine.shutdown import LAST, Shutdown
from crawler.engine.sinks import SinkRunner
from crawler.engine.worker import Worker
from crawler.engine.writer import Message, Writer
from crawler.frontier import Ticket

if TYPE_CHECKING:
    from crawler.engine.crawl import RunningCrawl

__all__ = ["run_crawl"]

OUTCOMES: Final = 64
"""Outcomes that may wait for the writer."""


async def run_crawl(running: RunningCrawl) -> None:
    """Opens the nurseries. Each outlives those inside it: helpers of plugins, then writer and sinks, then workers."""
    shutdown = running.shutdown
    ready_send, ready_receive = trio.open_memory_channel[Ticket](0)
    messages, to_write = trio.open_memory_channel[Message](OUTCOMES)
    followers = SinkRunner(running.table.persist, running.store, running.shutdown, running.settings.sink_lag)
    writer = Writer(running, followers)
    leases = Leases(running.frontier, running.store, running.clock, unclean=running.unclean)
    kept = trio.Event()

    async def keep(*, task_status: trio.TaskStatus[None]) -> None:
        """Writer and sinks, shielded from everything but the deadlines of a stop."""
        try:
            async with trio.open_nursery() as keepers:
                try:
                    await followers.start(keepers)
                    await keepers.start(writer.run, to_write)
                except BaseException:
                    shutdown.stop_now("cancelled")
                    raise
                task_status.started()
        finally:
            kept.set()

    try:
        async with trio.open_nursery() as helpers:
            running.start_tasks(helpers)
            if running.settings.max_seconds is not None:
                helpers.start_soon(_stop_after, shutdown, running.settings.max_seconds)
            try:
                with messages:
                    await helpers.start(keep)
                    writer.stop_at_limits()
                    with shutdown.working():
                        await _work(running, ready_send, ready_receive, messages, writer, leases)
                await kept.wait()  # not in the nursery's own wait, where a cancel would pass unnoticed
            except BaseException:
                shutdown.stop_now("cancelled")
                raise
            running.tasks = None
            helpers.cancel_scope.cancel(reason="the crawl has ended")
    finally:
        with trio.move_on_after(LAST, shield=True):
            await writer.finish()  # first: each lane kept its state with its last outcome
            await leases.end()


async def _work(
    running: RunningCrawl,
    ready_send: trio.MemorySendChannel[Ticket],
    ready_receive: trio.MemoryReceiveChannel[Ticket],
    messages: trio.MemorySendChannel[Message],
    writer: Writer,
    leases: Leases,
) -> None:
    """Dispatcher and workers, until there is nothing left to do or a stop has come."""
    with ready_receive:
        async with trio.open_nursery() as workers:
            for _ in range(running.settings.workers):
                workers.start_soon(Worker(running, ready_receive.clone(), messages.clone()).run)
            async with trio.open_nursery() as feeders:
                seeds = Seeds(running, writer, messages)
                feeders.start_soon(seeds.start)
                feeders.start_soon(seeds.added)
                try:
                    await dispatch(running, ready_send, seeds, leases)
                finally:
                    seeds.end()  # even by a cancel, from which those who bring start requests are shielded
                feeders.cancel_scope.cancel(reason="nothing more is started")


async def _stop_after(shutdown: Shutdown, seconds: float) -> None:
    await trio.sleep(seconds)
    shutdown.stop("max_seconds")
