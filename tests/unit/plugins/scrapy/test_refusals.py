"""`refusals`: what cannot run is said before anything is created."""

from __future__ import annotations

import pytest
import scrapy
from crawler_plugins.scrapy import ScrapySpider
from crawler_plugins.scrapy.refusals import missing_arguments, refusals
from scrapy.settings import Settings

from crawler import ConfigError


class Asyncio(scrapy.Spider):
    name = "asyncio"

    async def parse(self, response):
        import aiohttp  # noqa: PLC0415 - it is never run

        await aiohttp.request("GET", "http://site.test")


class Middleware:
    async def process_item(self, item):
        from playwright.async_api import async_playwright  # noqa: PLC0415 - it is never run

        await async_playwright()


class Certificates(scrapy.Spider):
    name = "certificates"

    def parse(self, response):
        yield {"issuer": response.certificate.getIssuer()}


class Courses(scrapy.Spider):
    name = "courses"

    def parse(self, response, course):
        yield {"certificate": course.certificate, "ip": response.ip_address}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"SCHEDULER": "my.Scheduler"}, "SCHEDULER = my.Scheduler: the crawl has its own"),
        ({"DUPEFILTER_CLASS": "no.such.Filter"}, "DUPEFILTER_CLASS = no.such.Filter cannot be imported"),
        (
            {"DOWNLOAD_HANDLERS": {"https": "no.such.Handler"}},
            "DOWNLOAD_HANDLERS['https'] = no.such.Handler cannot be imported",
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
    assert "Asyncio.parse() uses aiohttp, which needs an asyncio event loop" in reason


def test_a_callback_that_reads_the_certificate_of_a_response_is_named():
    [reason] = refusals(Settings(), Certificates)
    assert "Certificates.parse() reads response.certificate, which is not known here" in reason
    assert list(refusals(Settings(), Courses)) == []


def test_the_queues_of_scrapy_redis_are_a_job():
    queues = {
        "SCHEDULER": "scrapy_redis.scheduler.Scheduler",
        "DUPEFILTER_CLASS": "scrapy_redis.dupefilter.RFPDupeFilter",
    }
    assert list(refusals(Settings(queues))) == []


def test_defaults_and_disabled_components_are_not_refused():
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


def test_each_reason_is_a_line_of_its_own():
    with pytest.raises(ConfigError) as raised:
        ScrapySpider.of(Asyncio, settings={"SCHEDULER": "my.Queue"})
    assert str(raised.value).startswith("asyncio cannot run: SCHEDULER = my.Queue: ")
    [other] = raised.value.__notes__
    assert other.startswith("asyncio cannot run: spider: ")
    assert "Asyncio.parse() uses aiohttp" in other


def test_a_setting_that_is_not_a_class_is_not_a_component():
    settings = Settings({"ITEM_PIPELINES": {"logging.INFO": 1, "logging.getLogger": 2}, "STATS_CLASS": "logging.INFO"})
    assert list(refusals(settings)) == [
        "ITEM_PIPELINES: logging.INFO must be a class, not int",
        "STATS_CLASS = logging.INFO must be a class, not int",
    ]


def test_custom_settings_are_a_dict():
    class Listed(scrapy.Spider):
        name = "listed"
        custom_settings = ("DOWNLOAD_DELAY",)

    with pytest.raises(ConfigError, match="listed cannot run: custom_settings of Listed must be a dict, not tuple"):
        ScrapySpider.of(Listed)


def test_arguments_that_a_constructor_must_be_given_are_named():
    class Shop(scrapy.Spider):
        name = "shop"

        def __init__(self, city, street, page=1, *args, **kwargs):
            super().__init__(**kwargs)

    class Itself(Shop):
        @classmethod
        def from_crawler(cls, crawler, *args, **kwargs):
            return super().from_crawler(crawler, "Bonn", "Street")

    assert missing_arguments(Shop) == ["city", "street"]
    assert missing_arguments(Itself) == missing_arguments(scrapy.Spider) == []
    with pytest.raises(ConfigError, match="shop needs the argument street: -a street=VALUE"):
        ScrapySpider.of(Shop, {"city": "Bonn"})
    assert ScrapySpider.of(Shop, {"city": "Bonn", "street": "Street"}).name == "shop"
