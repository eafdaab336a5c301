"""A crawling framework on trio: polite, lossless, fast.

Each name is imported when it is asked for: who wants a small client does not wait for the crawl, and the command line
can do so with the garbage collector off.
"""

from __future__ import annotations

import importlib as _importlib
import typing as _typing

if _typing.TYPE_CHECKING:
    from crawler.api_client.client import Client, client
    from crawler.api_client.errors import QuotaTimeout
    from crawler.api_client.mapping import MappedResponses
    from crawler.api_client.transport import GovernedTransport
    from crawler.content.link_header import LinkValue
    from crawler.engine.api import ItemStream, crawl, run, stream
    from crawler.engine.job import Job
    from crawler.engine.report import Report
    from crawler.engine.retries import RetryPolicy
    from crawler.errors import (
        BadRedirect,
        BadStatus,
        BodyTooLarge,
        BrokenExchange,
        ConfigError,
        ConnectFailed,
        CrawlerError,
        CrawlFailed,
        FetchError,
        FetchTimeout,
        HookError,
        JobError,
        PluginError,
        Refused,
        RequestError,
        WouldExceedDeadline,
    )
    from crawler.feeds.feed import Feed, FeedEntry
    from crawler.feeds.sitemap import sitemaps
    from crawler.feeds.sitemap_entry import SitemapEntry
    from crawler.headers import Headers
    from crawler.hooks.plugin import Crawl, Plugin
    from crawler.hooks.sink import Sink
    from crawler.hooks.state import State
    from crawler.html import Link, Selector, SelectorList
    from crawler.limits.events import QuotaEvent
    from crawler.limits.pace import Pace
    from crawler.limits.registry import Limits
    from crawler.messages import Drop, Failure, Item, Pause, Produced, Request, Response, Retry, Row, Stop, Usage
    from crawler.messages.form import Form
    from crawler.settings import Settings
    from crawler.spiders import SiteSpider, Spider
    from crawler.spiders.api import ApiSpider
    from crawler.spiders.crawl import CrawlSpider
    from crawler.spiders.feed import FeedSpider
    from crawler.spiders.rules import Rule
    from crawler.spiders.sitemap import SitemapSpider

__all__ = [
    "ApiSpider",
    "BadRedirect",
    "BadStatus",
    "BodyTooLarge",
    "BrokenExchange",
    "Client",
    "ConfigError",
    "ConnectFailed",
    "Crawl",
    "CrawlFailed",
    "CrawlSpider",
    "CrawlerError",
    "Drop",
    "Failure",
    "Feed",
    "FeedEntry",
    "FeedSpider",
    "FetchError",
    "FetchTimeout",
    "Form",
    "GovernedTransport",
    "Headers",
    "HookError",
    "Item",
    "ItemStream",
    "Job",
    "JobError",
    "Limits",
    "Link",
    "LinkValue",
    "MappedResponses",
    "Pace",
    "Pause",
    "Plugin",
    "PluginError",
    "Produced",
    "QuotaEvent",
    "QuotaTimeout",
    "Refused",
    "Report",
    "Request",
    "RequestError",
    "Response",
    "Retry",
    "RetryPolicy",
    "Row",
    "Rule",
    "Selector",
    "SelectorList",
    "Settings",
    "Sink",
    "SiteSpider",
    "SitemapEntry",
    "SitemapSpider",
    "Spider",
    "State",
    "Stop",
    "Usage",
    "WouldExceedDeadline",
    "client",
    "crawl",
    "run",
    "sitemaps",
    "stream",
]

_PLACES: _typing.Final = {
    "MappedResponses": "api_client.mapping",
    "ApiSpider": "spiders.api",
    "BadRedirect": "errors",
    "BadStatus": "errors",
    "BodyTooLarge": "errors",
    "BrokenExchange": "errors",
    "Client": "api_client.client",
    "ConfigError": "errors",
    "ConnectFailed": "errors",
    "Crawl": "hooks.plugin",
    "CrawlFailed": "errors",
    "CrawlSpider": "spiders.crawl",
    "CrawlerError": "errors",
    "Drop": "messages",
    "Failure": "messages",
    "Feed": "feeds.feed",
    "FeedEntry": "feeds.feed",
    "FeedSpider": "spiders.feed",
    "FetchError": "errors",
    "FetchTimeout": "errors",
    "Form": "messages.form",
    "GovernedTransport": "api_client.transport",
    "Headers": "headers",
    "HookError": "errors",
    "Item": "messages",
    "ItemStream": "engine.api",
    "Job": "engine.job",
    "JobError": "errors",
    "Limits": "limits.registry",
    "Link": "html",
    "LinkValue": "content.link_header",
    "Pace": "limits.pace",
    "Pause": "messages",
    "Plugin": "hooks.plugin",
    "PluginError": "errors",
    "Produced": "messages",
    "QuotaEvent": "limits.events",
    "QuotaTimeout": "api_client.errors",
    "Refused": "errors",
    "Report": "engine.report",
    "Request": "messages",
    "RequestError": "errors",
    "Response": "messages",
    "Retry": "messages",
    "RetryPolicy": "engine.retries",
    "Row": "messages",
    "Rule": "spiders.rules",
    "Selector": "html",
    "SelectorList": "html",
    "Settings": "settings",
    "Sink": "hooks.sink",
    "SiteSpider": "spiders",
    "SitemapEntry": "feeds.sitemap_entry",
    "SitemapSpider": "spiders.sitemap",
    "Spider": "spiders",
    "State": "hooks.state",
    "Stop": "messages",
    "Usage": "messages",
    "WouldExceedDeadline": "errors",
    "client": "api_client.client",
    "crawl": "engine.api",
    "run": "engine.api",
    "sitemaps": "feeds.sitemap",
    "stream": "engine.api",
}
"""Where each of these names is."""

if not _typing.TYPE_CHECKING:  # or every name would be one for type checkers

    def __getattr__(name: str) -> _typing.Any:
        """Imports what is asked for."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(_importlib.import_module(f"crawler.{_PLACES[name]}"), name)
        return found


def __dir__() -> list[str]:
    """The public names."""
    return list(__all__)
