"""The spider of the shop, from which those of the projects derive, and the recorder of what it did."""

import json
import os
from pathlib import Path

import scrapy
from itemadapter import ItemAdapter
from scrapy import signals

SITE = os.environ["SITE"]


class Recorded:
    """Writes ``outcome.json``: the items and the stats."""

    @classmethod
    def from_crawler(cls, crawler, *args, **kwargs):
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.scraped = []
        crawler.signals.connect(spider.note_item, signals.item_scraped)
        crawler.signals.connect(spider.write_outcome, signals.engine_stopped)
        return spider

    def note_item(self, item):
        self.scraped.append(ItemAdapter(item).asdict())

    def write_outcome(self):
        outcome = {"items": self.scraped, "stats": self.crawler.stats.get_stats()}
        Path("outcome.json").write_text(json.dumps(outcome, default=str), encoding="utf-8")


class Shop(Recorded, scrapy.Spider):
    start_urls = [SITE]

    def parse(self, response):
        yield from response.follow_all(css="a:not(.flaky)", callback=self.parse_item)

    def parse_item(self, response):
        yield {"name": response.css("h1::text").get(), "price": response.css("p.price::text").get()}
