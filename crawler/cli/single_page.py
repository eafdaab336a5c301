"""One page, asked for as a crawl would ask: what the commands that look at a single URL have in common."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Annotated, Final

from cyclopts import Parameter

from crawler.cli.configuration import Layers
from crawler.cli.logs import Level, log_to_stderr, say
from crawler.cli.target import web_url
from crawler.engine.api import run
from crawler.engine.crawl import RunningCrawl
from crawler.errors import BadRedirect, Refused, RequestError
from crawler.limits.throttle import Throttle
from crawler.messages import Failure, Produced, Request, Response, Stop, Usage
from crawler.settings import Settings
from crawler.spiders import Spider

__all__ = ["LogLevel", "OnePage", "SettingTexts", "Url", "ask", "get", "status_line"]

Url = Annotated[str, Parameter(help="An absolute http or https URL.")]
SettingTexts = Annotated[
    tuple[str, ...], Parameter(name=["-s", "--setting"], metavar="NAME=VALUE", help="A setting. Repeatable.")
]
LogLevel = Annotated[Level, Parameter(help="What is logged to standard error; debug shows every request.")]
LONG: Final = 2.0
"""Seconds: somebody who waits longer before a terminal wants to know why."""

USUAL: Final = Settings()


class OnePage(Spider):
    """Asks for one page and keeps what came of it.

    Parameters:
        request: for the page; whoever names it at a command line begins there.
    """

    name = "fetch"

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request.replace(callback=None, errback=self.gave_up, depth=0, redirects=())
        self.response: Response | None = None
        self.error: RequestError | None = None

    def start(self) -> Produced:
        """The one request."""
        return [self.request]

    def parse(self, response: Response) -> Produced:
        """Keeps the page."""
        self.response = response
        return None

    def gave_up(self, failure: Failure) -> Produced:
        """Keeps the answer with a status that is no success, or the reason why there is none."""
        self.error = failure.error
        if isinstance(failure.error, Refused) and failure.error.by == "robots":
            self.error = Refused(f"{failure.error} (-s obey_robots=false asks all the same)", by="robots")
        if not isinstance(failure.error, (BadRedirect, Refused)):
            self.response = failure.response
        return None

    def measure(self, usage: Usage) -> Stop | None:
        """Says why nothing comes where a server wants to be asked later."""
        throttle = self.throttle(usage)
        wait = throttle.ready_at(self.crawl.clock()) - self.crawl.clock() if throttle is not None else 0.0
        if usage.event == "refused" and usage.response is not None and LONG < wait < math.inf:
            status = status_line(usage.response.status)
            say(f"crawler: {usage.request.url} answered {status}: asked again in {wait:.0f} s\n")
        return None

    def throttle(self, usage: Usage) -> Throttle | None:
        """What the crawl knows of the limits of the lane that was asked."""
        crawl = self.crawl
        lane = crawl.frontier.lanes.get(usage.lane) if isinstance(crawl, RunningCrawl) else None
        return None if lane is None else lane.throttle


def get(url: str, setting: tuple[str, ...], log_level: Level) -> Response:
    """The answer to one request, redirects followed; any status is one.

    Raises:
        ConfigError: the URL or a setting is wrong.
        RequestError: there was no answer.
        KeyboardInterrupt: Ctrl-C.
    """
    log_to_stderr(log_level)
    request = Request(web_url(url))
    return ask(OnePage(request), Layers.read(settings=setting))


def ask(spider: OnePage, layers: Layers, *, always: Settings = USUAL, tell: bool = True) -> Response:
    """What came of it; errors as of `get`.

    Parameters:
        spider: whom to ask.
        layers: settings and plugins.
        always: settings that go over those.
        tell: whether a status that is no success is told on standard error.
    """
    settings = Settings(grace=0.0) | layers.settings | always
    if logging.getLogger().level == logging.WARNING:  # what the engine would warn of is told once, by the error
        logging.getLogger("crawler.engine").setLevel(logging.ERROR)
    report = run(spider, settings=settings, plugins=layers.plugins)
    if report.interrupted:
        raise KeyboardInterrupt
    if spider.response is None:
        raise spider.error or _refused(spider.request.url, report.filtered)
    status = spider.response.status
    if tell and not 200 <= status < 300:
        say(f"crawler: {spider.response.url} answered {status_line(status)}\n")
    return spider.response


def _refused(url: str, filtered: dict[str, int]) -> RequestError:
    """Why a request was not made."""
    by = ", ".join(filtered) or "the crawl"
    return Refused(f"{url} was not asked for: {by}", by=by)


def status_line(status: int) -> str:
    """``404 Not Found``; a status that nobody knows is a number."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
