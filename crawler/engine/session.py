"""`CrawlSession`: a crawl that has been checked. Running it opens store, transport and plugins, and closes them."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from crawler import urls
from crawler.engine.crawl import RunningCrawl
from crawler.engine.job import Job, identity
from crawler.engine.report import Report, Timer
from crawler.engine.scheduler import run_crawl
from crawler.engine.shutdown import LAST
from crawler.engine.sinks import keep_positions, restore_positions
from crawler.errors import ConfigError, CrawlerError, CrawlFailed, JobError, PluginError
from crawler.hooks.page_effects import current_page
from crawler.hooks.plugin import Plugin
from crawler.hooks.table import HookTable
from crawler.limits.registry import Limits
from crawler.messages.checks import parse_statuses
from crawler.scope import Scope
from crawler.settings import Settings
from crawler.sinks import open_output
from crawler.spiders import Spider
from crawler.store import MemoryStore, Store
from crawler.transport.curl import CurlTransport

if TYPE_CHECKING:
    import httpx

    from crawler.fetch.auth import OriginAuth
    from crawler.fetch.proxies import Proxies

__all__ = ["CrawlSession"]

VARIABLES: Final = frozenset({"all_proxy", "http_proxy", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"})
"""What names a proxy in the environment."""
log = logging.getLogger("crawler.engine")


def _check_start(spider: Spider) -> None:
    """Refuses start URLs that are none, before anything is started."""
    if not callable(spider.start):
        raise ConfigError(
            f"{type(spider).__name__}.start is {spider.start!r}, not the method that gives the first requests: "
            "keep an argument of that name in start_urls"
        )
    name = type(spider).__name__
    _check_rest(spider, name)
    if type(spider).start is not Spider.start:
        return
    if isinstance(spider.start_urls, str):
        raise ConfigError(f"start_urls must be a list of URLs, not {spider.start_urls!r}")
    for url in spider.start_urls:
        if not isinstance(url, str):
            raise ConfigError(f"start_urls of {name}: a URL is text, not {url!r}")
        try:
            urls.normalize(url)
        except ValueError as error:
            raise ConfigError(f"start_urls of {name}: {error}") from None


def _check_rest(spider: Spider, name: str) -> None:
    """Refuses attributes of other kinds than they should be."""
    try:
        parse_statuses(spider.accept_status)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: {error}") from None
    if isinstance(spider.plugins, (str, Plugin)) or not isinstance(spider.plugins, Iterable):
        raise ConfigError(f"{name}: plugins must be a list of plugins, not {spider.plugins!r}")


def _check_given(settings: Any, plugins: Any, outputs: Any, job: Any, limits: Any) -> None:
    """Refuses arguments of `crawl`, `run` and `stream` of other kinds than they should be."""
    if settings is not None and not isinstance(settings, Settings):
        raise ConfigError(f"settings must be Settings, as in Settings(delay=1), not {settings!r}")
    for name, given in (("plugins", plugins), ("outputs", outputs)):
        if isinstance(given, (str, Path, Plugin)) or not isinstance(given, Iterable):
            raise ConfigError(f"{name} must be a list, not {given!r}")
    for output in outputs:
        if not isinstance(output, (str, Path, Plugin)):
            raise ConfigError(f"an output is the name of a file or a plugin, not {output!r}")
    if job is not None and not isinstance(job, (str, Path, Job)):
        raise ConfigError(f"job must be the name of a folder, not {job!r}")
    if limits is not None and not isinstance(limits, Limits):
        raise ConfigError(f"limits must be Limits, not {limits!r}")


def _proxies(settings: Settings) -> Proxies | None:
    """The proxies that settings and environment name."""
    if not settings.proxies and not (settings.proxy_env and VARIABLES & os.environ.keys()):
        return None
    from crawler.fetch.proxies import Proxies  # noqa: PLC0415 - most crawls need none

    return Proxies.from_settings(settings, os.environ)


def _credentials(spider: Spider) -> OriginAuth | None:
    """What the spider gives to origins."""
    if not spider.auth:
        return None
    from crawler.fetch.auth import OriginAuth  # noqa: PLC0415 - most crawls need none

    return OriginAuth(spider.auth)


class CrawlSession:
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
        job: str | Path | Job | None,
        limits: Limits | None = None,
    ) -> None:
        _check_given(settings, plugins, outputs, job, limits)
        self.limits = limits
        if isinstance(spider, type) or not isinstance(spider, Spider):
            hint = f" (did you mean {spider.__name__}()?)" if isinstance(spider, type) else ""
            raise ConfigError(f"not a spider: {spider!r}{hint}")
        _check_start(spider)
        own = type(spider).merged_settings() | (spider.settings if "settings" in vars(spider) else Settings())
        self.settings = own | (settings or Settings())
        Scope.of(spider.allowed_domains, self.settings)  # a pattern that is none is told of before anything is started
        self.job = Job(Path(job)) if isinstance(job, (str, Path)) else job
        sinks = [
            output if isinstance(output, Plugin) else open_output(output, in_job=self.job is not None)
            for output in outputs
        ]
        self.spider = spider
        self.plugins: list[Plugin] = [spider, *spider.plugins, *plugins, *sinks]
        self.table = HookTable.build(self.plugins)
        self.proxies = _proxies(self.settings)
        self.credentials = _credentials(spider)
        self.running: RunningCrawl | None = None

    async def run(self, transport: httpx.AsyncBaseTransport | None = None) -> Report:
        """Runs it to its end. Once.

        Raises:
            ConfigError: the transport is none.
            JobError: the job cannot be used.
            CrawlFailed: the crawl could not go on.
        """
        if transport is not None and not hasattr(transport, "handle_async_request"):
            raise ConfigError(f"transport must be an httpx.AsyncBaseTransport, not {transport!r}")
        if type(self.spider).start is Spider.start and not self.spider.start_urls:
            log.warning("%s has no start_urls and no start(): it begins nowhere", type(self.spider).__name__)
        outer = current_page.set(None)  # a crawl inside of a handler is no part of that page
        try:
            async with AsyncExitStack() as stack:
                store = self._store(stack)
                running = await self._running(stack, store, transport)
                timer = Timer(running.clock(), running.stats)
                await self._tell_positions(store)
                if not await self._live(running):
                    raise CrawlFailed("the lifespan of a plugin cancelled the crawl")
                return timer.report(
                    running.stats,
                    now=running.clock(),
                    finished=running.reason or "finished",
                    spider=self.spider.name,
                    stopped_by_limit=running.shutdown.by_limit,
                    interrupted=running.shutdown.interrupted,
                    proxies={} if self.proxies is None else self.proxies.report(),
                )
        except ExceptionGroup as group:
            leaf = _first(group)
            raise (JobError(str(leaf)) if isinstance(leaf, JobError) else CrawlFailed(_told(leaf))) from group
        finally:
            current_page.reset(outer)

    async def _live(self, running: RunningCrawl) -> bool:
        """The lifespans, and the crawl inside; whether it came to an end of its own or by a stop."""
        ended = False
        with running.shutdown.around() as scope:
            if self.settings.max_seconds is not None:  # if a lifespan hangs when all else has ended
                scope.deadline = trio.current_time() + self.settings.max_seconds + self.settings.grace + LAST
            async with AsyncExitStack() as stack:
                for hook in self.table.lifespan:
                    await stack.enter_async_context(_lifespan(hook.plugin, running))
                await keep_positions(self.table.persist, running.store)
                await run_crawl(running)
                ended = True
        return ended or scope.cancelled_caught

    def _store(self, stack: AsyncExitStack) -> Store:
        if self.job is None:
            return MemoryStore()
        from crawler.store.sqlite import SqliteStore  # noqa: PLC0415 - only a job needs it

        power = self.settings.durability == "power"
        return stack.enter_context(
            SqliteStore(self.job.folder, identity(self.spider, self.settings), power=power, override=self.job.override)
        )

    async def _running(
        self, stack: AsyncExitStack, store: Store, transport: httpx.AsyncBaseTransport | None
    ) -> RunningCrawl:
        if transport is None:
            transport = await stack.enter_async_context(
                CurlTransport(
                    connect_timeout=self.settings.connect_timeout,
                    max_headers=self.settings.max_headers,
                    tls_verify=self.settings.tls_verify,
                    http3=self.settings.http3,
                )
            )
        kept = await store.resume_state()
        self.running = RunningCrawl(
            self.spider,
            self.plugins,
            self.table,
            self.settings,
            store,
            transport,
            kept=kept,
            limits=self.limits,
            proxies=self.proxies,
            credentials=self.credentials,
        )
        return self.running

    async def _tell_positions(self, store: Store) -> None:
        """Give each sink its position in the job, before it opens anything."""
        behind = await restore_positions(self.table.persist, store)
        if self.job is not None and self.running is not None and self.running.exhausted and store.live == 0:
            rest = f"{behind} items are still to be written" if behind else "there is nothing to fetch"
            log.warning("%s had finished before: %s", self.job.folder, rest)


@asynccontextmanager
async def _lifespan(plugin: Plugin, running: RunningCrawl) -> AsyncIterator[None]:
    """The plugin's own lifespan; what it raises is a failure of the crawl, in one clear line."""
    try:
        manager = plugin.lifespan(running)
        if not hasattr(manager, "__aenter__"):
            raise PluginError(
                f"{plugin.name}.lifespan() must be an async context manager: decorate it with @asynccontextmanager"
            )
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


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first cause in a group."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def _told(error: BaseException) -> str:
    """An error in one line."""
    text = str(error).partition("\n")[0]
    return text if isinstance(error, CrawlerError) and text else f"{type(error).__name__}: {text}"
