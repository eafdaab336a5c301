"""``crawler fetch`` and ``crawler links``: one page, asked for as a crawl would ask."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import Annotated

import msgspec
from cyclopts import Parameter

from crawler.cli.layers import Layers
from crawler.cli.logs import Level, log_to_stderr, say
from crawler.cli.target import web_url
from crawler.engine import run
from crawler.errors import BadRedirect, Refused, RequestError
from crawler.messages import Failure, Produced, Request, Response
from crawler.settings import Settings
from crawler.spiders import Spider

__all__ = ["fetch", "links"]

Url = Annotated[str, Parameter(help="An absolute http or https URL.")]
SettingTexts = Annotated[
    tuple[str, ...], Parameter(name=["-s", "--setting"], metavar="NAME=VALUE", help="A setting. Repeatable.")
]
LogLevel = Annotated[Level, Parameter(help="What is logged to standard error; debug shows every request.")]


def fetch(
    url: Url,
    /,
    *,
    headers: Annotated[bool, Parameter(help="The status line and the header fields instead of the body.")] = False,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Print the body of a page.

    It is asked for as in a crawl: redirects are followed, robots.txt is obeyed, and a server that is busy is asked
    again. Whatever status comes in the end is an answer.
    """
    response = get(url, setting, log_level)
    if headers:
        fields = "".join(f"{name}: {value}\n" for name, value in response.headers.pairs)
        sys.stdout.write(f"HTTP {response.status} {_phrase(response.status)}".rstrip() + f"\n{fields}")
    else:
        sys.stdout.buffer.write(response.body)
    return 0


def links(
    url: Url,
    /,
    *,
    json: Annotated[bool, Parameter(help="One JSON object a line: url, tag, text, rel; repeats included.")] = False,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Print the links of a page, one absolute URL a line."""
    response = get(url, setting, log_level)
    found = response.links()
    if not found:
        what = "has no links" if response.is_html else f"is no HTML ({response.headers.get('content-type', 'no type')})"
        say(f"crawler: {response.url} {what}\n")
    if json:
        lines = [
            msgspec.json.encode({"url": link.url, "tag": link.tag, "text": link.text, "rel": link.rel}).decode()
            for link in found
        ]
    else:
        lines = list(dict.fromkeys(link.url for link in found))
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


class OnePage(Spider):
    """Asks for one page and keeps what came of it.

    Parameters:
        url: of the page.
    """

    name = "fetch"

    def __init__(self, url: str) -> None:
        super().__init__()
        self.request = Request(url, errback=self.gave_up)
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


def get(url: str, setting: tuple[str, ...], log_level: Level) -> Response:
    """The answer to one request, redirects followed; any status is one.

    Raises:
        ConfigError: the URL or a setting is wrong.
        RequestError: there was no answer.
        KeyboardInterrupt: Ctrl-C.
    """
    log_to_stderr(log_level)
    spider = OnePage(web_url(url))
    layers = Layers.read(settings=setting)
    report = run(spider, settings=Settings(grace=0.0) | layers.settings, plugins=layers.plugins)
    if report.interrupted:
        raise KeyboardInterrupt
    if spider.response is None:
        raise spider.error or _refused(url, report.filtered)
    status = spider.response.status
    if not 200 <= status < 300:
        say(f"crawler: {spider.response.url} answered {status} {_phrase(status)}".rstrip() + "\n")
    return spider.response


def _refused(url: str, filtered: dict[str, int]) -> RequestError:
    """Why a request was not made."""
    by = ", ".join(filtered) or "the crawl"
    return Refused(f"{url} was not asked for: {by}", by=by)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
