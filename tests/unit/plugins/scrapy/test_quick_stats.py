"""Statistics are those of Scrapy, counted in less time."""

from __future__ import annotations

import warnings

import pytest
from crawler_plugins.scrapy import quick_stats
from scrapy.settings import Settings
from scrapy.statscollectors import DummyStatsCollector, MemoryStatsCollector, StatsCollector


class Crawler:
    settings = Settings()


class Own(MemoryStatsCollector):
    """A collector of a project."""

    def inc_value(self, key, count=1, start=0, spider=None):
        super().inc_value(f"own/{key}", count, start)


@pytest.fixture(autouse=True)
def installed():
    quick_stats.install()


@pytest.mark.parametrize(
    ("kind", "counted"),
    [(MemoryStatsCollector, {"a": 3, "b": 2}), (DummyStatsCollector, {}), (Own, {"own/a": 3, "b": 2})],
)
def test_values_are_counted_as_before(kind, counted):
    stats = kind(Crawler())
    for _ in range(3):
        stats.inc_value("a")
    stats.max_value("b", 1)
    stats.max_value("b", 2)
    assert (stats.get_stats(), stats.get_value("a", 7)) == (counted, counted.get("a", 7))
    with pytest.raises(AttributeError, match="other"):
        _ = stats.other


def test_a_method_of_a_project_is_warned_of_once_and_a_call_of_its_base_is_not():
    class Passing(MemoryStatsCollector):
        def inc_value(self, key, count=1, start=0, spider=None):
            super().inc_value(key, count, start, spider=spider)

    stats = Passing(Crawler())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stats.inc_value("a", spider=1)
    assert (stats.get_stats(), len(caught)) == ({"a": 1}, 1)


def test_a_dict_that_replaces_the_values_is_used():
    stats = MemoryStatsCollector(Crawler())
    stats.inc_value("a")
    stats.set_stats({"b": 1})
    stats.inc_value("b")
    assert stats.get_stats() == {"b": 2}


def test_a_spider_that_is_passed_is_warned_of_as_before():
    stats = MemoryStatsCollector(Crawler())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stats.inc_value("a", spider=1)
        stats.inc_value("a", 1, 0, 1)
    assert len(caught) == 2
    assert "spider" in str(caught[0].message)


def test_quick_stats_are_installed_once():
    before = StatsCollector.__init__
    quick_stats.install()
    assert StatsCollector.__init__ is before
