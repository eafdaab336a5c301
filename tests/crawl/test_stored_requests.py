"""Requests of a durable job whose mappings were given values that JSON does not have, after they were made."""

from __future__ import annotations

import pytest
import trio

from crawler import CrawlFailed, Plugin, Request, Settings, Spider, crawl
from crawler.testing import FakeSite

HOST = "https://site.test"
SITE = {"/": "<a href=/1>1</a>", "/1": "one", "/2": "two"}


def broken(url="/1"):
    request = Request(f"{HOST}{url}", meta={"page": 1})
    request.meta["lock"] = object()
    return request


class Walk(Spider):
    start_urls = [f"{HOST}/"]
    settings = Settings(obey_robots=False)

    def parse(self, response):
        yield {"url": response.url}
        if response.url == f"{HOST}/":
            yield Request(f"{HOST}/2")
            yield broken()


async def test_the_page_fails_and_its_message_names_callback_url_and_key(autojump_clock, tmp_path, caplog):
    report = await crawl(Walk(), job=tmp_path / "job", transport=FakeSite(SITE).transport)
    assert (report.pages, report.items, report.failures) == (0, 0, {"callback_error": 1})
    words = (
        "the request for https://site.test/1 cannot be stored: meta['lock'] is of type object, which JSON does not have"
    )
    assert words in caplog.text
    assert "walk.parse" in caplog.text.lower()


async def test_without_a_job_the_value_stays_in_memory(autojump_clock):
    report = await crawl(Walk(), transport=FakeSite(SITE).transport)
    assert (report.pages, report.failed) == (3, 0)


async def test_many_requests_of_a_page_are_checked_before_they_are_stored(autojump_clock, tmp_path):
    class Many(Walk):
        def parse(self, response):
            for n in range(5000):
                yield Request(f"{HOST}/n{n}")
            yield broken()

    report = await crawl(Many(), job=tmp_path / "job", transport=FakeSite(SITE).transport)
    assert (report.pages, report.failures, report.requests) == (0, {"callback_error": 1}, 1)


async def test_an_errback_is_checked_as_well(autojump_clock, tmp_path, caplog):
    class Errs(Walk):
        def start(self):
            yield Request(f"{HOST}/lost", errback=self.lost)

        def lost(self, failure):
            yield broken()

    await crawl(Errs(), job=tmp_path / "job", transport=FakeSite(SITE).transport)
    assert "the request for https://site.test/1 cannot be stored: meta['lock']" in caplog.text


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_start_request_ends_the_crawl_with_one_line(autojump_clock, tmp_path, is_async):
    class Starts(Walk):
        if is_async:

            async def start(self):
                yield broken("/")
        else:

            def start(self):
                yield broken("/")

    with pytest.raises(
        CrawlFailed, match=r"start\(\) yields a request for https://site.test/ that cannot be stored: meta"
    ):
        await crawl(Starts(), job=tmp_path / "job", transport=FakeSite(SITE).transport)


async def test_add_outside_of_a_page_refuses_it(autojump_clock, tmp_path):
    raised = []

    class Adds(Plugin):
        def lifespan(self, crawl):
            crawl.start_soon(self.add)
            return super().lifespan(crawl)

        async def add(self):
            await trio.lowlevel.checkpoint()
            with pytest.raises(TypeError) as info:
                self.crawl.add(broken())
            raised.append(str(info.value))

    class One(Walk):
        def parse(self, response):
            return None

    await crawl(One(), plugins=[Adds()], job=tmp_path / "job", transport=FakeSite(SITE).transport)
    assert raised[0].startswith("the request for https://site.test/1 cannot be stored: meta['lock'] is of type object")
