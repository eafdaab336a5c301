"""`StartItems`: the items that a spider starts with, on their way to pipelines and outputs.

Items are committed with a page, and these have none. So a request of its own carries each of them, for which nothing is
sent. Its URL follows from the item: a resumed job, which starts again, knows it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from typing import Any, Final

import crawler
from crawler_plugins.scrapy.codec import decode, encode

__all__ = ["StartItems"]

ORIGIN: Final = "http://start.invalid/"
"""Beginning of the URLs. No host has this name (RFC 6761 section 6.4)."""
FIELD: Final = "item"
"""Key of `meta` with the item."""


class StartItems:
    """Turns items of the start into requests, and back."""

    def __init__(self) -> None:
        self.durable = False
        """Whether items must survive JSON."""
        self._numbers = itertools.count(1)
        self._repeats: Counter[str] = Counter()
        self._kept: dict[str, Any] = {}

    def carry(self, item: Any) -> crawler.Request:
        """Return the request that carries an item.

        Raises:
            TypeError: The crawl is a job, and the item has no form in JSON.
        """
        if not self.durable:
            request = crawler.Request(f"{ORIGIN}{next(self._numbers)}")
            self._kept[request.url] = item
            return request
        form = encode(item, FIELD)
        digest = hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()
        self._repeats[digest] += 1  # equal items are different ones
        return crawler.Request(f"{ORIGIN}{digest}/{self._repeats[digest]}", meta={FIELD: form})

    @staticmethod
    def is_carrier(url: str) -> bool:
        """Return whether a URL is that of such a request, or of its robots.txt."""
        return url.startswith(ORIGIN)

    @staticmethod
    def answer(request: crawler.Request) -> crawler.Response:
        """Return the response to such a request."""
        status = 404 if request.url.endswith("/robots.txt") else 200
        return crawler.Response(request.url, status, request=request, source="scrapy")

    def item_of(self, request: crawler.Request) -> Any:
        """Return the item that a request carries."""
        return decode(request.meta[FIELD]) if FIELD in request.meta else self._kept.pop(request.url)
