"""`Offsite`: the allowed domains of a Scrapy spider."""

from __future__ import annotations

import logging

import pytest
import scrapy
from crawler_plugins.scrapy.offsite import Offsite
from scrapy.crawler import Crawler
from scrapy.statscollectors import MemoryStatsCollector


class Spider:
    allowed_domains = ["example.com", None, "b.test"]


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.com/", True),
        ("https://EXAMPLE.com:8443/a", True),
        ("https://user:pass@www.example.com?q=1", True),
        ("http://b.test#x", True),
        ("https://notexample.com/", False),
        ("https://example.com.evil.test/", False),
        ("https://c.test/?u=example.com", False),
    ],
)
def test_a_domain_includes_its_subdomains(url, allowed):
    assert Offsite(Spider()).allows(url) is allowed


def test_without_domains_every_url_is_allowed():
    spider = Spider()
    spider.allowed_domains = []
    assert Offsite(spider).allows("https://c.test/")


def test_a_change_has_effect_at_once():
    spider = Spider()
    filters = Offsite(spider)
    assert not filters.allows("https://c.test/")
    spider.allowed_domains = ["c.test"]
    assert filters.allows("https://c.test/")


def test_hosts_that_are_not_allowed_are_counted_and_logged_once(caplog):
    caplog.set_level(logging.DEBUG, "scrapy")
    stats = MemoryStatsCollector(Crawler(scrapy.Spider))
    offsite = Offsite(Spider())
    for url in ("https://c.test/1", "https://c.test/2", "https://d.test/"):
        offsite.note(scrapy.Request(url), stats)
    assert stats.get_stats() == {"offsite/domains": 2, "offsite/filtered": 3}
    assert [record.getMessage() for record in caplog.records] == [
        "Filtered offsite request to 'c.test': <GET https://c.test/1>",
        "Filtered offsite request to 'd.test': <GET https://d.test/>",
    ]
