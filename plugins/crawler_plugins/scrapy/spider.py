"""`ScrapySpider`: a Scrapy spider as a spider of the crawl."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio
from scrapy import signals
from scrapy.settings import Settings

import crawler
from crawler import ConfigError
from crawler.sinks import IfExists
from crawler_plugins.scrapy import aliases, components, processes, replaced, responses
from crawler_plugins.scrapy import settings as mapped
from crawler_plugins.scrapy.attempts import Attempts
from crawler_plugins.scrapy.creation import create_crawler
from crawler_plugins.scrapy.engine import Engine
from crawler_plugins.scrapy.equivalents import equivalents
from crawler_plugins.scrapy.events import Signals
from crawler_plugins.scrapy.failures import exception_of
from crawler_plugins.scrapy.feeds import feeds, given_feeds
from crawler_plugins.scrapy.handlers import Handlers
from crawler_plugins.scrapy.lifecycle import Lifecycle
from crawler_plugins.scrapy.log_file import log_to_file
from crawler_plugins.scrapy.pipelines import Pipelines
from crawler_plugins.scrapy.private import note_version
from crawler_plugins.scrapy.project import Project, root_near, settings_near
from crawler_plugins.scrapy.reactor import TrioReactor
from crawler_plugins.scrapy.redis_job import redis_job
from crawler_plugins.scrapy.requests import REDIRECTS, RequestTranslator
from crawler_plugins.scrapy.retries import Retries, StatusRetryPolicy
from crawler_plugins.scrapy.scheduling import Scheduling
from crawler_plugins.scrapy.scraper import Scraper
from crawler_plugins.scrapy.setting_names import CHANGE_REQUESTS
from crawler_plugins.scrapy.spider_middlewares import SpiderMiddlewares
from crawler_plugins.scrapy.start import Start
from crawler_plugins.scrapy.start_items import StartItems

if TYPE_CHECKING:
    from crawler_plugins.scrapy.check import Checked

__all__ = ["ScrapySpider"]

CLOSING: Final = 10.0
"""Seconds that the components of a project have, at most, to close after the crawl was cancelled or has failed."""
SPIDER_SIDE: Final = "scrapy.spidermiddlewares."
log = logging.getLogger("crawler.plugins.scrapy")


class ScrapySpider(crawler.Spider):
    """A spider of a Scrapy project.

    Parameters:
        project: The folder of the project, which has a ``scrapy.cfg``.
        spider: The name of the spider.
        arguments: Arguments of the spider, as text.
        settings: Settings of Scrapy that override those of the project and the spider.

    Raises:
        ConfigError: There is no such project or spider, or it cannot run; the message has a reason for each part.
    """

    name = "scrapy"

    def __init__(
        self,
        project: str | Path,
        spider: str,
        arguments: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        found = Project(Path(project))
        self.project = str(found.folder)
        kind = found.spider_class(spider)
        for module, why in found.failed_modules.items():
            log.warning("%s cannot be imported, and its spiders are not there: %s", module, why)
        self._set_up(kind, found.settings, arguments or {}, settings or {})

    @classmethod
    def of(
        cls,
        spider_class: Any,
        arguments: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        base: Any = None,
    ) -> ScrapySpider:
        """Return a spider for a class that derives from `scrapy.Spider`.

        Parameters:
            spider_class: The class.
            arguments: Arguments of the spider.
            settings: Settings of Scrapy that override those of the spider.
            base: The settings of the project. `None` means Scrapy's defaults.

        Raises:
            ConfigError: The spider cannot run.
        """
        cls.prepare()
        return cls._made(spider_class, Settings() if base is None else base.copy(), arguments or {}, settings or {})

    @classmethod
    def _made(cls, *parts: Any) -> ScrapySpider:
        """Return a spider. Parameters are those of `_set_up`."""
        self = cls.__new__(cls)
        crawler.Spider.__init__(self)
        self._set_up(*parts)
        return self

    @staticmethod
    def prepare(file: Path | None = None) -> None:
        """Let files that are imported next find this reactor, and names that Scrapy has removed.

        Parameters:
            file: A file that finds the modules of its project as well.

        Raises:
            ConfigError: A reactor of Twisted is installed already.
        """
        TrioReactor.install()
        aliases.install()
        processes.install()
        if file is not None:
            root_near(file)

    @classmethod
    def of_file(cls, spider_class: Any, arguments: Mapping[str, Any], settings: Mapping[str, Any]) -> ScrapySpider:
        """Return a spider for a class; if its file belongs to a Scrapy project, with the settings of the project.

        Parameters are those of `of`.

        Raises:
            ConfigError: The spider cannot run.
        """
        module = sys.modules.get(spider_class.__module__)
        file = getattr(module, "__file__", None)
        cls.prepare()
        return cls._made(spider_class, settings_near(Path(file)) if file else Settings(), arguments, settings)

    @staticmethod
    def check_project(project: Path) -> Iterator[Checked]:
        """Yield a verdict for each spider of a project; nothing is sent. See `crawler_plugins.scrapy.check`.

        Parameters:
            project: The folder of the project.

        Raises:
            ConfigError: There is no project, or its settings cannot be imported.
        """
        from crawler_plugins.scrapy.check import check_project  # noqa: PLC0415 - crawls do not need it

        return check_project(project)

    # ---- before the crawl --------------------------------------------------------------------------------------------

    def _set_up(
        self, spider_class: Any, merged: Any, arguments: Mapping[str, Any], overrides: Mapping[str, Any]
    ) -> None:
        """Create the spider and its components.

        Parameters:
            spider_class: The class of the Scrapy spider.
            merged: The settings of the project. They are changed.
            arguments: Arguments of the spider.
            overrides: Settings that override others.
        """
        note_version()
        replaced.install()
        self.scrapy = create_crawler(spider_class, merged, arguments, overrides)
        """The `scrapy.crawler.Crawler`, with ``settings``, ``stats``, ``signals`` and ``spider``."""
        spider, settings = self.scrapy.spider, self.scrapy.settings
        self.arguments = dict(arguments)
        self.name = str(spider.name)
        self._reactor = TrioReactor.install()
        try:
            self.settings = mapped.crawl_settings(settings, getattr(spider, "user_agent", None))
        except (ValueError, TypeError) as error:
            raise ConfigError(f"the settings of {self.name}: {error}") from error
        self.accept_status = self._accepted(spider, settings)
        self.plugins = equivalents(settings)
        self._wire(spider, settings)

    def _wire(self, spider: Any, settings: Any) -> None:
        """Create the parts of the bridge."""
        scrapy = self.scrapy
        self._signals = Signals(scrapy)
        self._retries = Retries(scrapy)
        self._handlers = Handlers(scrapy)
        fields = mapped.request_headers(settings)
        self._requests = RequestTranslator(spider, settings, self._is_free, fields, self._handlers)
        self._middlewares = self._spider_middlewares(settings)
        self._scheduling = Scheduling(scrapy, self._requests, self._signals)
        self._pipelines = Pipelines(scrapy, self._signals, components.build_components(scrapy, "ITEM_PIPELINES"))
        self._items = StartItems()
        accepted = frozenset(self.accept_status)
        self._attempts = Attempts(
            scrapy, self._signals, self._requests, self._scheduling, accepted, self._retries, self._handlers
        )
        self._scraper = Scraper(
            scrapy,
            self._signals,
            self._requests,
            self._attempts,
            self._scheduling,
            self._middlewares,
            self._pipelines,
            self._items,
        )
        self._engine = scrapy.engine = Engine(
            scrapy,
            self._scheduling.add,
            self._fetch_inline,
            self._fetch_plainly,
            (self._attempts.middlewares.middlewares, self._middlewares.components, self._pipelines.components),
            self._scraper.active,
        )
        self._lifecycle = Lifecycle(
            scrapy,
            self._signals,
            self._pipelines,
            self._scheduling,
            self._attempts,
            self._handlers,
            self._retries,
        )
        self._start = Start(scrapy, self._signals, self._scheduling, self._scraper, self._middlewares, self._items)

    @staticmethod
    def _accepted(spider: Any, settings: Any) -> tuple[int, ...]:
        """Return the statuses that the spider handles itself."""
        codes = {int(code) for code in settings.getlist("HTTPERROR_ALLOWED_CODES")}
        codes |= set(map(int, getattr(spider, "handle_httpstatus_list", ())))
        codes |= set(REDIRECTS)  # Scrapy's own middleware follows them
        if settings.getbool("HTTPERROR_ALLOW_ALL") or getattr(spider, "handle_httpstatus_all", False):
            codes |= set(range(300, 600))
        return tuple(sorted(code for code in codes if 200 <= code < 600))

    def _spider_middlewares(self, settings: Any) -> SpiderMiddlewares:
        """Return the spider middlewares; `Scheduling` does what old versions have one for."""
        made = components.build_components(self.scrapy, "SPIDER_MIDDLEWARES")
        found = [one for one in made if type(one).__name__ != "OffsiteMiddleware"]
        is_bare = all(components.path_of(one).startswith(SPIDER_SIDE) for one in found)
        is_bare &= not settings.getbool("DEPTH_STATS_VERBOSE")  # each request is counted then
        return SpiderMiddlewares(self.scrapy.spider, found, is_bare=is_bare)

    def _is_free(self, name: str) -> bool:
        """Return whether a callback of that name is found by `__getattr__`."""
        return not hasattr(type(self), name) and name not in crawler.Plugin.__annotations__ and name not in vars(self)

    @property
    def job_folder(self) -> str:
        """The place of the job: the setting ``JOBDIR``, or with scrapy-redis its server; empty without either.

        Raises:
            ConfigError: The setting ``REDIS_URL`` names no server.
        """
        settings = self.scrapy.settings
        try:
            return str(settings.get("JOBDIR") or redis_job(settings, self.name))
        except (ValueError, TypeError) as error:
            raise ConfigError(f"the settings of {self.name}: {error}") from None

    @property
    def feed_places(self) -> list[str]:
        """The places of the outputs that the setting ``FEEDS`` names, with the name of the spider in them."""
        named = (uri.replace("%(name)s", self.name) for uri in given_feeds(self.scrapy.settings))
        return ["-" if uri.startswith("stdout:") else uri for uri in named]

    @property
    def keeps_items(self) -> bool:
        """Whether the project has item pipelines, which may store the items."""
        return bool(self._pipelines.components)

    def feeds(self, if_exists: IfExists = "error", job: Path | None = None) -> list[crawler.Plugin]:
        """Return the outputs that the setting ``FEEDS`` names.

        Parameters:
            if_exists: What to do with files that exist: ``overwrite``, or append to them as Scrapy does.
            job: The folder of the durable job.

        Raises:
            ConfigError: One of them cannot be written.
        """
        return feeds(self.scrapy, if_exists, job)

    def __getattr__(self, name: str) -> Any:
        """Return the handler of a callback of the Scrapy spider, which requests name."""
        scrapy = self.__dict__.get("scrapy")
        if scrapy is None or name.startswith("__") or not self._is_free(name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if not callable(getattr(scrapy.spider, name, None)):
            raise AttributeError(f"{type(scrapy.spider).__name__} has no method {name!r}")  # noqa: TRY004 - as `getattr`
        return self._scraper.page

    # ---- the crawl ---------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lifespan(self, crawl: crawler.Crawl) -> AsyncIterator[None]:
        """Open the components of the project, and close them at the end."""
        with log_to_file(self.scrapy.settings):
            async with self._opened(crawl):
                yield

    @asynccontextmanager
    async def _opened(self, crawl: crawler.Crawl) -> AsyncIterator[None]:
        self._requests.durable = self._items.durable = crawl.job.durable
        self._scraper.crawl = self._start.crawl = crawl
        crawl.control.retries = StatusRetryPolicy(crawl.settings, are_on=self._retries.are_on)
        for name, reason in mapped.ignored_settings(self.scrapy.settings):
            level = logging.WARNING if name in CHANGE_REQUESTS else logging.INFO
            log.log(level, "setting %s has no effect: %s", name, reason)
        self._reactor.put_in_place()
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._reactor.keep)
                nursery.start_soon(self._start.report_empty)
                self._engine.open(crawl, nursery.start_soon)
                await self._lifecycle.open(crawl)
                try:
                    yield
                except BaseException:
                    with trio.move_on_after(min(CLOSING, crawl.settings.grace), shield=True):
                        await self._lifecycle.close(crawl, "shutdown")  # noqa: ASYNC102 - shielded, with a deadline
                    raise
                reason = self._start.reason(crawl.reason or "finished")
                await self._lifecycle.close(crawl, "shutdown" if reason == "interrupted" else reason)
                nursery.cancel_scope.cancel(reason="the crawl has ended")
        finally:
            TrioReactor.uninstall()

    # ---- hooks -------------------------------------------------------------------------------------------------------

    def start(self) -> Any:
        """Return the start requests of the Scrapy spider."""
        return self._start.requests()

    async def fetch(self, request: crawler.Request, send: Any) -> Any:
        """Make an attempt, through the downloader middlewares of the project."""
        return await self._attempts.make(request, send)

    def parse(self, response: crawler.Response) -> Any:
        """Handle a page whose request names no callback that `__getattr__` finds."""
        return self._scraper.page(response)

    def lost(self, failure: crawler.Failure) -> Any:
        """Call the errback of a request that has failed."""
        return self._scraper.lost(failure)

    async def failed(self, failure: crawler.Failure) -> Any:
        """Handle a request without an errback that has failed."""
        return None if failure.request.errback else await self._scraper.lost(failure)

    async def _fetch_plainly(self, request: Any) -> Any:
        """Return the response to a web request of a download handler, which no component sees."""
        made = self._requests.to_crawl(request)
        try:
            response = await self.crawl.fetch(made.replace(plugins={**made.plugins, self.name: False}))
        except crawler.RequestError as error:
            raise exception_of(error) from error
        return responses.to_scrapy(response, request)

    async def _fetch_inline(self, request: Any) -> Any:
        """Return the response to a request that a component downloads."""
        made = self._requests.to_crawl(request)
        try:
            response = await self.crawl.fetch(made)
        except crawler.RequestError as error:
            cause = error.__cause__ if isinstance(error, crawler.HookError) else None
            raise (cause or exception_of(error)) from error
        _, theirs = self._attempts.take(response.request)
        if theirs is None:
            is_same = response.request.url == made.url
            theirs = responses.to_scrapy(response, request if is_same else self._requests.to_scrapy(response.request))
        self._signals.send(signals.response_received, response=theirs, request=request)
        return theirs
