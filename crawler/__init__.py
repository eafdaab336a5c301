"""A crawling framework on trio: polite, lossless, fast.

Each name is imported at its first use: a program that only needs `client` does not import the crawl. Further names have
homes of their own: `crawler.api_client`, `crawler.cli`, `crawler.feeds`, `crawler.html`, `crawler.monitor`,
`crawler.sinks`, `crawler.spiders`, `crawler.store` and `crawler.testing`. The manual's page “Architecture” maps the
rooms of the package.
"""

from __future__ import annotations

import typing as _typing

from crawler.lazy import lazy_names as _lazy_names
from crawler.lazy import places as _places

_HOMES = {
    "crawler.api_client.client": "client",
    "crawler.engine.api": "ItemStream crawl run stream",
    "crawler.engine.items": "crawl_items",
    "crawler.engine.job": "Job",
    "crawler.engine.report": "Report",
    "crawler.decision.retry_policy": "RetryPolicy",
    "crawler.errors": "BadRedirect BadStatus BodyTooLarge BrokenExchange ConfigError ConnectFailed CrawlFailed"
    " CrawlerError FetchError FetchTimeout HookError IncompleteBody JobError JobLost LeaseLost LoggedOut PluginError"
    " Refused RequestError Walled WouldExceedDeadline",
    "crawler.headers": "Headers",
    "crawler.hooks.crawl": "Crawl",
    "crawler.hooks.plugin": "Plugin",
    "crawler.hooks.sink": "Sink",
    "crawler.hooks.state": "State",
    "crawler.limits.events": "QuotaEvent",
    "crawler.limits.pace": "Pace",
    "crawler.limits.registry": "Limits",
    "crawler.messages": "BodyWriter Drop Failure Item Pause Produced Request Response Retry Row Stop Usage",
    "crawler.messages.form": "Form",
    "crawler.sessions.login": "Login",
    "crawler.settings": "Settings",
    "crawler.spiders": "CrawlSpider Rule SitemapSpider Spider",
}
_PLACES = _places(_HOMES)

__all__ = sorted(_PLACES)  # noqa: PLE0605 - type checkers read the imports below

if _typing.TYPE_CHECKING:
    from crawler.api_client.client import client as client
    from crawler.decision.retry_policy import RetryPolicy as RetryPolicy
    from crawler.engine.api import ItemStream as ItemStream
    from crawler.engine.api import crawl as crawl
    from crawler.engine.api import run as run
    from crawler.engine.api import stream as stream
    from crawler.engine.items import crawl_items as crawl_items
    from crawler.engine.job import Job as Job
    from crawler.engine.report import Report as Report
    from crawler.errors import BadRedirect as BadRedirect
    from crawler.errors import BadStatus as BadStatus
    from crawler.errors import BodyTooLarge as BodyTooLarge
    from crawler.errors import BrokenExchange as BrokenExchange
    from crawler.errors import ConfigError as ConfigError
    from crawler.errors import ConnectFailed as ConnectFailed
    from crawler.errors import CrawlerError as CrawlerError
    from crawler.errors import CrawlFailed as CrawlFailed
    from crawler.errors import FetchError as FetchError
    from crawler.errors import FetchTimeout as FetchTimeout
    from crawler.errors import HookError as HookError
    from crawler.errors import IncompleteBody as IncompleteBody
    from crawler.errors import JobError as JobError
    from crawler.errors import JobLost as JobLost
    from crawler.errors import LeaseLost as LeaseLost
    from crawler.errors import LoggedOut as LoggedOut
    from crawler.errors import PluginError as PluginError
    from crawler.errors import Refused as Refused
    from crawler.errors import RequestError as RequestError
    from crawler.errors import Walled as Walled
    from crawler.errors import WouldExceedDeadline as WouldExceedDeadline
    from crawler.headers import Headers as Headers
    from crawler.hooks.crawl import Crawl as Crawl
    from crawler.hooks.plugin import Plugin as Plugin
    from crawler.hooks.sink import Sink as Sink
    from crawler.hooks.state import State as State
    from crawler.limits.events import QuotaEvent as QuotaEvent
    from crawler.limits.pace import Pace as Pace
    from crawler.limits.registry import Limits as Limits
    from crawler.messages import BodyWriter as BodyWriter
    from crawler.messages import Drop as Drop
    from crawler.messages import Failure as Failure
    from crawler.messages import Item as Item
    from crawler.messages import Pause as Pause
    from crawler.messages import Produced as Produced
    from crawler.messages import Request as Request
    from crawler.messages import Response as Response
    from crawler.messages import Retry as Retry
    from crawler.messages import Row as Row
    from crawler.messages import Stop as Stop
    from crawler.messages import Usage as Usage
    from crawler.messages.form import Form as Form
    from crawler.sessions.login import Login as Login
    from crawler.settings import Settings as Settings
    from crawler.spiders import CrawlSpider as CrawlSpider
    from crawler.spiders import Rule as Rule
    from crawler.spiders import SitemapSpider as SitemapSpider
    from crawler.spiders import Spider as Spider
else:  # or every name would exist for type checkers
    __getattr__, __dir__ = _lazy_names(__name__, _PLACES)
