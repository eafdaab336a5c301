"""`Pipelines`: items pass the pipelines of a project, in whichever form these are written."""

from __future__ import annotations

import datetime as dt
import decimal

import pytest
import scrapy
from crawler_plugins.scrapy.pipelines import plain_item
from scrapy import signals
from scrapy.exceptions import DropItem
from support.scrapy_site import SITE, run_scrapy
from twisted.internet.defer import Deferred, inlineCallbacks, succeed

from crawler import ConfigError

PAGES = {"/": "<p>a</p>"}
events: list[str] = []


class One(scrapy.Spider):
    name = "one"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        yield {"n": 1}


class Plain:
    def open_spider(self, spider):
        events.append(f"open {spider.name}")

    def close_spider(self, spider):
        events.append("close")

    def process_item(self, item, spider):
        return {"n": item["n"] + 1}


class Async:
    async def open_spider(self):
        await succeed(None)
        events.append("open async")

    async def process_item(self, item):
        return {"n": item["n"] * 10}


class ByDeferred:
    @inlineCallbacks
    def process_item(self, item, spider):
        item["d"] = yield succeed("x")
        return item


class Fired:
    def process_item(self, item, spider):
        deferred = Deferred()
        deferred.addCallback(lambda _: item)
        deferred.callback(None)
        return deferred


class Closed:
    async def open_spider(self):
        raise ValueError("no database")


@pytest.fixture(autouse=True)
def clean():
    events.clear()


@pytest.mark.filterwarnings("ignore:.*returned a Deferred:scrapy.exceptions.ScrapyDeprecationWarning")
async def test_plain_async_and_deferred_pipelines_run_in_their_order():
    ran = await run_scrapy(One, PAGES, {"ITEM_PIPELINES": {Async: 2, Plain: 1, ByDeferred: 3, Fired: 4}})
    assert ran.items == [{"n": 20, "d": "x"}]
    assert events == ["open one", "open async", "close"]


async def test_a_pipeline_that_cannot_be_opened_is_named_before_anything_is_sent():
    with pytest.raises(ConfigError, match=r"Closed.open_spider\(\) raised ValueError: no database"):
        await run_scrapy(One, {}, {"ITEM_PIPELINES": {Plain: 1, Closed: 2}})


async def test_a_dropped_item_is_counted_and_reported():
    dropped = []

    class Dropping:
        def process_item(self, item):
            raise DropItem("not wanted")

    def listen(bridged):
        bridged.scrapy.signals.connect(note, signals.item_dropped)

    def note(item, exception):
        dropped.append(str(exception))

    ran = await run_scrapy(One, PAGES, {"ITEM_PIPELINES": {Dropping: 1}}, prepare=listen)
    assert (ran.items, dropped) == ([], ["not wanted"])
    assert ran.stats["item_dropped_reasons_count/DropItem"] == 1


async def test_an_exception_of_a_pipeline_loses_its_item_only(caplog):
    class Failing:
        def process_item(self, item):
            raise KeyError("price")

    class Two(One):
        def parse(self, response):
            yield {"n": 1}
            yield scrapy.Request(f"{SITE}/b")

    ran = await run_scrapy(Two, {**PAGES, "/b": "b"}, {"ITEM_PIPELINES": {Failing: 1}})
    assert ran.items == []
    assert ran.paths == ["/", "/b"]
    assert "Error processing" in caplog.text


async def test_an_exception_that_is_raised_for_each_item_has_one_traceback(caplog):
    class Unreachable:
        def process_item(self, item):
            raise ConnectionError("100% refused")

    class Three(One):
        def parse(self, response):
            yield from ({"n": n} for n in range(3))

    await run_scrapy(Three, PAGES, {"ITEM_PIPELINES": {Unreachable: 1}})
    first, *others = [record for record in caplog.records if "Error processing" in record.getMessage()]
    assert first.exc_info
    assert [bool(record.exc_info) for record in others] == [False, False]
    assert all(record.getMessage().endswith("(ConnectionError: 100% refused, as before)") for record in others)


async def test_receivers_of_signals_may_be_async():
    seen = []

    async def note(item):
        await succeed(None)
        seen.append(item)

    def listen(bridged):
        bridged.scrapy.signals.connect(note, signals.item_scraped)

    await run_scrapy(One, PAGES, prepare=listen)
    assert seen == [{"n": 1}]


def test_values_have_the_form_of_scrapys_json():
    class Item(scrapy.Item):
        when = scrapy.Field()
        price = scrapy.Field(serializer=lambda value: f"{value} EUR")

    item = Item(when=dt.datetime(2026, 1, 31, 12, 30, tzinfo=dt.UTC), price=decimal.Decimal("1.5"))
    assert plain_item(item) == {"when": "2026-01-31 12:30:00", "price": "1.5 EUR"}
    nested = {"a": {1: (2, {3})}, "b": b"x", "d": dt.date(2026, 1, 31), "t": dt.time(1, 2), "o": decimal.Decimal(1)}
    assert plain_item(nested) == {"a": {"1": [2, [3]]}, "b": "x", "d": "2026-01-31", "t": "01:02:00", "o": "1"}
    assert plain_item({"item": item})["item"]["price"] == "1.5 EUR"
