"""Names that Scrapy has removed can be imported again."""

from __future__ import annotations

import importlib

import pytest
import scrapy
from crawler_plugins.scrapy import aliases
from scrapy.http import HtmlResponse
from support.cases import each


@pytest.fixture(autouse=True)
def installed():
    aliases.install()


@each(
    ("module", "name", "now"),
    [
        ("scrapy.contrib.spiders", "CrawlSpider", "scrapy.spiders:CrawlSpider"),
        ("scrapy.contrib.linkextractors.sgml", "SgmlLinkExtractor", "scrapy.linkextractors:LinkExtractor"),
        ("scrapy.contrib.loader", "XPathItemLoader", "scrapy.loader:ItemLoader"),
        ("scrapy.contrib.loader.processor", "MapCompose", "itemloaders.processors:MapCompose"),
        ("scrapy.contrib.pipeline.images", "ImagesPipeline", "scrapy.pipelines.images:ImagesPipeline"),
        ("scrapy.contrib.spidermiddleware.depth", "DepthMiddleware", "scrapy.spidermiddlewares.depth:DepthMiddleware"),
        ("scrapy.loader.processors", "TakeFirst", "itemloaders.processors:TakeFirst"),
        ("scrapy.spider", "BaseSpider", "scrapy.spiders:Spider"),
        ("scrapy", "BaseSpider", "scrapy.spiders:Spider"),
        ("scrapy.item", "BaseItem", "scrapy.item:Item"),
        ("scrapy.xlib.pydispatch", "dispatcher", "pydispatch:dispatcher"),
        ("scrapy.utils.markup", "remove_tags", "w3lib.html:remove_tags"),
    ],
)  # fmt: skip
def test_a_removed_name_is_the_present_one(module, name, now):
    place, _, present = now.partition(":")
    assert getattr(importlib.import_module(module), name) is getattr(importlib.import_module(place), present)


@each("module", [name for name in aliases.MODULES if name != "scrapy.conf"])
def test_every_removed_module_is_imported(module):
    assert importlib.import_module(module).__name__ == module


def test_selectors_and_responses_have_their_old_methods():
    response = HtmlResponse("https://site.test/", body=b"<p>a</p>", encoding="utf-8")
    selector = importlib.import_module("scrapy.selector").HtmlXPathSelector(response)
    assert selector.select("//p/text()").extract() == ["a"]
    assert response.body_as_unicode() == "<p>a</p>"


def test_a_present_module_is_left_alone():
    before = vars(importlib.import_module("scrapy.spiders")).copy()
    aliases.install()
    assert vars(importlib.import_module("scrapy.spiders")) == before
    assert scrapy.Spider.__module__ == "scrapy.spiders"


def test_messages_of_the_old_log_are_logged(caplog):
    log = importlib.import_module("scrapy.log")
    log.msg("hello", level=log.WARNING)
    assert "hello" in caplog.text


def test_a_spider_makes_its_start_requests():
    spider = scrapy.Spider("s", start_urls=["https://site.test/"])
    assert [request.url for request in spider.start_requests()] == ["https://site.test/"]
    assert spider.make_requests_from_url("https://site.test/a").dont_filter
