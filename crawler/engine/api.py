"""The doors: `crawl` in a trio program, `run` for a script, `stream` for who wants the items as they come."""

from __future__ import annotations

import signal
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from crawler.engine.job import Job
from crawler.engine.report import Report
from crawler.engine.session import CrawlSession
from crawler.errors import CrawlerError
from crawler.hooks.plugin import Plugin
from crawler.limits.registry import Limits
from crawler.messages import Item, Row
from crawler.settings import Settings
from crawler.spiders import Spider

if TYPE_CHECKING:
    import httpx

__all__ = ["ItemStream", "crawl", "run", "stream"]


async def crawl(
    spider: Spider,
    *,
    settings: Settings | None = None,
    plugins: Sequence[Plugin] = (),
    outputs: Sequence[str | Path | Plugin] = (),
    job: str | Path | Job | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    limits: Limits | None = None,
) -> Report:
    """Crawls inside of a trio program. A cancel scope around it ends it at once; nothing of it is left behind.

    Parameters:
        spider: what to crawl.
        settings: go over those of the spider.
        plugins: run behind those of the spider.
        outputs: files for items, by ending (``.jsonl .json .csv``, ``-`` is standard output), or sinks.
        job: folder of a durable job: the same crawl with the same folder goes on where it was.
        transport: any httpx transport instead of libcurl; it is not closed.
        limits: quotas and budgets that it shares with other crawls and clients in this event loop.

    Raises:
        ConfigError, PluginError: nothing was started.
        JobError: the job is in use, damaged, or another crawl's; or its disk is full.
        CrawlFailed: the crawl could not go on.
    """
    return await CrawlSession(spider, settings, plugins, outputs, job, limits).run(transport)


def run(
    spider: Spider,
    *,
    settings: Settings | None = None,
    plugins: Sequence[Plugin] = (),
    outputs: Sequence[str | Path | Plugin] = (),
    job: str | Path | Job | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    limits: Limits | None = None,
) -> Report:
    """Crawls in an event loop of its own; may be called any number of times.

    In the main thread SIGINT and SIGTERM are handled: the first takes no new work and lets what is in flight end
    within `grace`, the second ends it at once. Parameters and errors are those of `crawl`.
    """
    session = CrawlSession(spider, settings, plugins, outputs, job, limits)
    report: Report = trio.run(_run_with_signals, session, transport)
    return report


async def _run_with_signals(session: CrawlSession, transport: httpx.AsyncBaseTransport | None) -> Report:
    if threading.current_thread() is not threading.main_thread():
        return await session.run(transport)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_handle_signals, signals, session)
            try:
                report = await session.run(transport)
            except Exception as error:
                failure: Exception | None = error
            else:
                failure = None
            nursery.cancel_scope.cancel(reason="the crawl has ended")
    if failure is not None:
        raise failure
    return report


async def _handle_signals(signals: AsyncIterator[int], session: CrawlSession) -> None:
    """Stop gracefully at the first signal and at once at the second; raise `KeyboardInterrupt` at the third."""
    count = 0
    async for _ in signals:
        count += 1
        if count > 2 or not session.interrupt(now=count == 2):
            raise KeyboardInterrupt


class ItemStream:
    """The items of a running crawl, as they come: `async for item in items`."""

    def __init__(self, items: trio.MemoryReceiveChannel[Item]) -> None:
        self._items = items
        self.report: Report | None = None
        """What the crawl did, once it has ended."""
        self.failure: CrawlerError | None = None
        """Why the crawl could not go on, if so."""
        self.raised = False
        """Whether that was raised."""

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
    """Hands items over one at a time: the next is sent when it is asked for, so the one before is acknowledged."""

    name = "stream"

    def __init__(self, items: trio.MemorySendChannel[Item]) -> None:
        self._items = items

    async def persist(self, batch: Sequence[Row]) -> Any:
        try:
            for row in batch:
                await self._items.send(row.value)
        except trio.BrokenResourceError:
            pass  # nobody listens any more


@asynccontextmanager
async def stream(
    spider: Spider,
    *,
    settings: Settings | None = None,
    plugins: Sequence[Plugin] = (),
    outputs: Sequence[str | Path | Plugin] = (),
    transport: httpx.AsyncBaseTransport | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[ItemStream]:
    """Crawls beside the block and gives it the items; a slow reader slows the crawl; leaving the block ends it.

    Parameters and errors are those of `crawl`; a `CrawlFailed` comes out of the loop over the items. What is raised
    in the block comes out as it is.
    """
    send, receive = trio.open_memory_channel[Item](0)
    session = CrawlSession(spider, settings, [*plugins, _StreamSink(send)], outputs, None, limits)
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
