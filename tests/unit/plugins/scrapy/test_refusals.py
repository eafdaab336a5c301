"""`refusals`: what cannot run is said before anything is created."""

from __future__ import annotations

import asyncio

import pytest
import scrapy
from crawler_plugins.scrapy import ScrapySpider
from crawler_plugins.scrapy.refusals import refusals
from scrapy.settings import Settings

from crawler import ConfigError


class Asyncio(scrapy.Spider):
    name = "asyncio"

    async def parse(self, response):
        await asyncio.sleep(1)


class Middleware:
    async def process_item(self, item):
        await asyncio.sleep(1)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"SCHEDULER": "scrapy_redis.scheduler.Scheduler"}, "SCHEDULER = scrapy_redis.scheduler.Scheduler: queues in"),
        ({"DUPEFILTER_CLASS": "my.Filter"}, "DUPEFILTER_CLASS = my.Filter: the crawl has its own"),
        (
            {"DOWNLOAD_HANDLERS": {"https": "scrapy_impersonate.ImpersonateDownloadHandler"}},
            "DOWNLOAD_HANDLERS['https'] = scrapy_impersonate.ImpersonateDownloadHandler: the crawl has",
        ),
        (
            {"DOWNLOADER_MIDDLEWARES": {"scrapy_splash.SplashMiddleware": 725}},
            "DOWNLOADER_MIDDLEWARES: scrapy_splash.SplashMiddleware: Splash is not used",
        ),
        ({"ITEM_PIPELINES": {"no.such.Pipeline": 1}}, "ITEM_PIPELINES: no.such.Pipeline cannot be imported"),
        ({"ITEM_PIPELINES": {Middleware: 1}}, "ITEM_PIPELINES: "),
    ],
)
def test_a_part_that_the_crawl_replaces_is_named(settings, line):
    [reason] = refusals(Settings(settings))
    assert reason.startswith(line)
    assert "\n" not in reason


def test_a_callback_that_needs_asyncio_is_named():
    [reason] = refusals(Settings(), Asyncio)
    assert "Asyncio.parse() uses asyncio, which needs an asyncio event loop" in reason


def test_defaults_and_disabled_components_are_no_reason():
    assert list(refusals(Settings({"ITEM_PIPELINES": {"no.such.Pipeline": None}}), scrapy.Spider)) == []


def test_all_reasons_are_in_one_message():
    with pytest.raises(ConfigError, match=r"asyncio cannot run: SCHEDULER = my.Queue: .*; spider: .*Asyncio.parse"):
        ScrapySpider.of(Asyncio, settings={"SCHEDULER": "my.Queue"})
