"""`Handlers`: requests that do not go to the web."""

from __future__ import annotations

import pytest
import scrapy
from crawler_plugins.scrapy.handlers import entered_url, host_of
from scrapy.http import TextResponse
from support.scrapy_site import SITE, run_scrapy

from crawler import ConfigError

PAGES = {"/b": "b"}


class Texts(scrapy.Spider):
    name = "texts"
    urls = ("data:,hello",)

    def start_requests(self):
        for url in self.urls:
            yield scrapy.Request(url, errback=self.failed)

    def parse(self, response):
        yield {"url": response.url, "text": response.text}
        yield from response.follow_all(css="a", callback=self.parse)

    def failed(self, failure):
        yield {"error": f"{type(failure.value).__name__}: {failure.value}"}


class Memo:
    """A handler as Scrapy had it before its methods were coroutines."""

    closed = 0

    def download_request(self, request, spider):
        return TextResponse(request.url, body=f"for {spider.name}".encode(), encoding="utf-8")

    def close(self):
        Memo.closed += 1


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://User:pw@Shop.test:8443/a@b?c#d", "shop.test"),
        ("https://shop.test?q=//other.test", "shop.test"),
        ("data:text/html,<a href='https://shop.test/'>", ""),
        ("file:///tmp/a", ""),
        ("http://handler.invalid/memo://place/one", "place"),
        ("http://handler.invalid/data:,a", ""),
    ],
)
def test_the_host_of_a_url(url, host):
    assert host_of(url) == host


@pytest.mark.parametrize("url", [f"{SITE}/a:b", "HTTPS://site.test/", "/a:b", "no colon"])
def test_a_web_url_enters_the_crawl_as_it_is(url):
    assert entered_url(url) is None


def test_a_fragment_does_not_tell_requests_apart():
    assert entered_url("data:,a#b") == entered_url("data:,a") == "http://handler.invalid/data:%2Ca"


async def test_a_page_in_a_url_or_a_file_is_handled(tmp_path):
    file = tmp_path / "é page.html"
    file.write_text(f"<a href='{SITE}/b'>b</a>", encoding="utf-8")

    class Both(Texts):
        urls = ("data:,hello", file.as_uri(), "data:,hello")

    ran = await run_scrapy(Both, PAGES, {"ROBOTSTXT_OBEY": True})
    assert [item["text"] for item in ran.items] == ["hello", file.read_text(encoding="utf-8"), "b"]
    assert [item["url"] for item in ran.items] == ["data:,hello", file.as_uri(), f"{SITE}/b"]
    assert ran.paths == ["/b"]
    assert ran.stats["dupefilter/filtered"] == 1


async def test_a_job_keeps_such_requests(tmp_path):
    ran = await run_scrapy(Texts, {}, job=tmp_path / "job")
    assert ran.items == [{"url": "data:,hello", "text": "hello"}]


async def test_a_handler_of_the_project_answers_its_scheme():
    class Own(Texts):
        urls = ("memo://a/b",)

    ran = await run_scrapy(Own, {}, {"DOWNLOAD_HANDLERS": {"memo": Memo}})
    assert ran.items == [{"url": "memo://a/b", "text": "for texts"}]
    assert Memo.closed == 1


@pytest.mark.parametrize("url", ["ftp://site.test/file", "gopher://site.test/"])
async def test_a_scheme_without_a_handler_fails_as_in_scrapy(url):
    class Other(Texts):
        urls = (url,)

    ran = await run_scrapy(Other, {}, {"DOWNLOAD_HANDLERS": {"ftp": None}})
    scheme = url.partition(":")[0]
    assert ran.items == [
        {"error": f"NotSupported: Unsupported URL scheme {scheme!r}: DOWNLOAD_HANDLERS has none for it"}
    ]
    assert ran.stats["downloader/exception_type_count/scrapy.exceptions.NotSupported"] == 1


async def test_what_a_handler_raises_reaches_the_errback(tmp_path):
    class Missing(Texts):
        urls = ((tmp_path / "none").as_uri(),)

    [item] = (await run_scrapy(Missing, {})).items
    assert item["error"].startswith("FileNotFoundError: ")


async def test_a_web_scheme_can_be_turned_off():
    class Web(Texts):
        urls = ("http://site.test/b", f"{SITE}/b")

    ran = await run_scrapy(Web, PAGES, {"DOWNLOAD_HANDLERS": {"http": None}})
    assert [str(visit.url) for visit in ran.visits] == [f"{SITE}/b"]


async def test_a_handler_that_cannot_be_imported_is_named():
    with pytest.raises(ConfigError, match=r"DOWNLOAD_HANDLERS\['memo'\] = no.such.Handler cannot be imported"):
        await run_scrapy(Texts, {}, {"DOWNLOAD_HANDLERS": {"memo": "no.such.Handler"}})
