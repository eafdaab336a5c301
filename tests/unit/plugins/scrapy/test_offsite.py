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


DOMAINS = (
    ["example.com"], ["example.com", "b.test"], ["www.example.com"], ["example.com:8080"], ["https://example.com"],
    ["EXAMPLE.com"], ["127.0.0.1"], ["::1"], [None], "b.test",
)  # fmt: skip
URLS = (
    "https://example.com/", "http://www.example.com/a", "https://example.com:8080/", "http://u:p@example.com/",
    "https://EXAMPLE.COM/", "https://notexample.com/", "http://b.test", "http://b.test?u=//example.com/",
    "http://127.0.0.1:8000/", "http://[::1]:8000/", "https://example.com.evil.test/", "data:,example.com",
    "http://example.com./", "http://evil.test/@example.com", "http://evil.test\\@example.com/",
)  # fmt: skip


@pytest.mark.parametrize("domains", DOMAINS, ids=str)
def test_it_allows_what_scrapy_allows(domains):
    from scrapy.downloadermiddlewares.offsite import OffsiteMiddleware  # noqa: PLC0415 - old versions have none

    class Given(scrapy.Spider):
        name = "given"
        allowed_domains = domains

    theirs = OffsiteMiddleware(MemoryStatsCollector(Crawler(Given)))
    theirs._allowed_domains = None
    spider = Given()
    allowed = {url for url in URLS if theirs.should_follow(scrapy.Request(url), spider)}
    assert {url for url in URLS if Offsite(spider).allows(scrapy.Request(url).url)} == allowed
