"""`Start`: what a spider starts with, and what goes wrong there."""

from __future__ import annotations

import pytest
import scrapy
from crawler_plugins.scrapy.start import start_output
from support.scrapy_site import SITE, run_scrapy
from twisted.internet.defer import succeed

PAGES = {"/": "a", "/b": "b"}


class One(scrapy.Spider):
    name = "one"

    def parse(self, response):
        yield {"url": response.url}


def test_the_nearest_start_counts():
    class Old(One):
        def start_requests(self):
            return ["old"]

    class Newer(Old):
        async def start(self):
            yield "new"

    class Oldest(Newer):
        def start_requests(self):
            return ["oldest"]

    assert start_output(Old()) == ["old"]
    assert hasattr(start_output(Newer()), "__aiter__")
    assert start_output(Oldest()) == ["oldest"]


async def test_an_async_start_may_await_deferreds():
    class Async(One):
        async def start(self):
            path = await succeed("/b")
            yield scrapy.Request(SITE + path)

    assert (await run_scrapy(Async, PAGES)).paths == ["/b"]


async def test_a_start_that_raises_is_a_problem_and_keeps_its_earlier_requests():
    class Broken(One):
        def start_requests(self):
            yield scrapy.Request(f"{SITE}/")
            raise KeyError("list")

    class BrokenLater(One):
        async def start(self):
            yield scrapy.Request(f"{SITE}/")
            raise KeyError("list")

    for kind in (Broken, BrokenLater):
        ran = await run_scrapy(kind, PAGES)
        assert ran.paths == ["/"]
        assert ran.report.exit_code() == 1
        assert ran.report.problems == ["Error while reading start items and requests: KeyError: 'list'"]
        assert ran.stats["spider_exceptions/KeyError"] == 1


async def test_an_item_of_the_start_goes_through_the_pipelines():
    class Items(One):
        async def start(self):
            yield {"n": 1}
            yield scrapy.Request(f"{SITE}/")

    assert (await run_scrapy(Items, PAGES)).stats["item_scraped_count"] == 2


async def test_start_pages_are_fetched_again_from_a_link_as_in_scrapy():
    class Home(One):
        start_urls = [f"{SITE}/"]

        def parse(self, response):
            yield {"url": response.url}
            yield scrapy.Request(f"{SITE}/")

    assert (await run_scrapy(Home, PAGES)).paths == ["/", "/"]


async def test_a_job_knows_its_start_pages(tmp_path):
    class Twice(One):
        start_urls = [f"{SITE}/", f"{SITE}/"]

    assert (await run_scrapy(Twice, PAGES, job=tmp_path / "job")).paths == ["/"]
    assert (await run_scrapy(Twice, PAGES, job=tmp_path / "job")).paths == []


@pytest.mark.parametrize("kind", [None, "coroutine"])
async def test_a_start_that_results_in_nothing_is_a_problem(kind):
    class Nothing(One):
        def start(self):
            return None if kind is None else nothing()

    async def nothing():
        return None

    report = (await run_scrapy(Nothing, PAGES)).report
    [problem] = report.problems
    assert "Nothing.start() must be an asynchronous generator" in problem
    assert report.exit_code() == 1


async def test_a_start_whose_request_cannot_be_scheduled_ends_the_crawl():
    class Fingerprinter:
        def fingerprint(self, request):
            raise ValueError("no fingerprint")

    class Unscheduled(One):
        custom_settings = {"REQUEST_FINGERPRINTER_CLASS": Fingerprinter}

        async def start(self):
            yield scrapy.Request(f"{SITE}/")

    ran = await run_scrapy(Unscheduled, PAGES)
    assert ran.paths == []
    assert ran.report.problems == ["Error while processing requests from start(): ValueError: no fingerprint"]
    assert ran.stats["finish_reason"] == "shutdown"


async def test_a_text_as_start_item_passes_the_pipelines(caplog):
    class Text(One):
        async def start(self):
            yield "text"
            yield scrapy.Request(f"{SITE}/")

    ran = await run_scrapy(Text, PAGES)
    assert ran.stats["item_scraped_count"] == 2
    assert ran.items == [{"url": f"{SITE}/"}]
    assert "outputs take no item of type 'str', from the start" in caplog.text
