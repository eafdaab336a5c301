"""The cache of Scrapy runs as it is; the plugin `browser` stands for scrapy-playwright."""

from __future__ import annotations

import gzip
from types import SimpleNamespace

import httpx
import pytest
import scrapy
from crawler_plugins.browser import Browser, browser_plugin
from crawler_plugins.scrapy.equivalents import equivalents, rendering, uses_playwright
from scrapy.extensions.httpcache import FilesystemCacheStorage
from scrapy.http import HtmlResponse
from scrapy.settings import Settings
from scrapy.utils.test import get_crawler
from support.scrapy_site import SITE, run_scrapy

HANDLER = "scrapy_playwright.handler.ScrapyPlaywrightDownloadHandler"


class One(scrapy.Spider):
    name = "one"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        yield {"text": response.css("h1::text").get(), "flags": response.flags}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


async def test_a_page_of_an_earlier_run_is_answered_from_the_cache():
    settings = {"HTTPCACHE_ENABLED": True}
    first = await run_scrapy(One, {"/": "<h1>first</h1>"}, settings)
    second = await run_scrapy(One, {"/": "<h1>second</h1>"}, settings)
    assert [first.items, second.items] == [[{"text": "first", "flags": flags}] for flags in ([], ["cached"])]
    assert second.visits == []


async def test_a_page_whose_bytes_are_reported_is_kept_in_the_cache():
    class Listens(One):
        heard = []

        @classmethod
        def from_crawler(cls, crawler, *args, **kwargs):
            spider = super().from_crawler(crawler, *args, **kwargs)
            crawler.signals.connect(spider.hear, scrapy.signals.bytes_received)
            return spider

        def hear(self, data, request, spider):
            self.heard.append(data)

    for flags in ([], ["cached"]):
        ran = await run_scrapy(Listens, {"/": "<h1>first</h1>"}, {"HTTPCACHE_ENABLED": True})
        assert ran.items == [{"text": "first", "flags": flags}]
    assert b"".join(Listens.heard) == b"<h1>first</h1>"


async def test_dont_cache_fetches_a_page():
    class Fresh(One):
        def start_requests(self):
            yield scrapy.Request(f"{SITE}/", meta={"dont_cache": True})

    settings = {"HTTPCACHE_ENABLED": True}
    for word in ("first", "second"):
        assert (await run_scrapy(Fresh, {"/": f"<h1>{word}</h1>"}, settings)).items[0]["text"] == word


async def test_a_page_that_the_cache_lacks_may_be_refused():
    ran = await run_scrapy(One, {"/": "x"}, {"HTTPCACHE_ENABLED": True, "HTTPCACHE_IGNORE_MISSING": True})
    assert ran.visits == []
    assert ran.stats["httpcache/ignore"] == 1


@pytest.mark.parametrize("policy", ["DummyPolicy", "RFC2616Policy"])
async def test_what_the_cache_does_is_counted(policy):
    page = httpx.Response(200, html="<h1>x</h1>", headers={"Cache-Control": "max-age=60"})
    settings = {"HTTPCACHE_ENABLED": True, "HTTPCACHE_POLICY": f"scrapy.extensions.httpcache.{policy}"}
    first, second = [(await run_scrapy(One, {"/": page}, settings)).stats for _ in range(2)]
    assert (first["httpcache/miss"], first["httpcache/store"]) == (1, 1)
    assert second["httpcache/hit"] == second["downloader/response_count"] == 1


async def test_a_compressed_body_in_a_cache_of_scrapy_is_decoded():
    settings = {"HTTPCACHE_ENABLED": True}
    crawler = get_crawler(One, settings)
    crawler.spider = One.from_crawler(crawler)
    storage = FilesystemCacheStorage(crawler.settings)
    storage.open_spider(crawler.spider)
    headers = {"Content-Type": "text/html", "Content-Encoding": "gzip"}
    response = HtmlResponse(f"{SITE}/", body=gzip.compress(b"<h1>kept</h1>"), headers=headers)
    storage.store_response(crawler.spider, scrapy.Request(f"{SITE}/"), response)
    ran = await run_scrapy(One, {"/": "x"}, settings)
    assert ran.items[0]["text"] == "kept"
    assert ran.visits == []


def test_playwright_is_the_plugin_browser(monkeypatch):
    settings = Settings({"DOWNLOAD_HANDLERS": {"https": HANDLER}})
    monkeypatch.setattr(browser_plugin, "find_executable", lambda _: "/usr/bin/chromium")
    [browser] = equivalents(settings)
    assert isinstance(browser, Browser)
    assert browser.every == "asked"
    assert not uses_playwright(Settings())


def method(name, *args):
    return SimpleNamespace(method=name, args=args)


@pytest.mark.parametrize(
    ("meta", "options"),
    [
        ({}, None),
        ({"playwright": False}, None),
        ({"playwright": True}, {}),
        ({"playwright": True, "playwright_page_methods": [method("wait_for_selector", "div.a")]}, {"wait": "div.a"}),
        ({"playwright": True, "playwright_page_methods": {"x": method("wait_for_timeout", 500)}}, {"wait": 0.5}),
        (
            {"playwright": True, "playwright_page_methods": [method("click", "a"), method("fill", "#q", "word")]},
            {"actions": ["click 'a'", "type '#q' 'word'"]},
        ),
    ],
)
def test_keys_of_playwright_are_options_of_a_request(meta, options):
    assert rendering(meta) == options


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"playwright_include_page": True}, "playwright_include_page"),
        ({"playwright_page_methods": [method("drag_and_drop", "a", "b")]}, "the plugin browser has no drag_and_drop"),
    ],
)
def test_unsupported_features_of_a_browser_are_named(meta, words):
    with pytest.raises(ValueError, match=words):
        rendering({"playwright": True, **meta})
