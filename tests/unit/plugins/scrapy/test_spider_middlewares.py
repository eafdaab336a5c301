"""`SpiderMiddlewares`: the order of the middlewares, and their handling of exceptions."""

from __future__ import annotations

import pytest
import scrapy
from support.scrapy_site import SITE, run_scrapy

PAGES = {"/": "<p>a</p>", "/b": "b", "/404": lambda _: None}
calls: list[str] = []


class One(scrapy.Spider):
    name = "one"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        yield {"n": 1}


class Outer:
    """Next to the engine."""

    def process_spider_input(self, response, spider):
        calls.append("outer input")

    def process_spider_output(self, response, result, spider):
        for value in result:
            calls.append(f"outer {value}")
            yield value

    async def process_spider_output_async(self, response, result, spider):
        async for value in result:
            calls.append(f"outer async {value}")
            yield value


class Inner:
    """Next to the spider."""

    def process_spider_input(self, response):
        calls.append("inner input")

    def process_spider_output(self, response, result):
        for value in result:
            yield {**value, "inner": True} if isinstance(value, dict) else value


class Async:
    async def process_spider_output(self, response, result):
        assert hasattr(result, "__aiter__")
        async for value in result:
            yield {**value, "async": True}


@pytest.fixture(autouse=True)
def clean():
    calls.clear()


async def test_inputs_run_from_the_engine_and_outputs_from_the_spider():
    ran = await run_scrapy(One, PAGES, {"SPIDER_MIDDLEWARES": {Outer: 100, Inner: 900}})
    assert calls == ["outer input", "inner input", "outer {'n': 1, 'inner': True}"]
    assert ran.items == [{"n": 1, "inner": True}]


async def test_an_async_middleware_gets_an_async_iterable_and_a_plain_one_works_after_it():
    ran = await run_scrapy(One, PAGES, {"SPIDER_MIDDLEWARES": {Outer: 100, Async: 900}})
    assert calls[-1] == "outer async {'n': 1, 'async': True}"
    assert ran.items == [{"n": 1, "async": True}]


async def test_a_plain_middleware_gets_the_whole_output_of_an_async_callback():
    class Later(One):
        async def parse(self, response):
            yield {"n": 2}

    ran = await run_scrapy(Later, PAGES, {"SPIDER_MIDDLEWARES": {Inner: 1}})
    assert ran.items == [{"n": 2, "inner": True}]


async def test_an_exception_may_be_replaced_by_output():
    class Saving:
        def process_spider_exception(self, response, exception, spider):
            return [{"saved": type(exception).__name__}]

    class Half(One):
        def parse(self, response):
            yield {"n": 1}
            raise ValueError

    class Whole(One):
        def parse(self, response):
            raise ValueError

    for kind, expected in ((Half, [{"n": 1}, {"saved": "ValueError"}]), (Whole, [{"saved": "ValueError"}])):
        ran = await run_scrapy(kind, PAGES, {"SPIDER_MIDDLEWARES": {Saving: 1}})
        assert ran.items == expected
        assert "spider_exceptions/count" not in ran.stats


async def test_an_exception_is_offered_to_the_middlewares_that_are_left():
    class Raising:
        def process_spider_output(self, response, result):
            yield from result
            raise KeyError("late")

    class Before:
        def process_spider_exception(self, response, exception):
            calls.append("before")

    class Behind:
        def process_spider_exception(self, response, exception):
            calls.append("behind")

    ran = await run_scrapy(One, PAGES, {"SPIDER_MIDDLEWARES": {Before: 900, Raising: 500, Behind: 100}})
    assert calls == ["behind"]
    assert ran.stats["spider_exceptions/KeyError"] == 1


async def test_an_input_that_raises_calls_the_errback():
    class Refusing:
        def process_spider_input(self, response):
            raise ValueError("no")

    class Lost(One):
        def start_requests(self):
            yield scrapy.Request(f"{SITE}/", errback=self.lost)

        def lost(self, failure):
            yield {"error": str(failure.value)}

    ran = await run_scrapy(Lost, PAGES, {"SPIDER_MIDDLEWARES": {Refusing: 1}})
    assert ran.items == [{"error": "no"}]


async def test_middlewares_change_the_start():
    class Start:
        async def process_start(self, start):
            async for request in start:
                yield request.replace(url=f"{SITE}/b")

    class Old:
        def process_start_requests(self, start_requests, spider):
            for request in start_requests:
                yield request.replace(url=f"{SITE}/b")

    class Requests(One):
        def start_requests(self):
            yield scrapy.Request(f"{SITE}/")

    assert (await run_scrapy(One, PAGES, {"SPIDER_MIDDLEWARES": {Start: 1}})).paths == ["/b"]
    assert (await run_scrapy(Requests, PAGES, {"SPIDER_MIDDLEWARES": {Old: 1}})).paths == ["/b"]


async def test_depth_and_referer_are_those_of_scrapys_middlewares():
    class Deep(One):
        def parse(self, response):
            yield {"depth": response.meta["depth"], "referer": response.request.headers.get("Referer")}
            yield scrapy.Request(f"{SITE}/b")

    class Nothing:
        pass

    for middlewares in ({}, {Nothing: 1}):
        ran = await run_scrapy(Deep, PAGES, {"SPIDER_MIDDLEWARES": middlewares, "DEPTH_LIMIT": 1})
        assert ran.items == [{"depth": 0, "referer": None}, {"depth": 1, "referer": f"{SITE}/"}]
