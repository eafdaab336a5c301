"""The products of a file: a catalogue in XML, CSV, JSON or JSON Lines, gzipped or not.

::

    python -m crawler run examples/feed_records.py -a url=https://shop.example/products.xml.gz -o products.jsonl
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crawler import Response
from crawler.spiders import FeedSpider


class PageResult(FeedSpider):
    """An item a product. One that has no price is broken: it is counted, and the rest goes on."""

    itertag = "g:product"
    namespaces = {"g": "https://goods.example/ns"}

    def parse_record(self, response: Response, record: Any) -> Iterator[object]:
        """One ``<g:product>``: an element of `xml.etree`."""
        yield {
            "id": record.get("id"),
            "name": record.findtext("g:name", namespaces=self.namespaces),
            "price": float(record.findtext("g:price", namespaces=self.namespaces)),
        }
