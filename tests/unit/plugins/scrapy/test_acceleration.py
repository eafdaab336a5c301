"""What Scrapy does for each page and link is done in the quick ways, once installed."""

from __future__ import annotations

import scrapy
from crawler_plugins.scrapy import acceleration
from scrapy.linkextractors import lxmlhtml
from scrapy.selector import unified
from scrapy.statscollectors import StatsCollector


def quick_ways():
    """The functions that are replaced."""
    return [
        lxmlhtml.LxmlLinkExtractor.extract_links, scrapy.Request.__init__, scrapy.Selector.__init__,
        StatsCollector.__init__, unified.get_base_url,
    ]  # fmt: skip


def test_all_are_installed_once():
    acceleration.install()
    installed = quick_ways()
    assert {way.__globals__["__name__"] for way in installed} == {
        f"crawler_plugins.scrapy.{module}"
        for module in ("fast_responses", "links", "quick_requests", "quick_selectors", "quick_stats")
    }
    acceleration.install()
    assert quick_ways() == installed
