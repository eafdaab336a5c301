"""Feed exports: where items go."""

from __future__ import annotations

import scrapy
from scrapy.exporters import BaseItemExporter

from corpus.items import Product, Quote

SHOP = "https://shop.test"


class LineExporter(BaseItemExporter):
    """An exporter of the project's own."""

    def __init__(self, file, **kwargs):
        super().__init__(dont_fail=True, **kwargs)
        self.file = file

    def export_item(self, item):
        serialized = getattr(self, "get_serialized_fields", None) or self._get_serialized_fields  # before Scrapy 2.19
        fields = dict(serialized(item, default_value=""))
        self.file.write(("; ".join(f"{name}={value}" for name, value in sorted(fields.items())) + "\n").encode())


class FirstOnly:
    """An item filter."""

    def __init__(self, feed_options):
        self.options = feed_options

    def accepts(self, item):
        return isinstance(item, Product) and item["name"].endswith("1")


class Feeds(scrapy.Spider):
    name = "feeds"
    start_urls = [f"{SHOP}/item/1", f"{SHOP}/item/2"]
    custom_settings = {
        "CONCURRENT_REQUESTS": 1,
        "FEED_EXPORTERS": {"lines": "corpus.spiders.exports.LineExporter"},
        "FEEDS": {
            "{folder}/%(name)s.json": {"format": "json", "encoding": "utf8", "indent": 2, "item_classes": [Product]},
            "{folder}/items.jsonl": {"format": "jsonlines"},
            "{folder}/items.csv": {
                "format": "csv",
                "fields": ["name", "price"],
                "item_classes": ["corpus.items.Product"],
            },
            "{folder}/items.xml": {"format": "xml", "item_classes": [Quote]},
            "{folder}/items.lines": {"format": "lines", "fields": {"name": "Name"}, "item_classes": [Product]},
            "{folder}/first.jl": {"format": "jl", "item_filter": FirstOnly, "item_classes": [Product]},
            "{folder}/empty.json": {"format": "json", "store_empty": False, "item_classes": [FirstOnly]},
        },
    }

    def parse(self, response):
        name = response.css("h1::text").get().strip()
        yield Product(name=name, price=1.5, url=response.url, sizes=["é"])
        yield Quote(text=name, author="a <b>")


class FeedDefaults(scrapy.Spider):
    name = "feed_defaults"
    in_order = True
    start_urls = [f"{SHOP}/item/1"]
    custom_settings = {
        "CONCURRENT_REQUESTS": 1,
        "FEED_EXPORT_ENCODING": "latin-1",
        "FEED_EXPORT_FIELDS": ["text", "author"],
        "FEED_EXPORT_INDENT": 1,
        "FEEDS": {
            "{folder}/%(name)s-%(time)s.json": {"format": "json"},
            "{folder}/%(mine)s.csv": {"format": "csv", "overwrite": True},
        },
    }
    mine = "own"

    def parse(self, response):
        yield {"author": "é", "text": "t", "more": 1}
        yield {"author": "b"}
