"""``crawler robots``: what a robots.txt says to us, and which of its lines decides about a URL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from crawler import urls
from crawler.cli.configuration import Layers
from crawler.cli.logs import log_to_stderr
from crawler.cli.single_page import LogLevel, OnePage, SettingTexts, Url, ask, status_line
from crawler.cli.standard_streams import write
from crawler.cli.target import web_url
from crawler.headers import product_token
from crawler.http.robots import Robots, explain
from crawler.limits.throttle import ROBOTS_CONCURRENCY
from crawler.messages import Failure, Produced, Request
from crawler.settings import Settings

__all__ = ["robots"]

ITSELF: Final = Settings(obey_robots=False, max_redirects=5)
"""How a robots.txt is asked for (RFC 9309 section 2.3.1.2)."""


class RobotsPage(OnePage):
    """A redirect that leads nowhere is an answer too: there is no file."""

    def gave_up(self, failure: Failure) -> Produced:
        """Keeps whatever answer there was."""
        super().gave_up(failure)
        self.response = failure.response
        return None


def robots(
    url: Url,
    /,
    *,
    json: Annotated[bool, Parameter(help="One JSON object.")] = False,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Tell what the robots.txt of a site says to us: whether a URL may be fetched and why, delays, sitemaps.

    The user agent that it is read for is the setting user_agent.
    """
    log_to_stderr(log_level)
    page = urls.normalize(web_url(url))
    layers = Layers.read(settings=setting)
    request = Request(f"{urls.origin(page)}/robots.txt")
    told = _told(page, RobotsPage(request), layers)
    if json:
        write(msgspec.json.encode(told).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(told)))
    return 0


def _told(page: str, spider: RobotsPage, layers: Layers) -> dict[str, Any]:
    """All that there is to say, as JSON values."""
    response = ask(spider, layers, always=ITSELF, tell=False)
    agent = (Settings() | layers.settings).user_agent
    rules = Robots.from_response(response.status, response.body, agent, spider.request.url)
    reason = explain(response.body if 200 <= response.status < 300 else b"", agent, page)
    return {
        "robots": spider.request.url,
        "status": response.status,
        "agent": product_token(agent),
        "group": reason.agent,
        "url": page,
        "allowed": rules is not None and rules.allows(page),
        "rule": reason.rule,
        "delay": None if rules is None else rules.delay,
        "sitemaps": [] if rules is None else list(rules.sitemaps),
    }


def _lines(told: dict[str, Any]) -> Iterator[str]:
    yield f"{told['robots']} answered {status_line(told['status'])}"
    yield f"  we are    {told['agent']}"
    yield f"  group     {_group(told)}"
    yield f"  URL       {told['url']} may {'' if told['allowed'] else 'not '}be fetched"
    yield f"  why       {_why(told)}"
    if told["delay"] is not None:
        yield f"  delay     {told['delay']:g} s between two requests, {ROBOTS_CONCURRENCY} in flight at most"
    for sitemap in told["sitemaps"]:
        yield f"  sitemap   {sitemap}"


def _group(told: dict[str, Any]) -> str:
    if told["group"] == "*":
        return f"User-agent: *, since none is for {told['agent']}"
    return f"User-agent: {told['group']}" if told["group"] else "none is for us"


def _why(told: dict[str, Any]) -> str:
    if told["rule"] is not None:
        return str(told["rule"])
    if 200 <= told["status"] < 300:
        return "no rule of the group matches" if told["group"] else "a file without a group for us allows everything"
    if told["allowed"]:
        return "there is no such file, so everything is allowed"
    return "it cannot be had, so nothing is allowed until it can (RFC 9309 section 2.3.1.4)"
