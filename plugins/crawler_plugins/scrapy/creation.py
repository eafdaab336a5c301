"""`create_crawler`: Scrapy's crawler for a spider, with its settings, stats and extensions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Final

from scrapy.crawler import Crawler

from crawler import ConfigError
from crawler_plugins.scrapy.handlers import WEB
from crawler_plugins.scrapy.private import SETS_ATTRIBUTES, apply_settings
from crawler_plugins.scrapy.refusals import error_of, missing_arguments, refusals
from crawler_plugins.scrapy.settings import is_given

__all__ = ["create_crawler"]

EXTENSIONS: Final = frozenset(
    f"scrapy.extensions.{name}" for name in ("closespider.CloseSpider", "corestats.CoreStats", "logcount.LogCount")
)
"""Extensions of Scrapy that run as they are. The crawl does itself what most others do."""
TIMED: Final = {
    "scrapy.extensions.logstats.LogStats": ("LOGSTATS_INTERVAL",),
    "scrapy.extensions.memdebug.MemoryDebugger": ("MEMDEBUG_ENABLED",),
    "scrapy.extensions.memusage.MemoryUsage": ("MEMUSAGE_LIMIT_MB", "MEMUSAGE_WARNING_MB"),
}
"""Extensions that run if the project gives one of their settings: a timer of Twisted takes 14 MB."""
ATTRIBUTES: Final = {
    "download_delay": "DOWNLOAD_DELAY",
    "download_maxsize": "DOWNLOAD_MAXSIZE",
    "download_timeout": "DOWNLOAD_TIMEOUT",
    "max_concurrent_requests": "CONCURRENT_REQUESTS_PER_DOMAIN",
}
"""Attributes of spiders that stand for settings, and take precedence over them."""
BRIDGED: Final = frozenset({"download_delay", "max_concurrent_requests"} if SETS_ATTRIBUTES else ())
"""Those that Scrapy itself turns into settings, which the command line then overrides."""
FORCED: Final = {"TWISTED_REACTOR": None, "TELNETCONSOLE_ENABLED": False}
"""Settings that have these values whatever the project says."""
CRAWL_HANDLER: Final = "crawler_plugins.scrapy.handlers.CrawlHandler"


def create_crawler(
    spider_class: Any, settings: Any, arguments: Mapping[str, Any], overrides: Mapping[str, Any]
) -> Crawler:
    """Return a `scrapy.crawler.Crawler` whose spider is made.

    Parameters:
        spider_class: The class of the Scrapy spider.
        settings: The settings of the project. They are changed.
        arguments: Arguments of the spider.
        overrides: Settings that override others.

    Raises:
        ConfigError: The spider cannot run, or its constructor or a component raised an exception.
    """
    _override(settings, overrides)
    _override(settings, FORCED)
    name = getattr(spider_class, "name", None) or spider_class.__name__
    _refuse(name, settings, spider_class)
    if missing := missing_arguments(spider_class, arguments):
        raise error_of(f"{name} needs the argument {one}: -a {one}=VALUE" for one in missing)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations of Scrapy are not the user's problem here
            made = Crawler(spider_class, settings)
            _choose_extensions(made.settings)
            for scheme in WEB:
                made.settings["DOWNLOAD_HANDLERS_BASE"].set(scheme, CRAWL_HANDLER, priority="default")
            _refuse(name, made.settings, spider_class)
            made.spider = spider_class.from_crawler(made, **arguments)
            for attribute, setting in ATTRIBUTES.items():
                if hasattr(made.spider, attribute) and attribute not in BRIDGED:
                    made.settings.set(setting, getattr(made.spider, attribute), priority="cmdline")
            apply_settings(made)
            _refuse(name, made.settings, spider_class)  # add-ons have changed them
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{name} cannot be created: {type(error).__name__}: {error}") from error
    return made


def _choose_extensions(settings: Any) -> None:
    """Leave out those of Scrapy's own extensions that do not run."""
    for path in dict(settings.getdict("EXTENSIONS_BASE")):
        if path not in EXTENSIONS and not any(is_given(settings, name) for name in TIMED.get(path, ())):
            settings["EXTENSIONS_BASE"].set(path, None, priority="cmdline")


def _override(settings: Any, overrides: Mapping[str, Any]) -> None:
    """Change settings.

    Raises:
        ConfigError: The text for a setting of components is not JSON.
    """
    for name, value in overrides.items():
        try:
            settings.set(name, value, priority="cmdline")
        except ValueError as error:
            raise ConfigError(f"setting {name} must be a JSON object, not {value!r}") from error


def _refuse(name: str, settings: Any, spider_class: Any) -> None:
    """Raise `ConfigError` if a spider cannot run."""
    reasons = list(refusals(settings, spider_class))
    if reasons:
        raise error_of(f"{name} cannot run: {reason}" for reason in reasons)
