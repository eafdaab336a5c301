"""``crawler plan``: the first requests of a crawl, without sending anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Final

from crawler import urls
from crawler.cli.arguments import Argument
from crawler.cli.configuration import Configuration, parse_pairs
from crawler.cli.logs import log_to_stderr, plural
from crawler.cli.options import ArgumentTexts, LogLevel, SettingTexts
from crawler.cli.settings import changed_settings
from crawler.cli.standard_streams import show
from crawler.cli.target import make_spider
from crawler.engine.api import run
from crawler.hooks.crawl import Crawl
from crawler.hooks.plugin import Plugin
from crawler.messages import Drop, Request
from crawler.settings import Settings
from crawler.spiders import Spider

__all__ = ["plan"]

MAX_SHOWN: Final = 20
"""Default number of start requests that are printed, and maximum number of hosts."""
MAX_COUNTED: Final = 10_000
"""Maximum number of start requests that are counted: `start` may never end."""


class _Planner(Plugin):
    """Records the start requests, and sends none."""

    name = "plan"

    def __init__(self) -> None:
        self.requests: list[Request] = []

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """End the crawl as an interruption does: no plugin is to judge its result."""
        yield
        crawl.stop("interrupted")

    def admit(self, request: Request) -> Drop:
        """Record a request."""
        self.requests.append(request)
        if len(self.requests) >= MAX_COUNTED:
            self.crawl.stop("plan")
        return Drop("planned")


def plan(
    target: Annotated[str, Argument("A spider: FILE.py, FILE.py:Class, MODULE:Class, or the URL of a site.")],
    /,
    *,
    requests: Annotated[int, Argument("Number of start requests to print; default 20.", metavar="N")] = MAX_SHOWN,
    argument: ArgumentTexts = (),
    setting: SettingTexts = (),
    log_level: LogLevel = "error",
) -> int:
    """Print what a crawl would start with, and send nothing.

    It prints settings, plugins, hosts with their pace, and the first requests. The method start() of the spider runs:
    if it fetches a page itself, that request is sent.

    Example: crawler plan books.py -s delay=1
    """
    log_to_stderr(log_level)
    configuration = Configuration.load(settings=setting, arguments=parse_pairs(argument, "-a"))
    spider = make_spider(target, configuration.arguments)
    settings = spider.settings | configuration.settings
    show(_facts(spider, configuration))
    planner = _Planner()
    run(spider, settings=Settings(grace=0.0) | configuration.settings, plugins=[*configuration.plugins, planner])
    show(_hosts(planner.requests, settings))
    show(
        f"request   {request.method} {request.url}  {request.callback or 'parse'}"
        for request in planner.requests[:requests]
    )
    if len(planner.requests) > requests:
        more = "at least " if len(planner.requests) >= MAX_COUNTED else ""
        show([f"          and {more}{len(planner.requests) - requests} more"])
    return 0 if planner.requests else 4


def _facts(spider: Spider, configuration: Configuration) -> Iterator[str]:
    """Yield the lines that are known before the spider starts."""
    yield f"spider    {spider.name} ({type(spider).__module__}:{type(spider).__qualname__})"
    for line in changed_settings(spider, configuration):
        yield f"setting   {line}"
    plugins = [plugin.name for plugin in (*spider.plugins, *configuration.plugins)]
    if plugins:
        yield f"plugins   {', '.join(plugins)}"
    yield f"outputs   {', '.join(configuration.outputs) or 'none'}"
    if configuration.job:
        yield f"job       {configuration.job}"


def _hosts(requests: Sequence[Request], settings: Settings) -> Iterator[str]:
    """Yield each host with its start requests and its pace."""
    lanes = Counter(request.lane or urls.origin(request.url) for request in requests)
    for lane, count in lanes.most_common(MAX_SHOWN):
        pace = settings.pace(lane)
        parts = [plural(count, "start request"), f"up to {pace.concurrency} in flight"]
        if pace.delay:
            parts.append(f"{pace.delay:g} s between two")
        parts += [f"rate {rate}" for rate in pace.rate or ()]
        yield f"host      {lane}: {', '.join(parts)}"
    if len(lanes) > MAX_SHOWN:
        yield f"          and {len(lanes) - MAX_SHOWN} more"
    if not requests:
        yield "host      none: the spider has no start requests"
