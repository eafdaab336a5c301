"""`not_durable`: callbacks and values that a job cannot keep, found in the source of a spider."""

from __future__ import annotations

import importlib.util
import sys

import pytest
from crawler_plugins.scrapy.durability import not_durable

HEAD = """
from functools import partial
import scrapy
from scrapy.loader import ItemLoader

def outside(response):
    pass

class Base(scrapy.Spider):
    name = "base"

class Books(Base):
    name = "books"
    def helper(self): pass
    def parse(self, response):
"""


NO_METHOD = ", which is not a method of the spider"


@pytest.fixture
def reasons(tmp_path):
    """Return a function that checks the lines of a method."""

    def check(*lines: str) -> list[str]:
        file = tmp_path / "books.py"
        file.write_text(HEAD + "".join(f"        {line}\n" for line in lines))
        spec = importlib.util.spec_from_file_location("durable_books", file)
        module = sys.modules["durable_books"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return list(not_durable(module.Books))

    yield check
    sys.modules.pop("durable_books", None)


@pytest.mark.parametrize(
    "line",
    [
        "yield scrapy.Request(response.url, self.parse)",
        "yield scrapy.Request('https://shop.test/', callback=self.parse, errback=self.helper)",
        "yield scrapy.Request(response.url, callback=None, cb_kwargs={'n': 1, 'text': response.css('a::text').get()})",
        "yield response.follow('x', callback=response.meta['callback'], meta={'when': 1, **response.meta})",
        "response.meta['page'] = response.url",
        "table = {'loader': ItemLoader()}",
        "yield scrapy.Request(response.url, callback=getattr(self, 'parse'))",
    ],
)
def test_values_that_a_job_can_store_are_not_named(reasons, line):
    assert reasons(line) == []


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["yield scrapy.Request('u', callback=lambda r: None)"], "callback is a lambda"),
        (["yield scrapy.Request('u', partial(self.parse))"], "callback is a partial"),
        (["yield response.follow('u', outside)"], f"callback is outside{NO_METHOD}"),
        (["yield scrapy.Request('u', errback=self.x.failed)"], f"errback is self.x.failed{NO_METHOD}"),
        (["def inner(response): pass", "yield scrapy.Request('u', inner)"], f"callback is inner{NO_METHOD}"),
        (["yield scrapy.FormRequest('u', meta={'page': response})"], "meta['page'] is a response"),
        (["yield scrapy.Request('u', cb_kwargs=dict(spider=self))"], "cb_kwargs['spider'] is the spider"),
        (["item = ItemLoader()", "yield response.follow('u', meta={'l': item})"], "meta['l'] is an item loader"),
        (["for r in response.css('tr'):", "    yield scrapy.Request('', meta={'r': r})"], "meta['r'] is a selector"),
        (["rows = response.xpath('//tr')", "yield scrapy.Request('', meta={'r': rows[0]})"], "meta['r'] is a selector"),
        (["request = scrapy.Request('u')", "request.meta['file'] = open('x')"], "meta['file'] is an open file"),
        (["request = scrapy.Request('u')", "request.cb_kwargs['f'] = lambda: 1"], "cb_kwargs['f'] is a function"),
        (["yield scrapy.Request('u', cb_kwargs={'rest': (n for n in ())})"], "cb_kwargs['rest'] is a generator"),
    ],
)  # fmt: skip
def test_values_that_a_job_cannot_store_are_named_with_their_place(reasons, lines, reason):
    line = 15 + len(lines)
    assert reasons(*lines) == [f"{reason} (books.py:{line})"]


def test_a_spider_without_a_source_has_no_reasons():
    import scrapy  # noqa: PLC0415 - with the reactor that is installed

    assert list(not_durable(type("Made", (scrapy.Spider,), {"name": "made"}))) == []
