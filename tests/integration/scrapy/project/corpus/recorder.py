"""`Recorder`, an extension: what a crawl did, in a form that JSON has and that can be compared."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from itemadapter import ItemAdapter, is_item
from scrapy import signals


def note(spider: Any, *words: Any) -> None:
    """Write down something that a spider or one of its components saw."""
    spider.crawler.recorder.notes.append([plain(word) for word in words])


def plain(value: Any) -> Any:
    """Return a value as JSON has it, with the types of what JSON has not."""
    if value is None or isinstance(value, (bool, int, float)) or type(value) is str:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return f"bytes {value!r}"
    if isinstance(value, (datetime.date, datetime.datetime)):
        return f"{type(value).__name__} {value.isoformat()}"
    if is_item(value) and not isinstance(value, dict):
        return {"": type(value).__name__} | {key: plain(one) for key, one in ItemAdapter(value).asdict().items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"": type(value).__name__} | {key: plain(one) for key, one in dataclasses.asdict(value).items()}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (set, frozenset)):
        return [type(value).__name__, *sorted(map(str, value))]
    if isinstance(value, tuple):
        return ["tuple", *map(plain, value)]
    if isinstance(value, list):
        return [plain(one) for one in value]
    return f"{type(value).__name__} {value}"


class Recorder:
    """Keeps items, errors and notes of a crawl as `crawler.recorder`."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.dropped: list[Any] = []
        self.errors: list[Any] = []
        self.notes: list[Any] = []

    @classmethod
    def from_crawler(cls, crawler: Any) -> Recorder:
        recorder = crawler.recorder = cls()
        crawler.signals.connect(recorder.scraped, signals.item_scraped)
        crawler.signals.connect(recorder.drop, signals.item_dropped)
        crawler.signals.connect(recorder.item_error, signals.item_error)
        crawler.signals.connect(recorder.spider_error, signals.spider_error)
        return recorder

    def scraped(self, item: Any) -> None:
        self.items.append(plain(item))

    def drop(self, item: Any, exception: Exception) -> None:
        self.dropped.append([plain(item), type(exception).__name__, str(exception)])

    def item_error(self, item: Any, failure: Any) -> None:
        self.errors.append(["item", plain(item), type(failure.value).__name__, str(failure.value)])

    def spider_error(self, failure: Any, response: Any) -> None:
        where = getattr(response, "url", None)  # of an errback, it may be the failure
        self.errors.append(["spider", where, type(failure.value).__name__, str(failure.value)])
