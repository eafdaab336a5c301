"""Fetch one page as in a crawl: the common part of the commands that take a URL."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Final

from crawler.cli.configuration import Configuration
from crawler.cli.logs import Level, log_to_stderr, say
from crawler.cli.target import check_url
from crawler.engine.api import run
from crawler.errors import BadRedirect, Refused, RequestError, Walled
from crawler.hooks.crawl import Crawl
from crawler.limits.throttle_statistics import ThrottleStatistics
from crawler.messages import Failure, Produced, Request, Response, Stop, Usage
from crawler.settings import Settings
from crawler.spiders import Spider

__all__ = [
    "SinglePage",
    "exit_code",
    "explain_wait",
    "fetch_page",
    "get",
    "quiet_engine",
    "report_status",
    "status_line",
    "with_browser",
    "with_hint",
]

LONG_WAIT: Final = 2.0
"""Seconds; a longer wait is explained to the user."""
NO_OVERRIDES: Final = Settings()


class SinglePage(Spider):
    """Fetches one page, and keeps its response or error."""

    name = "fetch"

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request.replace(callback=None, errback=self.gave_up, depth=0, redirects=())
        self.response: Response | None = None
        self.error: RequestError | None = None

    def start(self) -> Produced:
        """Return the one request."""
        return [self.request]

    def parse(self, response: Response) -> Produced:
        """Keep the page."""
        self.response = response
        return None

    def gave_up(self, failure: Failure) -> Produced:
        """Keep the response if its status is not a success, or the error."""
        self.error = with_hint(failure.error)
        if not isinstance(failure.error, (BadRedirect, Refused, Walled)):
            self.response = failure.response
        return None

    def measure(self, usage: Usage) -> Stop | None:
        """Explain a long wait that the server asks for."""
        explain_wait(self.crawl, usage)
        return None

    def limit(self, usage: Usage) -> ThrottleStatistics | None:
        """Return what the limits of the lane of an attempt allow; `None` if the crawl does not know them."""
        return self.crawl.control.statistics().limits.get(usage.lane)


def explain_wait(crawl: Crawl, usage: Usage) -> None:
    """Explain on standard error a long wait that a server requires."""
    limit = crawl.control.statistics().limits.get(usage.lane)
    wait = limit.ready_at - crawl.clock() if limit is not None else 0.0
    if usage.event == "refused" and usage.response is not None and LONG_WAIT < wait < math.inf:
        status = status_line(usage.response.status)
        say(f"crawler: {usage.request.url} returned {status}: retrying in {wait:.0f} s\n")


def with_hint(error: RequestError) -> RequestError:
    """Return an error, with the setting that avoids it if robots.txt forbids the request."""
    if isinstance(error, Refused) and error.by == "robots":
        return Refused(f"{error} (-s obey_robots=false fetches it anyway)", by="robots")
    return error


def quiet_engine() -> None:
    """Silence the engine's warnings at the default log level: the error of the command says the same."""
    if logging.getLogger().level == logging.WARNING:
        logging.getLogger("crawler.engine").setLevel(logging.ERROR)


def with_browser(setting: tuple[str, ...], option: tuple[str, ...], *, browser: bool) -> Configuration:
    """Return the configuration of a command that can render pages."""
    return Configuration.load(settings=setting, plugins=("browser",) if browser else (), options=option, has_flag=False)


def get(
    url: str,
    setting: tuple[str, ...],
    log_level: Level,
    *,
    method: str = "GET",
    browser: bool = False,
    option: tuple[str, ...] = (),
) -> Response:
    """Fetch a URL, following redirects, and return the response, whatever its status."""
    log_to_stderr(log_level)
    request = Request(check_url(url), method=method)
    return fetch_page(SinglePage(request), with_browser(setting, option, browser=browser))


def fetch_page(
    spider: SinglePage,
    configuration: Configuration,
    *,
    overrides: Settings = NO_OVERRIDES,
    show_status: bool = True,
) -> Response:
    """Run a spider for a single page, and return the response. It raises the same errors as `get`."""
    settings = Settings(grace=0.0, outage_patience=0.0) | configuration.settings | overrides
    quiet_engine()
    report = run(spider, settings=settings, plugins=configuration.plugins)
    if report.interrupted:
        raise KeyboardInterrupt
    if spider.response is None:
        raise spider.error or _not_fetched(spider.request.url, report.filtered)
    if show_status:
        report_status(spider.response)
    return spider.response


def exit_code(response: Response) -> int:
    """Return the exit code for a response: 4, as for a page that failed, if its status is an error."""
    return 4 if response.status >= 400 else 0


def report_status(response: Response) -> None:
    """Report a status that is not a success on standard error."""
    if not 200 <= response.status < 300:
        say(f"crawler: {response.url} returned {status_line(response.status)}\n")


def _not_fetched(url: str, filtered: dict[str, int]) -> RequestError:
    """Return the error for a request that was not made."""
    by = ", ".join(filtered) or "the crawl"
    return Refused(f"{url} was not fetched: {by}", by=by)


def status_line(status: int) -> str:
    """Return a status with its reason phrase, such as ``404 Not Found``; an unknown status stays a number."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
