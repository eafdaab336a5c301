"""`CrawlSession`: a crawl with checked arguments. It opens store, transport and lifespans, and closes them."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from crawler.engine.callbacks import check_handlers
from crawler.engine.checks import (
    check_arguments,
    check_beginning,
    check_has_begun,
    check_scope,
    check_spider,
    check_transport,
)
from crawler.engine.forked_copies import ending_copies
from crawler.engine.handler_results import describe_error
from crawler.engine.hook_errors import is_fault
from crawler.engine.lifespans import causes, lifespan
from crawler.engine.report import Report, Timer
from crawler.engine.runs import RunRecorder
from crawler.engine.shutdown import FINISH_GRACE
from crawler.engine.sinks import keep_positions, restore_positions
from crawler.engine.wiring import wire
from crawler.errors import ConfigError, CrawlerError, CrawlFailed, JobError, JobLost, LeaseLost, PluginError
from crawler.files import full_disk_cause
from crawler.hooks.page_effects import current_page
from crawler.hooks.table import HookTable
from crawler.logs import get_logger
from crawler.losses.find import find_objections
from crawler.losses.no_pages import reason_for_no_pages
from crawler.settings import Settings
from crawler.sinks.choose import open_output
from crawler.sinks.if_exists import IfExists
from crawler.spiders import Spider
from crawler.spiders.arguments import learn_secrets
from crawler.store import MemoryStore, Store
from crawler.transport.authorities import trusted_authorities
from crawler.transport.curl import CurlTransport
from crawler.watchdog import Watchdog

if TYPE_CHECKING:
    import httpx

    from crawler.engine.engine import Engine
    from crawler.engine.job import Job
    from crawler.engine.processes.processes import Processes
    from crawler.fetch.auth import OriginAuth
    from crawler.fetch.proxies import Proxies
    from crawler.hooks.plugin import Plugin
    from crawler.limits.registry import Limits

__all__ = ["CrawlSession"]

PROXY_VARIABLES: Final = frozenset({"all_proxy", "http_proxy", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"})
"""Environment variables that name a proxy."""
FREE_SPACE: Final = "free some space, then run it again"
log = get_logger("crawler.engine")


class CrawlSession:
    """A crawl that can be started. Parameters are those of `crawl`."""

    def __init__(
        self,
        spider: Spider,
        settings: Settings | None,
        plugins: Sequence[Plugin],
        outputs: Sequence[str | Path | Plugin],
        job: str | Path | Job | None,
        limits: Limits | None = None,
        if_exists: IfExists = "error",
    ) -> None:
        check_arguments(settings, plugins, outputs, job, limits, if_exists)
        self.spider = check_spider(spider)
        own = type(spider).merged_settings() | (spider.settings if "settings" in vars(spider) else Settings())
        self.settings = (own | (settings or Settings())).resolved()
        check_scope(spider, self.settings)
        self.job = _job_at(job) if isinstance(job, (str, Path)) else job
        if self.job is not None:
            self.job.check()
        folder = None if self.job is None else self.job.folder
        sinks = [
            open_output(output, if_exists=if_exists, job=folder) if isinstance(output, (str, Path)) else output
            for output in outputs
        ]
        self.plugins: list[Plugin] = [spider, *_sessions(spider, self.settings), *spider.plugins, *plugins, *sinks]
        self.table = HookTable.build(self.plugins)
        learn_secrets(spider, self.plugins[1:], self.settings)
        if self.job is None or (folder is not None and not folder.exists()):  # a job may have requests of earlier runs
            written = [hook for hook in self.table.lifespan if not type(hook.plugin).__module__.startswith("crawler.")]
            check_beginning(self.spider, self.settings, has_lifespan=bool(written))
        self.limits = limits
        self.proxies = _proxies(self.settings)
        self.credentials = _credentials(spider)
        self.authorities = trusted_authorities(self.settings.tls_verify, os.environ)
        self.engine: Engine | None = None
        """Set when the crawl has begun."""
        self.outer: trio.Nursery | None = None
        """Where a sink is left that does not end."""
        self._processes: Processes | None = None
        self._may_fork = False

    @contextmanager
    def forked(self) -> Iterator[None]:
        """Fork the launcher of processes for callbacks, if the settings ask for several. It ends after the block."""
        self._may_fork = True
        if self.settings.processes == 1:
            yield
            return
        from crawler.engine.processes.processes import Processes  # noqa: PLC0415 - few crawls need it

        with Processes.forked(self.spider, self.plugins, self.settings) as self._processes:
            yield

    def interrupt(self, *, now: bool = False) -> bool:
        """Stop the crawl because of a signal, and return whether it has begun."""
        if self.engine is None:
            return False
        stop = self.engine.shutdown.stop_now if now else self.engine.shutdown.stop
        stop("interrupted", interrupted=True)
        return True

    async def run(self, transport: httpx.AsyncBaseTransport | None = None) -> Report:
        """Run the crawl to its end. May be called once."""
        check_transport(transport)
        if self.settings.processes != 1 and not self._may_fork:
            from crawler.engine.processes.processes import warn_of_one_process  # noqa: PLC0415 - few crawls need it

            warn_of_one_process()
        timer: Timer | None = None
        outer = current_page.set(None)  # a crawl inside of a handler does not belong to that page
        try:
            async with AsyncExitStack() as stack:
                stack.enter_context(ending_copies())
                store = await self._open_store(stack)
                engine = await self._wire(stack, store, transport)
                engine.shutdown.outer = self.outer
                timer = Timer(engine.crawl.clock(), engine.crawl.stats)
                had_finished = await self._restore_positions(store)
                self.engine = engine  # from here on, a signal stops the crawl; before, it cancels it
                runs = RunRecorder(engine.crawl, store)
                try:
                    await self._run_in_lifespans(engine, store, runs)
                    if self.table.lifespan:
                        with trio.move_on_after(FINISH_GRACE, shield=True):
                            await engine.writer.commits.finish()  # what the lifespans have changed in states
                except BaseException as error:
                    await runs.end(failed=isinstance(error, Exception))  # noqa: ASYNC102 - it is shielded inside
                    raise
                await runs.end(failed=False)
                await self._finish_with_peers(engine, timer)
                return self._report(engine, timer, *self._end(engine, had_finished=had_finished))
        except BaseExceptionGroup as group:
            cause = next(causes(group))
            if not is_fault(group):
                raise
            if isinstance(cause, (ConfigError, JobError, PluginError)) and not self._has_begun():  # nothing was started
                raise type(cause)(str(cause)) from group
            failed = (type(cause) if isinstance(cause, (JobLost, LeaseLost)) else CrawlFailed)(_one_line(cause))
            if timer is not None and self.engine is not None and self._has_begun():
                failed.report = self._report(self.engine, timer, "failed")
            raise failed from group
        finally:
            current_page.reset(outer)

    def _has_begun(self) -> bool:
        """Whether requests may have been sent."""
        return self.engine is not None and self.engine.scheduler.feeder.has_begun

    async def _finish_with_peers(self, engine: Engine, timer: Timer) -> None:
        """Let the report be about all workers of the job.

        A crawl that was stopped does not wait for a store that is away.
        """
        stats, total = engine.crawl.stats, None
        with engine.shutdown.around() as scope:
            scope.deadline = max(scope.deadline, trio.current_time() + FINISH_GRACE)
            total = await engine.writer.commits.peers.finish()
        if scope.cancelled_caught:
            log.warning("the store of the job does not answer: the report is about this worker only")
        if total is not None:
            own = copy.copy(stats)
            stats.restore(total)
            timer.add_workers(own, stats)

    def _end(self, engine: Engine, *, had_finished: bool) -> tuple[str, str]:
        """Return why the crawl ended, and why no start page gave a page; empty if one did."""
        stats, finished = engine.crawl.stats, engine.shutdown.reason or "finished"
        no_pages = reason_for_no_pages(stats, finished)
        if no_pages and not had_finished:
            check_has_begun(self.spider, stats)
            log.warning("%s", no_pages)
        if not had_finished:
            for line in find_objections(stats, finished, self.settings.problem_share):
                log.warning("%s", line)
        return finished, no_pages

    def _report(self, engine: Engine, timer: Timer, finished: str, no_pages: str = "") -> Report:
        """Return the report of a crawl that has ended, or failed."""
        crawl, shutdown = engine.crawl, engine.shutdown
        losses = crawl.job.losses(finished)
        return timer.report(
            crawl.stats,
            now=crawl.clock(),
            finished=finished,
            waiting=crawl.job.waiting,
            no_pages=no_pages,
            spider=self.spider.name,
            stopped_by_limit=shutdown.by_limit,
            interrupted=shutdown.interrupted,
            problems=[*crawl.job.problems, *(loss.message for loss in losses)],
            losses=losses,
            proxies={} if self.proxies is None else self.proxies.report(),
            others_cpu=0.0 if self._processes is None else self._processes.cpu_seconds,
        )

    async def _run_in_lifespans(self, engine: Engine, store: Store, runs: RunRecorder) -> None:
        """Run the crawl inside of the lifespans, until it has finished or is stopped."""
        with Watchdog(engine.shutdown), engine.shutdown.around() as scope:
            if self.settings.max_seconds is not None:  # if a lifespan hangs when all else has ended
                scope.deadline = trio.current_time() + self.settings.max_seconds + self.settings.grace + FINISH_GRACE
            async with AsyncExitStack() as stack:
                for hook in self.table.lifespan:
                    await stack.enter_async_context(lifespan(hook, engine.crawl))
                await keep_positions(self.table.persist, store)
                await engine.writer.commits.keep_states()
                await runs.begin()
                try:
                    await engine.run()
                except JobError as error:
                    raise CrawlFailed(str(error)) from error

    async def _open_store(self, stack: AsyncExitStack) -> Store:
        if self.job is None:
            return stack.enter_context(closing(MemoryStore()))
        again = not any(plugin.repeats for plugin in self.plugins)  # else the crawl begins again when it has finished
        return await stack.enter_async_context(self.job.open(self.spider, self.settings, again=again))

    async def _wire(self, stack: AsyncExitStack, store: Store, transport: httpx.AsyncBaseTransport | None) -> Engine:
        if transport is None:
            transport = await stack.enter_async_context(
                CurlTransport(
                    connect_timeout=self.settings.connect_timeout,
                    max_headers=self.settings.max_headers,
                    tls_verify=self.authorities,
                    http3=self.settings.http3,
                )
            )
        resumed = await store.resume_state()
        if store.exhausted and store.live == 0 and any(plugin.repeats for plugin in self.plugins):
            log.info("%s had finished: it begins again", self.job.shown if self.job else "")
            await store.begin_again()
            resumed = await store.resume_state()
        if self.job is not None:
            check_handlers(self.spider, resumed.handlers, self.job.shown)
        return wire(
            self.spider,
            self.plugins,
            self.settings,
            store,
            transport,
            table=self.table,
            resumed=resumed,
            limits=self.limits,
            proxies=self.proxies,
            credentials=self.credentials,
            processes=self._processes,
        )

    async def _restore_positions(self, store: Store) -> bool:
        """Give each sink its position in the job, before it opens anything. Return whether the job had finished."""
        behind = await restore_positions(self.table.persist, store)
        if self.job is not None and store.exhausted and store.live == 0:
            rest = f"{behind} items are still to be written" if behind else "there is nothing to fetch"
            log.warning("%s had finished before: %s", self.job.shown, rest)
            return True
        return False


def _proxies(settings: Settings) -> Proxies | None:
    """Return the proxies that settings and environment name."""
    if not settings.proxies and not (settings.proxy_env and PROXY_VARIABLES & os.environ.keys()):
        return None
    from crawler.fetch.proxies import Proxies  # noqa: PLC0415 - most crawls need none

    return Proxies.from_settings(settings, os.environ)


def _credentials(spider: Spider) -> OriginAuth | None:
    """Return the credentials that the spider has for origins."""
    if not spider.auth:
        return None
    from crawler.fetch.auth import OriginAuth  # noqa: PLC0415 - most crawls need none

    return OriginAuth(spider.auth)


def _sessions(spider: Spider, settings: Settings) -> list[Plugin]:
    """Return the plugins that log in, and that do not log out."""
    if spider.login is None and not settings.skip_logout and not settings.headers:
        return []
    from crawler.sessions.sessions import session_plugins  # noqa: PLC0415 - most crawls need none

    return session_plugins(spider, settings)


def _one_line(error: BaseException) -> str:
    """Return an error as one line. If the disk is full, it says what to do."""
    text = str(error) if isinstance(error, CrawlerError) else ""
    line = (text or describe_error(error)).partition("\n")[0]
    needs_space = full_disk_cause(error) is not None and FREE_SPACE not in line
    return f"{line}; {FREE_SPACE}" if needs_space else line


def _job_at(place: str | Path) -> Job:
    from crawler.engine.job import Job  # noqa: PLC0415 - a crawl without a job does not need it

    return Job(place)
