"""Read the products of a catalogue file: XML, CSV, JSON or JSON Lines, gzipped or not.

::

    python -m crawler run examples/feed_records.py -a url=https://shop.example/products.xml.gz -o products.jsonl
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crawler import Response
from crawler.spiders import FeedSpider


class Products(FeedSpider):
    """Products of an XML catalogue. A product without a price is counted as broken, and the others are read."""

    itertag = "g:product"
    namespaces = {"g": "https://goods.example/ns"}

    def parse_record(self, response: Response, record: Any) -> Iterator[object]:
        """Yield an item for one ``<g:product>``, an `xml.etree.ElementTree.Element`."""
        yield {
            "id": record.get("id"),
            "name": record.findtext("g:name", namespaces=self.namespaces),
            "price": float(record.findtext("g:price", namespaces=self.namespaces)),
        }
