"""`Duplicates`: a duplicate filter of Scrapy or of the project, where it has to take the place of the crawl's own.

That is so if the project has a filter or a fingerprinter of its own, or hears the signal `request_dropped`.
"""

from __future__ import annotations

from typing import Any, Final

from scrapy import signals
from scrapy.utils.misc import load_object

from crawler import ConfigError
from crawler_plugins.scrapy.components import build_component, path_of
from crawler_plugins.scrapy.deferreds import result_of
from crawler_plugins.scrapy.events import Signals
from crawler_plugins.scrapy.redis_job import PACKAGE

__all__ = ["Duplicates", "keeps_all", "own_filter"]

SCRAPYS: Final = {
    "DUPEFILTER_CLASS": ("scrapy.dupefilters.", PACKAGE),
    "REQUEST_FINGERPRINTER_CLASS": ("scrapy.utils.request.", PACKAGE),
}
"""Settings of classes whose work the crawl does itself, with the beginnings of such classes."""


def keeps_all(settings: Any) -> bool:
    """Return whether the project turns off the filter."""
    return path_of(settings.get("DUPEFILTER_CLASS") or "").endswith("BaseDupeFilter")


def own_filter(settings: Any) -> str:
    """Return the setting that names a filter or a fingerprinter of the project, with its value; empty without one."""
    if keeps_all(settings):
        return ""
    for name, beginnings in SCRAPYS.items():
        path = path_of(settings.get(name) or "")
        if path and not path.startswith(beginnings):
            return f"{name} = {path}"
    return ""


class Duplicates:
    """Asks a filter about requests.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        sender: Sends signals.
    """

    def __init__(self, scrapy: Any, sender: Signals) -> None:
        self._scrapy = scrapy
        self._signals = sender
        self._filter: Any = None

    def __bool__(self) -> bool:
        """Return whether the filter takes the place of the crawl's own."""
        return self._filter is not None

    async def open(self, *, is_durable: bool) -> None:
        """Begin, after all receivers of signals are connected.

        Parameters:
            is_durable: Whether the crawl is a job.

        Raises:
            ConfigError: The filter cannot be created, or the crawl is a job.
        """
        settings = self._scrapy.settings
        own = own_filter(settings)
        if is_durable:
            if own:
                raise ConfigError(
                    f"{own}: a job has a duplicate filter of its own: leave it out, or crawl without a job"
                )
            return
        if own or (self._signals.is_heard(signals.request_dropped) and not keeps_all(settings)):
            try:
                self._filter = build_component(load_object(settings["DUPEFILTER_CLASS"]), self._scrapy)
                await result_of(self._filter.open())
            except Exception as error:
                raise ConfigError(f"DUPEFILTER_CLASS: {type(error).__name__}: {error}") from error

    def drops(self, request: Any) -> bool:
        """Return whether a request is a repeat, which the filter logs and counts."""
        if self._filter is None or request.dont_filter or not self._filter.request_seen(request):
            return False
        self._filter.log(request, self._scrapy.spider)
        self._signals.send(signals.request_dropped, request=request)
        return True

    async def close(self, reason: str) -> None:
        """End.

        Parameters:
            reason: Why the spider is closed.
        """
        if self._filter is not None:
            await result_of(self._filter.close(reason))
