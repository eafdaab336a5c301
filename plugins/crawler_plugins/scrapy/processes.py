"""`install`: a file that starts Scrapy itself when it is imported is refused, with a line that says what to do.

Its spider would crawl by the engine of Scrapy as well, with the settings that the file gives it. A file that configures
Scrapy's log, as scripts do that start Scrapy, leaves the log of the crawl as it is: messages would appear twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from scrapy import crawler
from scrapy.utils import log as scrapy_log

from crawler import ConfigError
from crawler_plugins.scrapy.reactor import STARTS_SCRAPY, TrioReactor

__all__ = ["METHODS", "install"]

METHODS: Final = (
    ("CrawlerProcess", "__init__"), ("AsyncCrawlerProcess", "__init__"), ("CrawlerRunner", "crawl"),
    ("AsyncCrawlerRunner", "crawl"),
)  # fmt: skip
"""Classes that start Scrapy, and their first method that does something. Old versions have two of the classes."""
MARK: Final = "__refused_here__"


def install() -> None:
    """Refuse such files. Further calls have no effect."""
    for name, method in METHODS:
        kind: Any = getattr(crawler, name, None)
        if kind is not None and not hasattr(vars(kind).get(method), MARK):
            setattr(kind, method, _refused(getattr(kind, method)))
    if not hasattr(scrapy_log.configure_logging, MARK):
        scrapy_log.configure_logging = _left_out(scrapy_log.configure_logging)


def _refused(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that does its work only where the reactor of the crawl is not installed."""

    @wraps(method)
    def refused(self: Any, *args: Any, **kwargs: Any) -> Any:
        if TrioReactor.is_installed():
            raise ConfigError(STARTS_SCRAPY)
        return method(self, *args, **kwargs)

    setattr(refused, MARK, True)
    return refused


def _left_out(configure: Callable[..., None]) -> Callable[..., None]:
    """Return a function that does its work only where the reactor of the crawl is not installed."""

    @wraps(configure)
    def left_out(*args: Any, **kwargs: Any) -> None:
        if not TrioReactor.is_installed():
            configure(*args, **kwargs)

    setattr(left_out, MARK, True)
    return left_out
