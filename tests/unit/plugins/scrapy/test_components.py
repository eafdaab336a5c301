"""The components of a project are created in their order."""

from __future__ import annotations

import pytest
from crawler_plugins.scrapy import components
from crawler_plugins.scrapy.components import build_components, component_paths, path_of, takes_spider
from scrapy.exceptions import NotConfigured
from scrapy.settings import Settings

from crawler import ConfigError


class First:
    pass


class Second:
    @classmethod
    def from_crawler(cls, crawler):
        made = cls()
        made.crawler = crawler
        return made


class Off:
    def __init__(self):
        raise NotConfigured("no key")


class Broken:
    def __init__(self):
        raise KeyError("key")


class Crawler:
    def __init__(self, pipelines):
        self.settings = Settings({"ITEM_PIPELINES": pipelines})


def test_components_are_created_in_their_order(caplog):
    crawler = Crawler({Second: 200, First: 100, Off: 50})
    first, second = build_components(crawler, "ITEM_PIPELINES")
    assert (type(first), type(second), second.crawler) == (First, Second, crawler)
    assert "Off is disabled: no key" in caplog.text


def test_a_component_that_cannot_be_created_is_named():
    with pytest.raises(ConfigError, match=r"setting ITEM_PIPELINES: .*test_components.Broken: KeyError: 'key'"):
        list(build_components(Crawler({Broken: 1}), "ITEM_PIPELINES"))
    with pytest.raises(ConfigError, match="setting ITEM_PIPELINES: .*No module named 'no'"):
        list(build_components(Crawler({"no.such.Class": 1}), "ITEM_PIPELINES"))


def test_a_setting_that_is_not_a_mapping_is_refused():
    with pytest.raises(ConfigError, match="setting ITEM_PIPELINES: "):
        component_paths(Settings({"ITEM_PIPELINES": {First: "first"}}), "ITEM_PIPELINES")


def test_components_that_are_skipped_stay_paths():
    paths = list(build_components(Crawler({First: 1}), "ITEM_PIPELINES", skip=path_of(First).__eq__))
    assert paths == [path_of(First)]


def test_a_method_that_requires_the_spider_is_known():
    def old(item, spider): ...

    def new(item, spider=None): ...

    assert takes_spider(old)
    assert not takes_spider(new)


def test_an_older_scrapy_passes_the_spider_to_all_methods_that_take_it(monkeypatch):
    def new(item, spider=None): ...

    def without(item): ...

    monkeypatch.setattr(components, "PASSES_SPIDER", True)
    assert takes_spider(new)
    assert not takes_spider(without)
