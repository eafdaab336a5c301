"""`Observer`: recent pages, items, failures and log records, and the rates over time."""

from __future__ import annotations

import contextvars
import logging
from collections import Counter, OrderedDict, deque
from typing import Any, Final

import msgspec

from crawler import Crawl, Failure, Item, Request, Response
from crawler.monitor import Monitor, Snapshot
from crawler_plugins.item_fields import fields_of, is_empty, type_of

__all__ = ["Observer"]

MAX_PAGES: Final = 2_000
"""Maximum number of recent pages that are kept."""
MAX_ITEMS: Final = 200
"""Maximum number of recent items that are kept."""
MAX_FAILURES: Final = 500
"""Maximum number of recent failures that are kept, with their requests."""
MAX_RECORDS: Final = 500
"""Maximum number of log records that are kept."""
MAX_LINKS: Final = 20_000
"""Maximum number of requests whose source page is remembered."""
MAX_FIELDS: Final = 200
"""Maximum number of fields of items that are counted."""
POINTS: Final = 720
"""Maximum number of points of the plots. When they are full, every second one is dropped, and new ones come half as
often."""
MAX_TEXT: Final = 2_000
"""Maximum length of one text that is shown, in characters."""

page_of: contextvars.ContextVar[str] = contextvars.ContextVar("page_of", default="")
"""URL of the page whose requests are being admitted."""


class Observer:
    """Keeps what happened last, in bounded memory."""

    def __init__(self, crawl: Crawl) -> None:
        self._crawl = crawl
        self.monitor = Monitor(crawl)
        self.pages: deque[dict[str, Any]] = deque(maxlen=MAX_PAGES)
        self.items: deque[dict[str, Any]] = deque(maxlen=MAX_ITEMS)
        self.failures: deque[dict[str, Any]] = deque(maxlen=MAX_FAILURES)
        self.records: deque[dict[str, Any]] = deque(maxlen=MAX_RECORDS)
        self.points: list[dict[str, float]] = []
        self.fields: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self._requests: dict[int, Request] = {}
        self._numbers = 0
        self._found_on: OrderedDict[str, str] = OrderedDict()
        self._every = 1.0
        self._drawn = 0.0

    # ---- what happens ------------------------------------------------------------------------------------------------

    def note_page(self, response: Response) -> None:
        """Note a page whose callback has succeeded."""
        page_of.set(response.request.shown_url)
        self.pages.append(
            {
                "time": self._crawl.clock(),
                "url": response.request.shown_url,
                "status": response.status,
                "seconds": round(response.elapsed, 3),
                "bytes": len(response.body),
                "depth": response.depth,
                "attempt": response.attempt,
                "source": response.source,
                "callback": str(response.request.callback or "parse"),
            }
        )

    def note_request(self, request: Request) -> None:
        """Note on which page a new request was found."""
        self._found_on[request.url] = page_of.get()
        if len(self._found_on) > MAX_LINKS:
            self._found_on.popitem(last=False)

    def note_item(self, item: Item, response: Response) -> None:
        """Note an item, and which of its fields have a value."""
        self.types[type_of(item)] += 1
        try:
            fields = fields_of(item)
            for name, value in fields.items():
                if name in self.fields or len(self.fields) < MAX_FIELDS:
                    self.fields[str(name)] += not is_empty(value)
            text = msgspec.json.encode(fields, enc_hook=str).decode()
        except (TypeError, ValueError):
            text = repr(item)
        self.items.append({"time": self._crawl.clock(), "url": response.request.shown_url, "item": text[:MAX_TEXT]})

    def note_failure(self, failure: Failure) -> None:
        """Note a request or a page that failed."""
        self.monitor.note_failure(failure)
        error = failure.error
        self._numbers += 1
        self._requests[self._numbers] = failure.request
        self.failures.append(
            {
                "number": self._numbers,
                "time": self._crawl.clock(),
                "kind": error.full_reason,
                "url": failure.request.shown_url,
                "message": str(error)[:MAX_TEXT],
                "traceback": failure.traceback[-2 * MAX_TEXT :] if error.__cause__ is not None else "",
                "retried": False,
            }
        )
        while len(self._requests) > MAX_FAILURES:
            del self._requests[next(iter(self._requests))]

    # ---- what is asked -----------------------------------------------------------------------------------------------

    def snapshot(self, hosts: int) -> Snapshot:
        """Return a snapshot, and add its rates to the plots when a point is due."""
        now = self.monitor.snapshot(hosts)
        if now.time - self._drawn >= self._every:
            self._drawn = now.time
            waited = [page["seconds"] for page in list(self.pages)[-50:]]
            self.points.append(
                {
                    "time": now.time,
                    "pages": now.pages_per_second,
                    "bytes": now.bytes_per_second,
                    "waiting": now.waiting,
                    "in_flight": now.in_flight,
                    "seconds": sum(waited) / len(waited) if waited else 0.0,
                }
            )
            if len(self.points) >= POINTS:
                self.points = self.points[::2]
                self._every *= 2
        return now

    def found_on(self, url: str) -> str | None:
        """Return the page on which a request was found; `None` if it is not remembered, or has none."""
        return self._found_on.get(url) or None

    def retry(self, kind: str) -> int:
        """Send the requests of a kind of failure again, and return their number. They keep no older attempts."""
        count = 0
        for entry in self.failures:
            request = self._requests.get(entry["number"])
            if entry["kind"] == kind and not entry["retried"] and request is not None:
                entry["retried"] = True
                self._crawl.add(request.replace(dont_filter=True))
                count += 1
        return count


class Recorder(logging.Handler):
    """Keeps the last records of the log."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record. Its text has no secrets: the loggers of the crawler remove them."""
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)  # the arguments do not fit the message: an error of the code that logs
            return
        self._observer.records.append(
            {"time": record.created, "level": record.levelname, "logger": record.name, "text": text[-2 * MAX_TEXT :]}
        )
