"""Checks of arguments, spider and start URLs, before a crawl opens anything."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, get_args

from crawler import urls
from crawler.errors import ConfigError
from crawler.hooks.plugin import Plugin
from crawler.limits.registry import Limits
from crawler.losses.no_pages import has_begun
from crawler.messages import Request
from crawler.messages.checks import parse_statuses
from crawler.redaction import hide_userinfo, redact, unsendable
from crawler.scope import Scope
from crawler.settings import Settings
from crawler.sinks.if_exists import IfExists
from crawler.spiders import Spider
from crawler.spiders.arguments import check_urls, is_secret_argument
from crawler.stats import Stats
from crawler.suggest import did_you_mean, either

__all__ = [
    "check_arguments",
    "check_beginning",
    "check_callbacks",
    "check_has_begun",
    "check_scope",
    "check_spider",
    "check_transport",
]

HANDLING_HOOKS: Final = ("admit", "answer", "fetch")
"""Hooks that may replace a request or deal with its response, so that it needs no callback."""


def check_arguments(settings: Any, plugins: Any, outputs: Any, job: Any, limits: Any, if_exists: Any = "error") -> None:
    """Check the arguments of `crawl`, `run` and `stream`, apart from the spider."""
    if settings is not None and not isinstance(settings, Settings):
        raise ConfigError(f"settings must be a Settings object, as in Settings(delay=1), not {settings!r}")
    for name, given in (("plugins", plugins), ("outputs", outputs)):
        if isinstance(given, (str, Path, Plugin)) or not isinstance(given, Iterable):
            raise ConfigError(f"{name} must be a list, not {given!r}")
    for output in outputs:
        if not isinstance(output, (str, Path, Plugin)):
            raise ConfigError(f"an output is the name of a file or a plugin, not {output!r}")
    if job is not None:
        _check_job(job)
    if limits is not None and not isinstance(limits, Limits):
        raise ConfigError(f"limits must be a Limits object, not {limits!r}")
    if if_exists not in get_args(IfExists):
        raise ConfigError(f"if_exists must be {either(map(repr, get_args(IfExists)))}, not {if_exists!r}")


def _check_job(job: Any) -> None:
    from crawler.engine.job import Job  # noqa: PLC0415 - a crawl without a job does not need it

    if not isinstance(job, (str, Path, Job)):
        raise ConfigError(f"job must be the name of a folder or a URL, not {job!r}")
    if job == "":
        raise ConfigError("job is empty: name the folder of the job")
    if "\0" in str(job.place if isinstance(job, Job) else job):
        shown = job.shown if isinstance(job, Job) else hide_userinfo(str(job))
        raise ConfigError(f"job must be the name of a folder or a URL: {shown!r} contains a NUL character")


def check_spider(spider: Any) -> Spider:
    """Return a spider that can be run."""
    if not isinstance(spider, Spider):
        hint = f" (did you mean {spider.__name__}()?)" if isinstance(spider, type) else ""
        raise ConfigError(f"not a spider: {spider!r}{hint}")
    name = type(spider).__name__
    if not callable(spider.start):
        raise ConfigError(
            f"{name}.start is {spider.start!r}, not the method that returns the first requests: "
            "keep an argument of that name in start_urls"
        )
    for argument, value in vars(spider).items():
        if isinstance(value, str) and is_secret_argument(spider, argument) and (why := unsendable(value)):
            raise ConfigError(f"{name}: argument {argument}: holds {why}")
    try:
        parse_statuses(spider.accept_status)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: {error}") from None
    if isinstance(spider.plugins, (str, Plugin)) or not isinstance(spider.plugins, Iterable):
        raise ConfigError(f"{name}: plugins must be a list of plugins, not {spider.plugins!r}")
    if type(spider).start is Spider.start:
        _check_start_urls(spider.start_urls, name)
        if not spider.start_urls and hasattr(spider, "start_requests"):
            raise ConfigError(f"{name}.start_requests() has a meaning in Scrapy only: rename it start()")
    return spider


def _check_start_urls(start_urls: Any, spider: str) -> None:
    if isinstance(start_urls, str) or not isinstance(start_urls, Iterable):
        raise ConfigError(f"start_urls must be a list of URLs, not {start_urls!r}")
    check_urls(f"start_urls of {spider}", start_urls)


def check_beginning(spider: Spider, settings: Settings, *, has_lifespan: bool) -> None:
    """Check that a crawl can begin: that it may have a request, and that not every start page is out of scope."""
    if _has_start(spider):
        return
    name = type(spider).__name__
    if not spider.start_urls:
        if not has_lifespan:
            raise _nothing_to_fetch(spider)
        return
    if not _has_parse(spider):
        raise ConfigError(f"{name} has no method parse(self, response): define it, since it gets the start pages")
    try:
        inspect.signature(spider.parse).bind(None)
    except TypeError as error:  # a request that a `start` of its own yields may have the arguments
        raise ConfigError(f"{name}.parse() cannot be called: {error}; write def parse(self, response)") from None
    scope = Scope.of(spider.allowed_domains, settings)
    reason = ""
    for url in spider.start_urls:
        reason = scope.refuses(urls.normalize(url), 0) or ""
        if not reason:
            return
    limit = f"allowed_domains = {list(spider.allowed_domains or ())}" if reason == "scope" else f"setting {reason}"
    pages = "the start page" if len(spider.start_urls) == 1 else f"each of {len(spider.start_urls)} start pages"
    raise ConfigError(f"{name}: {pages} is out of scope by {limit}, such as {redact(spider.start_urls[-1])}")


def check_has_begun(spider: Spider, stats: Stats) -> None:
    """Check that a crawl that has ended had a request, if only a lifespan could add one."""
    if not spider.start_urls and not _has_start(spider) and not has_begun(stats):
        raise _nothing_to_fetch(spider)


def _has_start(spider: Spider) -> bool:
    """Return whether a spider has a method `start` of its own."""
    return getattr(spider.start, "__func__", None) is not Spider.start


def _nothing_to_fetch(spider: Spider) -> ConfigError:
    name = type(spider).__name__
    own = {attribute for base in type(spider).__mro__ if base not in Spider.__mro__ for attribute in vars(base)}
    hint = did_you_mean("start_urls", own - {"start_urls", "start"}, form="start_urls instead of {}", cutoff=0.8)
    return ConfigError(f"{name} has neither start_urls nor a start() method: there is nothing to fetch{hint}")


def needs_callbacks(spider: Spider, plugins: Iterable[Plugin]) -> bool:
    """Return whether start requests have to name a callback, since neither `parse` nor a plugin gets their pages."""
    return not _has_parse(spider) and not any(map(_handles_requests, plugins))


def check_callbacks(spider: Spider, requests: Iterable[Request]) -> None:
    """Check that start requests have a callback, or an errback, since that may be all they need."""
    for request in requests:
        if request.callback is None and request.errback is None:
            raise ConfigError(
                f"{type(spider).__name__}.start() yields {redact(request.url)} without a callback, and there is no "
                "method parse(self, response): define it, or name a callback: Request(url, self.parse_page)"
            )


def _has_parse(spider: Spider) -> bool:
    return type(spider).parse is not Spider.parse or "parse" in vars(spider)


def _handles_requests(plugin: Plugin) -> bool:
    """Return whether a plugin may replace a request or deal with its response."""
    return any(getattr(type(plugin), hook) is not getattr(Plugin, hook) for hook in HANDLING_HOOKS)


def check_scope(spider: Spider, settings: Settings) -> None:
    """Check `allowed_domains`, `include` and `exclude`."""
    Scope.of(spider.allowed_domains, settings)


def check_transport(transport: Any) -> None:
    """Check the argument `transport`."""
    if transport is not None and not hasattr(transport, "handle_async_request"):
        raise ConfigError(f"transport must be an httpx.AsyncBaseTransport, not {transport!r}")
