"""`Pipelines`: the item pipelines of a project, and their results for an item."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable
from functools import partial
from typing import Any

from itemadapter import ItemAdapter, is_item
from scrapy import signals
from scrapy.exceptions import CloseSpider, DropItem
from twisted.python.failure import Failure

from crawler import ConfigError
from crawler_plugins.scrapy.components import path_of, takes_spider, warn_of_deferred
from crawler_plugins.scrapy.deferreds import is_pending, result_of
from crawler_plugins.scrapy.events import Signals, is_logged, log_result

__all__ = ["Pipelines", "plain_item"]

MAX_LOGGED = 1000
"""Exceptions of pipelines that are remembered, so that the same one is logged with its traceback once."""
log = logging.getLogger("scrapy.core.scraper")


class Pipelines:
    """Calls the item pipelines.

    Parameters:
        crawler: The `scrapy.crawler.Crawler`.
        sender: Sends signals.
        components: The pipelines, in their order.
    """

    def __init__(self, crawler: Any, sender: Signals, components: Iterable[Any]) -> None:
        self._crawler = crawler
        self._signals = sender
        self.components = list(components)
        self._steps = [self._bound(pipeline, "process_item") for pipeline in self.components]
        self._steps = [step for step in self._steps if step is not None]
        self._logged: set[tuple[Any, ...]] = set()

    def _bound(self, component: Any, name: str) -> Any:
        method = getattr(component, name, None)
        if method is None or not takes_spider(method):
            return method
        return partial(method, spider=self._crawler.spider)

    @staticmethod
    async def _result(method: Any) -> None:
        """Call a method of a pipeline."""
        await result_of(warn_of_deferred(method(), method, "pipelines"))

    async def open(self) -> None:
        """Open the pipelines, first to last.

        Raises:
            CloseSpider: As raised by one of them.
            ConfigError: One of them raised another exception.
        """
        for pipeline in self.components:
            if hasattr(pipeline, "open_spider"):
                try:
                    await self._result(self._bound(pipeline, "open_spider"))
                except CloseSpider:
                    raise
                except Exception as error:
                    message = f"{type(error).__name__}: {error}"
                    raise ConfigError(f"{path_of(pipeline)}.open_spider() raised {message}") from error

    async def close(self) -> None:
        """Close the pipelines, last to first. An exception of one does not keep the others open."""
        for pipeline in reversed(self.components):
            if hasattr(pipeline, "close_spider"):
                try:
                    await self._result(self._bound(pipeline, "close_spider"))
                except Exception:
                    logging.getLogger("crawler.plugins.scrapy").exception("%s.close_spider", type(pipeline).__name__)

    async def process(self, item: Any, response: Any) -> Any:
        """Return an item as the pipelines leave it; `None` if they drop it.

        Parameters:
            item: The item that a callback yielded.
            response: The page, for signals and messages; `None` for an item of the start.
        """
        crawler, spider = self._crawler, self._crawler.spider
        output = item
        try:
            for step in self._steps:
                output = step(output)
                if is_pending(output):
                    output = await result_of(warn_of_deferred(output, step, "pipelines"))
        except DropItem as dropped:
            log_result(log, crawler.logformatter.dropped(item, dropped, response, spider), spider, item=item)
            await self._signals.send_async(signals.item_dropped, item=item, response=response, exception=dropped)
            return None
        except Exception as error:
            self._log_error(item, error, response)
            await self._signals.send_async(signals.item_error, item=item, response=response, failure=Failure())
            return None
        if is_logged(log, crawler.logformatter, "scraped"):
            log_result(log, crawler.logformatter.scraped(output, response, spider), spider, item=output)
        await self._signals.send_async(signals.item_scraped, item=output, response=response)
        return output

    def _log_error(self, item: Any, error: Exception, response: Any) -> None:
        """Log the exception of an item: with its traceback, or in one line if the same one has been logged before."""
        spider = self._crawler.spider
        entry = self._crawler.logformatter.item_error(item, error, response, spider)
        *_, (frame, line) = traceback.walk_tb(error.__traceback__)
        kind = (type(error), str(error), frame.f_code, line)
        is_known = kind in self._logged
        if is_known and entry is not None:
            again = f" ({type(error).__name__}: {error}, as before)"
            entry = {**entry, "msg": entry["msg"] + (again.replace("%", "%%") if entry.get("args") else again)}
        elif len(self._logged) < MAX_LOGGED:
            self._logged.add(kind)
        log_result(log, entry, spider, item=item, exc_info=not is_known)


def plain_item(item: Any) -> Any:
    """Return an item as JSON values, in the form in which Scrapy's JSON exporters write it."""
    if isinstance(item, dict) and type(item) is dict:
        return {str(name): _plain(value) for name, value in item.items()}
    adapter = ItemAdapter(item)
    return {name: _plain(_serialized(adapter, name, value)) for name, value in adapter.items()}


def _serialized(adapter: Any, name: str, value: Any) -> Any:
    """Return the value of a field, changed by the serializer that the field names."""
    serializer = adapter.get_field_meta(name).get("serializer")
    return value if serializer is None else serializer(value)


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one type after the other
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value if type(value) is str else str.__str__(value)
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if is_item(value):
        return plain_item(value)
    if hasattr(value, "strftime"):
        return value.strftime(DATES.get(type(value).__name__, "%Y-%m-%d %H:%M:%S"))
    return str(value)


DATES = {"date": "%Y-%m-%d", "time": "%H:%M:%S"}
"""Forms of dates in Scrapy's JSON."""
