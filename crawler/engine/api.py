"""How a crawl is started: `crawl` in a trio program, `run` in a script, `stream` to read items while it runs."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from crawler.async_block import async_block
from crawler.engine.report import Report
from crawler.engine.session import CrawlSession
from crawler.engine.shutdown import leave_loop, run_loop
from crawler.engine.signals import SignalThread
from crawler.errors import ConfigError, CrawlerError
from crawler.event_loop import require_trio
from crawler.hooks.plugin import Plugin
from crawler.limits.registry import Limits
from crawler.messages import Item, Row
from crawler.settings import Settings
from crawler.sinks.if_exists import IfExists
from crawler.spiders import Spider

if TYPE_CHECKING:
    import httpx

    from crawler.engine.job import Job

__all__ = ["ItemStream", "crawl", "run", "stream"]

INSTEAD: Final = (
    "call run(spider), or crawl_items(spider) for its items, without await; in IPython and Jupyter, %autoawait trio "
    "makes await work; an asyncio program awaits asyncio.to_thread(run, spider)"
)
"""How to run a crawl in asyncio."""


async def crawl(
    spider: Spider,
    *,
    settings: Settings | None = None,
    plugins: Sequence[Plugin] = (),
    outputs: Sequence[str | Path | Plugin] = (),
    job: str | Path | Job | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    limits: Limits | None = None,
    if_exists: IfExists = "error",
) -> Report:
    """Run a crawl in a trio program. When its cancel scope is cancelled it ends within a second and leaves no task.

    Parameters:
        spider: The spider to run.
        settings: Override those of the spider.
        plugins: Run after those of the spider.
        outputs: Names of files or URLs for items, as `crawler.sinks.open_output` takes them, or sinks.
        job: Folder of a durable job. The same crawl with the same folder continues where the last run stopped.
        transport: An httpx transport to use instead of libcurl. It is not closed.
        limits: Quotas and budgets shared with other crawls and clients in this event loop.
        if_exists: What to do with an output that exists: ``error``, ``overwrite`` or ``append``. A job continues its
            own outputs.

    Raises:
        ConfigError: An argument or a setting is wrong, or this is not a trio program. Nothing was started.
        PluginError: A plugin breaks the contract of its hooks. Nothing was started.
        JobError: The job is in use, is damaged, or belongs to another crawl. Nothing was started.
        CrawlFailed: The crawl could not continue; for instance because a disk is full.
    """
    require_trio("crawl()", INSTEAD)
    return await CrawlSession(spider, settings, plugins, outputs, job, limits, if_exists).run(transport)


def run(
    spider: Spider,
    *,
    settings: Settings | None = None,
    plugins: Sequence[Plugin] = (),
    outputs: Sequence[str | Path | Plugin] = (),
    job: str | Path | Job | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    limits: Limits | None = None,
    if_exists: IfExists = "error",
) -> Report:
    """Run a crawl in an event loop of its own. May be called any number of times.

    In the main thread SIGINT, SIGTERM and, unless ``nohup`` ignores it, SIGHUP are handled. After the first signal no
    request is started, and those in flight have `grace` seconds; the second signal cancels them. A sink that does
    not end is left, with its thread and the event loop. If the crawl does not end then, a warning names the code that
    it waits for; the third signal, or a single SIGTERM or SIGHUP, ends the process with exit code 130.
    Parameters and errors are those of `crawl`, but a `KeyboardInterrupt` of a callback or hook is not in a group.
    """
    if trio.lowlevel.in_trio_run():
        raise ConfigError("run() has an event loop of its own: in a trio program write await crawl(spider)")
    session = CrawlSession(spider, settings, plugins, outputs, job, limits, if_exists)
    try:
        with session.forked():
            report = run_loop(_run_alone, session, transport)
        if isinstance(report, BaseException):
            raise report
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        raise KeyboardInterrupt from group  # the callers of a function without nurseries expect no group
    return report


async def _run_alone(session: CrawlSession, transport: httpx.AsyncBaseTransport | None) -> Report | BaseException:
    async with trio.open_nursery() as session.outer:
        result: Report | BaseException
        try:
            result = await _run_with_signals(session, transport)
        except BaseException as error:  # noqa: ASYNC103 - raised in `run`
            result = error
        if session.outer.child_tasks:
            await leave_loop(result)
    return result


async def _run_with_signals(session: CrawlSession, transport: httpx.AsyncBaseTransport | None) -> Report:
    if threading.current_thread() is not threading.main_thread():
        return await session.run(transport)

    def stop(at_once: bool) -> None:
        if not session.interrupt(now=at_once):
            opening.cancel(reason="a signal came before the crawl began")

    with trio.CancelScope() as opening, SignalThread(stop, session.settings.grace):
        return await session.run(transport)
    raise KeyboardInterrupt


class ItemStream:
    """The items of a running crawl, in the order of their commits: `async for item in items`."""

    def __init__(self, items: trio.MemoryReceiveChannel[Item]) -> None:
        self._items = items
        self.report: Report | None = None
        """The report, once the crawl has ended."""
        self.failure: CrawlerError | None = None
        """The error that ended the crawl; `None` without one."""
        self.raised = False
        """Whether the loop over the items has raised `failure`."""

    def __aiter__(self) -> AsyncIterator[Item]:
        return self

    async def __anext__(self) -> Item:
        try:
            return await self._items.receive()
        except trio.EndOfChannel:
            if self.failure is not None and not self.raised:
                self.raised = True
                raise self.failure  # noqa: B904 - its cause is its own
            raise StopAsyncIteration from None


class _StreamSink(Plugin):
    """Sends items one at a time. A request for the next one acknowledges the one before."""

    name = "stream"

    def __init__(self, items: trio.MemorySendChannel[Item]) -> None:
        self._items = items

    async def persist(self, batch: Sequence[Row]) -> Any:
        try:
            for row in batch:
                await self._items.send(row.value)
        except trio.BrokenResourceError:
            pass  # the block was left


@async_block("async with stream(spider) as items, then async for item in items")
@asynccontextmanager
async def stream(
    spider: Spider,
    *,
    settings: Settings | None = None,
    plugins: Sequence[Plugin] = (),
    outputs: Sequence[str | Path | Plugin] = (),
    transport: httpx.AsyncBaseTransport | None = None,
    limits: Limits | None = None,
    if_exists: IfExists = "error",
) -> AsyncIterator[ItemStream]:
    """Run a crawl alongside a block that reads its items. A slow reader slows the crawl; leaving the block ends it.

    Parameters and errors are those of `crawl`. The loop over the items raises `CrawlFailed`. An exception of the block
    passes through unchanged.
    """
    require_trio("stream()", INSTEAD)
    send, receive = trio.open_memory_channel[Item](0)
    session = CrawlSession(spider, settings, [*plugins, _StreamSink(send)], outputs, None, limits, if_exists)
    items = ItemStream(receive)
    raised: Exception | None = None

    async def feed() -> None:
        with send:
            try:
                items.report = await session.run(transport)
            except CrawlerError as error:
                items.failure = error

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed)
        try:
            yield items
        except Exception as error:
            raised = error
        receive.close()
        nursery.cancel_scope.cancel(reason="the block of stream() was left")
    if raised is not None:
        raise raised
    if items.failure is not None and not items.raised:
        raise items.failure
