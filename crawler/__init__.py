"""A crawling framework on trio: polite, lossless, fast."""

from __future__ import annotations

import importlib as _importlib
import typing as _typing

from crawler.engine import ItemStream, Job, Report, RetryPolicy, crawl, run, stream
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
from crawler.headers import Headers
from crawler.hooks.plugin import Crawl, Plugin
from crawler.hooks.state import State
from crawler.html import Link, Selector, SelectorList
from crawler.limits.event import QuotaEvent
from crawler.limits.limits import Limits
from crawler.limits.pace import Pace
from crawler.messages import Drop, Failure, Item, Pause, Produced, Request, Response, Retry, Row, Stop, Usage
from crawler.settings import Settings
from crawler.spiders import SiteSpider, Spider

if _typing.TYPE_CHECKING:
    from crawler.fetch.answers import Answers
    from crawler.fetch.client import Client, client
    from crawler.fetch.governed import GovernedTransport
    from crawler.fetch.quotas import QuotaTimeout
    from crawler.html.feed import Feed, FeedEntry
    from crawler.html.link_header import LinkValue
    from crawler.html.sitemap import sitemaps
    from crawler.html.sitemap_entry import SitemapEntry
    from crawler.messages.form import Form
    from crawler.spiders.api import ApiSpider
    from crawler.spiders.crawl import CrawlSpider
    from crawler.spiders.feed import FeedSpider
    from crawler.spiders.rules import Rule
    from crawler.spiders.sitemap import SitemapSpider

__all__ = [
    "Answers",
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

_LAZY: _typing.Final = {
    "Answers": "fetch.answers",
    "ApiSpider": "spiders.api",
    "Client": "fetch.client",
    "CrawlSpider": "spiders.crawl",
    "Feed": "html.feed",
    "FeedEntry": "html.feed",
    "FeedSpider": "spiders.feed",
    "Form": "messages.form",
    "GovernedTransport": "fetch.governed",
    "LinkValue": "html.link_header",
    "QuotaTimeout": "fetch.quotas",
    "Rule": "spiders.rules",
    "SitemapEntry": "html.sitemap_entry",
    "SitemapSpider": "spiders.sitemap",
    "client": "fetch.client",
    "sitemaps": "html.sitemap",
}
"""What most crawls do not need, and where it is."""


def __getattr__(name: str) -> _typing.Any:
    """What most crawls do not need is imported when it is asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(_importlib.import_module(f"crawler.{_LAZY[name]}"), name)
    return found
