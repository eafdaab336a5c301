"""``crawler robots``: whether robots.txt allows URLs, and the rules that decide."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec

from crawler import urls
from crawler.cli.arguments import Argument
from crawler.cli.configuration import Configuration
from crawler.cli.logs import log_to_stderr, log_traceback, say
from crawler.cli.options import LogLevel, SettingTexts, Url
from crawler.cli.single_page import SinglePage, fetch_page, status_line
from crawler.cli.standard_streams import show, write
from crawler.cli.target import check_url
from crawler.errors import RequestError
from crawler.headers import product_token
from crawler.http.robots import Robots, explain
from crawler.limits.pacing import ROBOTS_CONCURRENCY
from crawler.messages import Failure, Produced, Request
from crawler.redaction import redact
from crawler.settings import Settings

__all__ = ["robots"]

ROBOTS_SETTINGS: Final = Settings(obey_robots=False, max_redirects=5)
"""The settings with which a robots.txt is fetched (RFC 9309 section 2.3.1.2)."""


class RobotsPage(SinglePage):
    """Fetches a robots.txt. A redirect that fails counts as a missing file, so its response is kept too."""

    def gave_up(self, failure: Failure) -> Produced:
        """Keep the response, if there is one."""
        super().gave_up(failure)
        self.response = failure.response
        return None


def robots(
    url: Url,
    /,
    *others: Annotated[str, Argument("More URLs. The robots.txt of a site is fetched once.")],
    json: Annotated[bool, Argument("Print one JSON object per URL instead of text.")] = False,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Show whether robots.txt allows a URL, and by which rule.

    Its crawl delay and sitemaps are shown too. The setting user_agent decides which rules of the file apply. A site
    that does not respond is reported on standard error, and the exit code is then 1.

    Example: crawler robots https://books.example/private/
    """
    log_to_stderr(log_level)
    sites: dict[str, list[str]] = {}
    for page in dict.fromkeys(urls.normalize(check_url(text)) for text in (url, *others)):
        sites.setdefault(urls.origin(page), []).append(page)
    configuration = Configuration.load(settings=setting)
    code = 0
    for origin, pages in sites.items():
        file = f"{origin}/robots.txt"
        try:
            findings = _read(pages, RobotsPage(Request(file)), configuration)
        except RequestError as error:
            log_traceback(error)
            say(f"crawler: {file}: {error}\n", level=logging.ERROR)
            code = 1
            continue
        if json:
            write("".join(msgspec.json.encode(each).decode() + "\n" for each in findings))
        else:
            show(_lines(findings))
    return code


def _read(pages: Sequence[str], spider: RobotsPage, configuration: Configuration) -> list[dict[str, Any]]:
    """Fetch the robots.txt of a site, and return what it says about each page, as JSON values."""
    response = fetch_page(spider, configuration, overrides=ROBOTS_SETTINGS, show_status=False)
    agent = (Settings() | configuration.settings).user_agent
    rules = Robots.from_response(response.status, response.body, agent, spider.request.url)
    body = response.body if 200 <= response.status < 300 else b""
    reasons = [explain(body, agent, page) for page in pages]
    return [
        {
            "robots": spider.request.url,
            "status": response.status,
            "agent": product_token(agent),
            "group": reason.agent,
            "url": redact(page),
            "allowed": rules is not None and rules.allows(page),
            "rule": reason.rule,
            "delay": None if rules is None else rules.delay,
            "sitemaps": [] if rules is None else list(rules.sitemaps),
        }
        for page, reason in zip(pages, reasons, strict=True)
    ]


def _lines(findings: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield what is shown of a site; the pages differ in the rule only."""
    site = findings[0]
    yield f"{site['robots']} returned {status_line(site['status'])}"
    yield f"  agent     {site['agent']}"
    yield f"  group     {_group(site)}"
    for page in findings:
        yield f"  URL       {page['url']} {'may' if page['allowed'] else 'must not'} be fetched"
        yield f"  rule      {_rule(page)}"
    if site["delay"]:
        yield f"  delay     {site['delay']:g} s between two requests, at most {ROBOTS_CONCURRENCY} in flight"
    for sitemap in site["sitemaps"]:
        yield f"  sitemap   {sitemap}"


def _group(findings: dict[str, Any]) -> str:
    """Return which group of the file applies to us."""
    if findings["group"] == "*":
        return f"User-agent: * (there is none for {findings['agent']})"
    return f"User-agent: {findings['group']}" if findings["group"] else "none applies to us"


def _rule(findings: dict[str, Any]) -> str:
    """Return the rule that decided about the URL, or why there was none."""
    if findings["rule"] is not None:
        return str(findings["rule"])
    if 200 <= findings["status"] < 300:
        return "none matches, so it is allowed" if findings["group"] else "no group applies, so everything is allowed"
    if findings["allowed"]:
        return "the site has no robots.txt, so everything is allowed"
    return "robots.txt is unavailable, so nothing is allowed until it is back (RFC 9309 section 2.3.1.4)"
