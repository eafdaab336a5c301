"""The plugin `validate`."""

from __future__ import annotations

import sys
from typing import ClassVar

import attrs
import pytest
from crawler_plugins.validate import Validate

from crawler import ConfigError, CrawlSpider, Rule, Settings, Spider
from crawler.hooks.load import construct, load_plugin
from crawler.testing import FakeSite, collect


@attrs.frozen
class Book:
    title: str
    price: float


@attrs.frozen
class Other:
    price: str


class Books(Spider):
    start_urls = ["https://site.test/a", "https://site.test/b"]
    settings = Settings(obey_robots=False)
    pages: ClassVar = {
        "/a": [{"title": "a", "price": 1.0}, {"title": "b"}, Book("c", "free"), Other("x")],
        "/b": [{"title": "d", "price": 2.0}],
    }

    def parse(self, response):
        yield from self.pages[response.url.removeprefix("https://site.test")]


SITE = {"/a": "x", "/b": "x"}
GOOD = [{"title": "a", "price": 1.0}, Other("x"), {"title": "d", "price": 2.0}]
COUNTED = {"invalid price: missing": 1, "invalid price: Expected `float`, got `str`": 1}


async def test_invalid_items_are_dropped_and_counted_by_field_and_reason(autojump_clock):
    found = await collect(Books(), FakeSite(SITE), plugins=[Validate(model=Book)])
    assert found.items == GOOD
    assert found.report.dropped == {"invalid": 2}
    assert found.report.counters == COUNTED


async def test_invalid_items_are_flagged_with_their_problems(autojump_clock):
    found = await collect(Books(), FakeSite(SITE), plugins=[Validate(model=Book, then="flag", field="why")])
    assert [item for item in found.items if item not in GOOD] == [
        {"title": "b", "why": ["price: missing"]},
        {"title": "c", "price": "free", "why": ["price: Expected `float`, got `str`"]},
    ]
    assert found.report.counters == COUNTED


async def test_an_invalid_item_fails_its_page_and_nothing_of_the_page_is_kept(autojump_clock):
    found = await collect(Books(), FakeSite(SITE), plugins=[Validate(model=Book, then="fail")])
    assert found.items == [{"title": "d", "price": 2.0}]
    assert found.report.failures == {"hook_error": 1}
    assert found.report.counters == {"invalid price: missing": 1}
    assert found.report.exit_code() == 4


async def test_a_field_of_the_item_is_not_overwritten_by_a_flag(autojump_clock):
    class Spoken(Books):
        pages: ClassVar = {"/a": [{"problems": "mine"}], "/b": []}

    found = await collect(Spoken(), FakeSite(SITE), plugins=[Validate(model=Book, then="flag")])
    assert (found.items, found.report.failures) == ([], {"hook_error": 1})


async def test_a_schema_checks_items_of_every_class(autojump_clock, tmp_path):
    (tmp_path / "book.json").write_text('{"properties": {"price": {"type": "number"}}, "required": ["title"]}')
    found = await collect(Books(), FakeSite(SITE), plugins=[Validate(schema=tmp_path / "book.json")])
    assert found.items == [{"title": "a", "price": 1.0}, {"title": "b"}, {"title": "d", "price": 2.0}]
    assert found.report.counters == {"invalid price: type": 2, "invalid title: missing": 1}


async def test_the_number_of_counters_that_pages_cause_is_bounded(autojump_clock, tmp_path):
    class Wild(Books):
        def parse(self, response):
            yield from ({f"{response.url}{n}": n} for n in range(200))

    (tmp_path / "none.json").write_text('{"additionalProperties": {"type": "string"}}')
    found = await collect(Wild(), FakeSite(SITE), plugins=[Validate(schema=tmp_path / "none.json")])
    assert len(found.report.counters) == 201
    assert found.report.counters["invalid (others)"] == 200


async def test_validate_checks_the_items_of_a_crawl_spider(autojump_clock):
    class Site(CrawlSpider):
        start_urls = ["https://site.test/"]
        settings = Settings(obey_robots=False)
        rules = [Rule(callback="book")]

        def book(self, response):
            yield {"title": response.text}

    site = FakeSite({"/": "<a href='/b'>b</a>", "/b": "x"})
    found = await collect(Site(), site, plugins=[Validate(model=Book)])
    assert found.report.dropped == {"invalid": 1}


def test_a_model_is_named_by_module_and_class(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "shop_models.py").write_text("import attrs\n@attrs.define\nclass Book:\n    title: str\nnumber = 3\n")
    made = construct(load_plugin("validate"), {"model": "shop_models:Book"}, what="plugin validate")
    assert isinstance(made, Validate)
    assert made.model.__name__ == "Book"
    for text, words in (
        ("shop_models:Bok", "did you mean Book"),
        ("shop_models:number", "shop_models:number is not a class"),
        ("x", "write package.module:Class"),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            construct(Validate, {"model": text}, what="plugin validate")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "give either model=module:Class or schema=FILE.json"),
        ({"model": "crawler:Drop", "schema": "x.json"}, "give either"),
        ({"model": "crawler:Drop", "then": "panic"}, "must be drop, flag or fail"),
        ({"model": "crawler:Drop", "field": ""}, "field must be the name"),
        ({"model": "crawler:Spider"}, "Spider must be a pydantic model"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        construct(Validate, options, what="plugin validate")
    with pytest.raises(ConfigError, match="then must be drop, flag or fail"):
        Validate(model=Book, then="panic")
