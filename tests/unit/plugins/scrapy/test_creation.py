"""`create_crawler`: a spider that cannot be created is one line, and some settings have one value only."""

from __future__ import annotations

import pytest
import scrapy
from crawler_plugins.scrapy import ScrapySpider
from scrapy.crawler import Crawler
from scrapy.extensions.periodic_log import PeriodicLog

from crawler import ConfigError


def test_a_spider_that_cannot_be_created_is_one_line():
    class Broken(scrapy.Spider):
        name = "quotes"

        def __init__(self, *args, **kwargs):
            raise KeyError("no key")

    with pytest.raises(ConfigError, match=r"quotes cannot be created: KeyError: 'no key'"):
        ScrapySpider.of(Broken)


def test_the_crawl_keeps_what_it_does_itself_from_the_extensions_of_scrapy():
    settings = {"TELNETCONSOLE_ENABLED": True, "MEMUSAGE_ENABLED": True, "TWISTED_REACTOR": "no.such.Reactor"}

    class Named(scrapy.Spider):
        name = "quotes"

    made = ScrapySpider.of(Named, base=scrapy.settings.Settings(settings)).scrapy
    assert made.settings["TWISTED_REACTOR"] is None
    assert not made.settings.getbool("TELNETCONSOLE_ENABLED")
    extensions = {type(one).__name__ for one in made.extensions.middlewares}
    assert extensions == {"CoreStats", "LogCount"}


@pytest.mark.parametrize(
    ("settings", "added"),
    [
        ({"MEMUSAGE_LIMIT_MB": 100_000}, {"MemoryUsage"}),
        ({"LOGSTATS_INTERVAL": 5}, {"LogStats"}),
        ({"PERIODIC_LOG_STATS": True, "EXTENSIONS": {PeriodicLog: 0}}, {"PeriodicLog"}),
        ({"MEMUSAGE_LIMIT_MB": 100_000, "MEMUSAGE_ENABLED": False}, set()),
    ],
)
def test_an_extension_with_a_timer_runs_if_one_of_its_settings_is_given(settings, added):
    class Given(scrapy.Spider):
        name = "given"
        custom_settings = settings

    made = ScrapySpider.of(Given).scrapy
    assert {type(one).__name__ for one in made.extensions.middlewares} == {"CoreStats", "LogCount"} | added


@pytest.mark.parametrize("name", ["ITEM_PIPELINES", "DOWNLOAD_HANDLERS", "FEEDS"])
def test_text_for_a_setting_of_components_must_be_json(name):
    with pytest.raises(ConfigError, match=f"^setting {name} must be a JSON object, not 'abc'$"):
        ScrapySpider.of(scrapy.Spider, settings={name: "abc"})


def test_attributes_of_a_spider_stand_for_settings():
    class Slow(scrapy.Spider):
        name = "slow"
        download_delay = 2
        download_timeout = 9
        download_maxsize = 1000
        max_concurrent_requests = 3

    settings = ScrapySpider.of(Slow).settings
    assert (settings.delay, settings.request_deadline, settings.max_body, settings.per_host) == (2, 9, 1000, 3)

    given = {"DOWNLOAD_DELAY": 5, "CONCURRENT_REQUESTS_PER_DOMAIN": 9, "DOWNLOAD_TIMEOUT": 1, "DOWNLOAD_MAXSIZE": 1}
    settings = ScrapySpider.of(Slow, settings=given).settings
    assert (settings.request_deadline, settings.max_body) == (9, 1000)
    is_bridged = hasattr(Crawler, "_apply_deprecated_spider_attr")  # else these attributes win, too
    assert (settings.delay, settings.per_host) == ((5, 9) if is_bridged else (2, 3))
