"""`Offsite`: the allowed domains of a Scrapy spider."""

from __future__ import annotations

import pytest
from crawler_plugins.scrapy.offsite import Offsite


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
