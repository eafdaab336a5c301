"""The picture of a running crawl: its nurseries, its channels, and the order in which they end.

::

    frontier ─pop─► dispatcher ─ready─► workers ─messages─► writer ─commit─► store ─log─► sinks
        ▲              (0)                        (64)        │
        └──────────────────── push(fresh) ────────────────────┘

Only the chain from left to right waits; the way back is a call that returns at once.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from crawler import urls
from crawler.engine.dispatcher import dispatch
from crawler.engine.followers import Followers
from crawler.engine.leases import Leases
from crawler.engine.report import Report, Timer
from crawler.engine.running import RunningCrawl
from crawler.engine.seeds import Seeds
from crawler.engine.shutdown import LAST, Shutdown
from crawler.engine.worker import Worker
from crawler.engine.writer import Message, Writer
from crawler.errors import ConfigError, CrawlerError, CrawlFailed, PluginError
from crawler.fetch.curl import CurlTransport
from crawler.frontier import Ticket
from crawler.hooks.plugin import Plugin
from crawler.hooks.table import HookTable
from crawler.settings import Settings
from crawler.sinks import open_output
from crawler.spiders import Spider
from crawler.store import MemoryStore

if TYPE_CHECKING:
    import httpx

__all__ = ["Prepared", "crawl"]

OUTCOMES: Final = 64
"""Outcomes that may wait for the writer."""
log = logging.getLogger("crawler.engine")


async def crawl(
    spider: Spider,
    *,
    settings: Settings | None = None,
    plugins: Sequence[Plugin] = (),
    outputs: Sequence[str | Path | Plugin] = (),
    job: str | Path | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Report:
    """Crawls inside of a trio program. A cancel scope around it ends it at once; nothing of it is left behind.

    Parameters:
        spider: what to crawl.
        settings: go over those of the spider.
        plugins: run behind those of the spider.
        outputs: files for items, by ending (``.jsonl .json .csv``, ``-`` is standard output), or sinks.
        job: folder of a durable job.
        transport: any httpx transport instead of libcurl; it is not closed.

    Raises:
        ConfigError, PluginError: nothing was started.
        CrawlFailed: the crawl could not go on.
    """
    prepared = Prepared(spider, settings, plugins, outputs, job)
    return await prepared.run(transport)


def _check_start(spider: Spider) -> None:
    """Refuses start URLs that are none, before anything is started."""
    if type(spider).start is not Spider.start:
        return
    name = type(spider).__name__
    if isinstance(spider.start_urls, str):
        raise ConfigError(f"start_urls must be a list of URLs, not {spider.start_urls!r}")
    for url in spider.start_urls:
        if not isinstance(url, str):
            raise ConfigError(f"start_urls of {name}: a URL is text, not {url!r}")
        try:
            urls.normal(url)
        except ValueError as error:
            raise ConfigError(f"start_urls of {name}: {error}") from None


class Prepared:
    """A crawl that has been checked and can be started.

    Raises:
        ConfigError, PluginError: something is wrong with what was given.
    """

    def __init__(
        self,
        spider: Spider,
        settings: Settings | None,
        plugins: Sequence[Plugin],
        outputs: Sequence[str | Path | Plugin],
        job: str | Path | None,
    ) -> None:
        if isinstance(spider, type) or not isinstance(spider, Spider):
            hint = f" (did you mean {spider.__name__}()?)" if isinstance(spider, type) else ""
            raise ConfigError(f"not a spider: {spider!r}{hint}")
        if job is not None:
            raise ConfigError("this version keeps crawls in memory only: leave out job")
        _check_start(spider)
        own = type(spider).merged_settings() | (spider.settings if "settings" in vars(spider) else Settings())
        self.settings = own | (settings or Settings())
        sinks = [output if isinstance(output, Plugin) else open_output(output) for output in outputs]
        self.spider = spider
        self.plugins: list[Plugin] = [spider, *spider.plugins, *plugins, *sinks]
        self.table = HookTable.build(self.plugins)
        self.running: RunningCrawl | None = None

    async def run(self, transport: httpx.AsyncBaseTransport | None = None) -> Report:
        """Runs it to its end. Once."""
        report: Report | None = None
        if type(self.spider).start is Spider.start and not self.spider.start_urls:
            log.warning("%s has no start_urls and no start(): it begins nowhere", type(self.spider).__name__)
        try:
            async with AsyncExitStack() as stack:
                if transport is None:
                    transport = await stack.enter_async_context(
                        CurlTransport(
                            connect_timeout=self.settings.connect_timeout,
                            max_headers=self.settings.max_headers,
                            tls_verify=self.settings.tls_verify,
                            http3=self.settings.http3,
                        )
                    )
                running = RunningCrawl(self.spider, self.plugins, self.table, self.settings, MemoryStore(), transport)
                self.running = running
                timer = Timer(running.clock())
                for hook in self.table.lifespan:
                    await stack.enter_async_context(_lifespan(hook.plugin, running))
                await _run(running)
                report = timer.report(
                    running.stats,
                    now=running.clock(),
                    finished=running.reason or "finished",
                    spider=self.spider.name,
                    stopped_by_limit=running.shutdown.by_limit,
                    interrupted=running.shutdown.interrupted,
                )
        except ExceptionGroup as group:
            raise CrawlFailed(_first_line(group)) from group
        if report is None:
            raise CrawlFailed("the lifespan of a plugin cancelled the crawl")
        return report


@asynccontextmanager
async def _lifespan(plugin: Plugin, running: RunningCrawl) -> AsyncIterator[None]:
    """The plugin's own lifespan; what it raises is a failure of the crawl, in one clear line."""
    manager = plugin.lifespan(running)
    if not hasattr(manager, "__aenter__"):
        raise PluginError(
            f"{plugin.name}.lifespan() must be an async context manager: decorate it with @asynccontextmanager"
        )
    try:
        await manager.__aenter__()
    except (CrawlerError, ExceptionGroup):
        raise
    except Exception as error:
        raise _lifespan_failed(plugin, error) from error
    try:
        yield
    except BaseException as error:  # noqa: ASYNC103 - what it does not raise was cancelled by the plugin itself
        # Only its own cancel scopes are the plugin's to catch: a crawl that failed has failed.
        caught = await manager.__aexit__(type(error), error, error.__traceback__)  # noqa: ASYNC102 - it is its cleanup
        if isinstance(error, Exception) or not caught:
            raise
    else:
        try:
            await manager.__aexit__(None, None, None)
        except (CrawlerError, ExceptionGroup):
            raise
        except Exception as error:
            raise _lifespan_failed(plugin, error) from error


def _lifespan_failed(plugin: Plugin, error: Exception) -> CrawlFailed:
    return CrawlFailed(f"{plugin.name}.lifespan failed: {type(error).__name__}: {error}")


async def _run(running: RunningCrawl) -> None:
    """Opens the nurseries. Each outlives those inside it: helpers of plugins, then writer and sinks, then workers."""
    shutdown = running.shutdown
    ready_send, ready_receive = trio.open_memory_channel[Ticket](0)
    messages, to_write = trio.open_memory_channel[Message](OUTCOMES)
    followers = Followers(running, running.table.persist)
    writer = Writer(running, followers)
    leases = Leases(running.frontier, running.store, running.clock)
    try:
        async with trio.open_nursery() as helpers:
            running.tasks = helpers
            if running.settings.max_seconds is not None:
                helpers.start_soon(_stop_after, shutdown, running.settings.max_seconds)
            async with trio.open_nursery() as keepers:
                await followers.start(keepers)
                await keepers.start(writer.run, to_write)
                try:
                    with messages, shutdown.working():
                        await _work(running, ready_send, ready_receive, messages, writer, leases)
                except BaseException:
                    shutdown.stop_now("cancelled")
                    raise
            running.tasks = None
            helpers.cancel_scope.cancel(reason="the crawl has ended")
    finally:
        with trio.move_on_after(LAST, shield=True):
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
                await dispatch(running, ready_send, seeds, leases)
                feeders.cancel_scope.cancel(reason="nothing more is started")


async def _stop_after(shutdown: Shutdown, seconds: float) -> None:
    await trio.sleep(seconds)
    shutdown.stop("max_seconds")


def _first_line(group: BaseExceptionGroup[BaseException]) -> str:
    """The first cause in a group, in one line."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    text = str(first).partition("\n")[0]
    return text if isinstance(first, CrawlerError) and text else f"{type(first).__name__}: {text}"
