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
        await asyncio.open_connection("site.test", 80)


class Middleware:
    async def process_item(self, item):
        await asyncio.create_subprocess_exec("true")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"SCHEDULER": "my.Scheduler"}, "SCHEDULER = my.Scheduler: the crawl has its own"),
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
        ({"ADDONS": {"no.such.Addon": 1}}, "ADDONS: no.such.Addon cannot be imported"),
        ({"STATS_CLASS": "no.such.Stats"}, "STATS_CLASS = no.such.Stats cannot be imported"),
        ({"ITEM_PIPELINES": {Middleware: 1}}, "ITEM_PIPELINES: "),
    ],
)
def test_a_part_that_the_crawl_replaces_is_named(settings, line):
    [reason] = refusals(Settings(settings))
    assert reason.startswith(line)
    assert "\n" not in reason


def test_a_callback_that_needs_asyncio_is_named():
    [reason] = refusals(Settings(), Asyncio)
    assert "Asyncio.parse() uses open_connection, which needs an asyncio event loop" in reason


def test_the_queues_of_scrapy_redis_are_a_job():
    queues = {
        "SCHEDULER": "scrapy_redis.scheduler.Scheduler",
        "DUPEFILTER_CLASS": "scrapy_redis.dupefilter.RFPDupeFilter",
    }
    assert list(refusals(Settings(queues))) == []


def test_defaults_and_disabled_components_are_no_reason():
    assert list(refusals(Settings({"ITEM_PIPELINES": {"no.such.Pipeline": None}}), scrapy.Spider)) == []


def test_a_setting_of_components_is_a_dict():
    settings = Settings()
    settings.attributes["ITEM_PIPELINES"].value = [1]
    assert next(refusals(settings)).startswith("ITEM_PIPELINES must be a dict of classes and numbers")


@pytest.mark.parametrize("error", [ValueError("no key"), SystemExit(3)])
def test_a_spider_that_cannot_be_created_is_named(error):
    class Broken(scrapy.Spider):
        name = "broken"

        def __init__(self, **_):
            raise error

    with pytest.raises(ConfigError, match=f"broken cannot be created: {type(error).__name__}: {error}"):
        ScrapySpider.of(Broken)


def test_all_reasons_are_in_one_message():
    with pytest.raises(ConfigError, match=r"asyncio cannot run: SCHEDULER = my.Queue: .*; spider: .*Asyncio.parse"):
        ScrapySpider.of(Asyncio, settings={"SCHEDULER": "my.Queue"})
