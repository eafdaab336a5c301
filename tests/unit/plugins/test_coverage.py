"""The plugin `coverage`."""

from __future__ import annotations

import attrs
import pytest
from crawler_plugins.coverage import Coverage

from crawler import ConfigError, Drop, Plugin, Settings, Spider, crawl
from crawler.hooks.load import construct, load_plugin
from crawler.testing import FakeSite, collect


@attrs.frozen
class Book:
    title: str
    price: float | None


class Books(Spider):
    start_urls = ["https://site.test/a", "https://site.test/b"]
    settings = Settings(obey_robots=False)

    def parse(self, response):
        yield from (Book("x", None), Book("y", 1.0), {"name": "", "tags": []}, {"name": "z"})
        if response.url.endswith("b"):
            raise ValueError("broken: its items do not count")


SITE = {"/a": "x", "/b": "x"}
COUNTED = {
    "coverage Book": 2, "coverage Book.title": 2, "coverage Book.price": 1,
    "coverage item": 2, "coverage item.name": 1, "coverage item.tags": 0,
}  # fmt: skip


async def test_the_fields_with_a_value_are_counted_by_class_of_item(autojump_clock, caplog):
    plugin = Coverage()
    found = await collect(Books(), FakeSite(SITE), plugins=[plugin])
    assert found.report.counters == COUNTED
    assert plugin.shares() == {"Book": {"title": 1.0, "price": 0.5}, "item": {"name": 0.5, "tags": 0.0}}
    lines = [record.message for record in caplog.records if record.name == "crawler.plugins.coverage"]
    assert lines == ["Book: 2, with price 50.0%, title 100.0%", "item: 2, with name 50.0%, tags 0.0%"]


async def test_dropped_items_are_not_counted(autojump_clock):
    class Nothing(Plugin):
        async def refine(self, item, response):
            return Drop()

    found = await collect(Books(), FakeSite(SITE), plugins=[Nothing(), Coverage()])
    assert found.report.counters == {}


async def test_the_number_of_fields_is_bounded(autojump_clock):
    class Wild(Books):
        def parse(self, response):
            yield from ({f"{response.url}{n}": n} for n in range(50))

    found = await collect(Wild(), FakeSite(SITE), plugins=[Coverage(most=10)])
    assert len(found.report.counters) == 11
    assert found.report.counters["coverage item"] == 100


async def test_a_resumed_job_continues_to_count(autojump_clock, tmp_path):
    class Two(Books):
        def parse(self, response):
            yield {"url": response.url}

    for limit in (1, 2):
        report = await crawl(
            Two(), plugins=[Coverage(most=1)], job=tmp_path, transport=FakeSite(SITE).transport,
            settings=Settings(max_pages=limit, workers=1),
        )  # fmt: skip
    assert report.counters == {"coverage item": 2, "coverage item.url": 2}


def test_coverage_is_installed_and_its_option_is_converted_from_text():
    assert construct(load_plugin("coverage"), {"most": "7"}, what="plugin coverage").most == 7
    with pytest.raises(ConfigError, match="at least 1 field"):
        Coverage(most=0)
