"""Statistics that extensions of Scrapy with timers set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import scrapy
from crawler_plugins.scrapy.final_stats import note_memory, note_rates
from scrapy.crawler import Crawler
from scrapy.statscollectors import MemoryStatsCollector

MEBIBYTE = 1 << 20


def collector(**values):
    stats = MemoryStatsCollector(Crawler(scrapy.Spider))
    stats.set_stats(values)
    return stats


def test_the_peak_of_the_memory_is_in_bytes():
    stats = collector()
    note_memory(stats, "memusage/max")
    assert MEBIBYTE < stats.get_value("memusage/max") < (MEBIBYTE << 20)


def test_what_the_extension_has_set_is_kept():
    stats = collector(known=5)
    note_memory(stats, "known")
    assert stats.get_value("known") == 5


def test_rates_are_those_of_the_whole_crawl():
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    times = {"start_time": begun, "finish_time": begun + timedelta(minutes=2)}
    stats = collector(**times, item_scraped_count=9, response_received_count=4)
    note_rates(stats, None)
    assert stats.get_value("items_per_minute") == 4.5
    assert stats.get_value("responses_per_minute") == 2.0
